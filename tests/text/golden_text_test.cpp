// Token ids, decoded text and prompts against the reference's, over whatever the golden set holds.
#include <gtest/gtest.h>

#include "support/golden_tensors.h"
#include "support/temp_dir.h"
#include "text/chat_template.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace vl3::text {
namespace {

namespace fs = std::filesystem;
using vl3::test::golden_cases;
using vl3::test::golden_dir;
using vl3::test::golden_models;
using vl3::test::GoldenCase;
using vl3::test::GoldenTensors;
using vl3::test::TempDir;
using Ids = std::vector<int64_t>;

/// The set's cases whose model has its tokenizer in the set.
std::vector<GoldenCase> text_cases() {
  std::vector<GoldenCase> cases = golden_cases();
  std::erase_if(cases, [](const GoldenCase& one) { return !fs::exists(one.model_dir / "tokenizer.json"); });
  return cases;
}

// The table was made with the tokenizer that every model of the set carries.
void expect_table(const Tokenizer& tokenizer, const std::string& flow, const Json& table,
                  const std::string& where) {
  for (const Json& row : table) {
    const auto text = row.at("text").get<std::string>();
    const Ids ids = tokenizer.encode(text);
    EXPECT_EQ(ids, row.at(flow).get<Ids>()) << where << ": " << text;
    if (flow != "native") continue;
    EXPECT_EQ(tokenizer.decode(ids, false), row.at("decode_native").get<std::string>())
        << where << ": " << text;
    EXPECT_EQ(tokenizer.decode(ids, true), row.at("decode_native_skip").get<std::string>())
        << where << ": " << text;
  }
}

TEST(GoldenTokenizer, EncodesAndDecodesTheTable) {
  const fs::path path = golden_dir() / "tables/tokenizer.json";
  const std::vector<fs::path> models = golden_models("tokenizer.json");
  if (!fs::exists(path) || models.empty())
    GTEST_SKIP() << "the set has no tokenizer table or no tokenizer.json";
  const Json table = read_json_file(path);
  ASSERT_FALSE(table.empty());
  for (const fs::path& model : models) {
    expect_table(Tokenizer::load(model), model.filename().string(), table, model.string());
  }
}

TEST(GoldenTokenizer, VocabAndMergesGiveTheSame) {
  const fs::path path = golden_dir() / "tables/tokenizer.json";
  const std::vector<fs::path> models = golden_models("merges.txt");
  if (!fs::exists(path) || models.empty()) GTEST_SKIP() << "the set has no tokenizer table or no merges.txt";
  const Json table = read_json_file(path);
  for (const fs::path& model : models) {
    const TempDir dir;
    for (const char* file : {"vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"}) {
      if (fs::exists(model / file)) fs::copy_file(model / file, dir / file);
    }
    expect_table(Tokenizer::load(dir.path()), model.filename().string(), table, model.string());
  }
}

TEST(GoldenTokenizer, DecodesGreedyAnswersWholeAndStreamed) {
  const std::vector<GoldenCase> cases = text_cases();
  if (cases.empty()) GTEST_SKIP() << "the set has no cases with a tokenizer";
  for (const GoldenCase& one : cases) {
    const Tokenizer tokenizer = Tokenizer::load(one.model_dir);
    const auto greedy = one.json.at("greedy").get<Ids>();
    EXPECT_EQ(tokenizer.decode(greedy, true), one.json.at("greedy_text").get<std::string>()) << one.name;
    EXPECT_EQ(tokenizer.decode(greedy, false), one.json.at("greedy_raw").get<std::string>()) << one.name;
    StreamDecoder decoder(tokenizer, true);
    std::string streamed;
    for (const int64_t id : greedy) streamed += decoder.push(id);
    EXPECT_EQ(streamed + decoder.finish(), one.json.at("greedy_text").get<std::string>()) << one.name;
  }
}

TEST(GoldenChatTemplate, RendersTheTable) {
  const fs::path path = golden_dir() / "tables/chat_template.json";
  if (!fs::exists(path)) GTEST_SKIP() << "the set has no chat template table";
  const Json table = read_json_file(path);
  ASSERT_FALSE(table.empty());
  for (const Json& row : table) {
    const Conversation conversation = parse_openai_messages(row.at("conversation"), "chat_template.json");
    const RenderOptions options{.add_system_prompt = row.at("add_system_prompt").get<bool>(),
                                .add_generation_prompt = row.at("add_generation_prompt").get<bool>()};
    for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
      if (!row.contains(flow_name(flow))) continue;
      EXPECT_EQ(render(conversation, flow, options).text, row.at(flow_name(flow)).get<std::string>());
    }
  }
}

/// Merged tokens of each frame of the grids: (h / m) * (w / m), t times.
std::vector<Ids> grid_tokens(const Json& json, const char* grids, const char* merges) {
  std::vector<Ids> media;
  if (!json.contains(grids)) return media;
  for (size_t i = 0; i < json.at(grids).size(); ++i) {
    const auto grid = json.at(grids)[i].get<Ids>();
    const int64_t merge = json.at(merges)[i].get<int64_t>();
    media.emplace_back(static_cast<size_t>(grid[0]), (grid[1] / merge) * (grid[2] / merge));
  }
  return media;
}

/// Token counts by place, in prompt order; native cases list images and videos apart.
Ids counts_of(const GoldenCase& one, const RenderedPrompt& prompt, bool kept) {
  const Json& json = one.json;
  Ids counts;
  const auto append = [&](const Ids& frames) { counts.insert(counts.end(), frames.begin(), frames.end()); };
  if (one.flow == "remote") {
    if (!json.contains("grid_sizes")) return counts;
    const auto media = kept ? json.at("kept_tokens_per_frame").get<std::vector<Ids>>()
                            : grid_tokens(json, "grid_sizes", "merge_sizes");
    for (const Ids& frames : media) append(frames);
    return counts;
  }
  const std::vector<Ids> images = grid_tokens(json, "image_grid_thw", "image_merge_sizes");
  const auto videos = json.value("kept_tokens_per_frame", Json::array()).get<std::vector<Ids>>();
  size_t image = 0;
  size_t video = 0;
  for (const PromptMedia& media : prompt.media) {
    append(media.kind == PartKind::kImage ? images.at(image++) : videos.at(video++));
  }
  return counts;
}

TEST(GoldenPrompt, EqualsTheCasesTextAndIds) {
  const std::vector<GoldenCase> cases = text_cases();
  if (cases.empty()) GTEST_SKIP() << "the set has no cases with a tokenizer";
  for (const GoldenCase& one : cases) {
    const Flow flow = one.flow == "remote" ? Flow::kRemote : Flow::kNative;
    const Conversation conversation = parse_openai_messages(one.json.at("conversation"), one.name);
    const RenderedPrompt prompt =
        render(conversation, flow,
               {.add_system_prompt = one.json.value("add_system_prompt", false),
                .add_generation_prompt = one.json.at("add_generation_prompt").get<bool>()});
    EXPECT_EQ(prompt.text, one.json.at("prompt").get<std::string>()) << one.name;
    const Tokenizer tokenizer = Tokenizer::load(one.model_dir);
    const int64_t image = *tokenizer.token_id(flow == Flow::kRemote ? "<image>" : "<|image_pad|>");
    const int64_t video = flow == Flow::kRemote ? image : *tokenizer.token_id("<|video_pad|>");
    const GoldenTensors tensors(one.tensors);
    EXPECT_EQ(tokenize(prompt, tokenizer, counts_of(one, prompt, false), image, video),
              tensors.at("input_ids").integers())
        << one.name;
    EXPECT_EQ(tokenize(prompt, tokenizer, counts_of(one, prompt, true), image, video),
              tensors.at("llm_input_ids").integers())
        << one.name;
  }
}

// What the manifest says about special tokens is what the tokenizer files give.
TEST(GoldenTokenizer, KnowsTheManifestsTokens) {
  const fs::path path = golden_dir() / "manifest.json";
  if (!fs::exists(path)) GTEST_SKIP() << "the set has no manifest";
  const Json manifest = read_json_file(path);
  for (const fs::path& dir : golden_models("tokenizer.json")) {
    const Json& model = manifest.at("models").at(dir.parent_path().filename().string());
    const Tokenizer tokenizer = Tokenizer::load(dir);
    for (const auto& [token, id] : model.at("ids").items()) {
      const auto found = tokenizer.token_id(token);
      EXPECT_TRUE(found || dir.filename() == "native")
          << token;  // native vocabularies end before the remote ones
      EXPECT_EQ(found.value_or(id.get<int64_t>()), id.get<int64_t>()) << token;
    }
  }
}

}  // namespace
}  // namespace vl3::text
