#include "data/sample_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "data/golden_train_set.h"
#include "support/temp_dir.h"
#include "text/chat_template.h"

namespace vl3::data {
namespace {

namespace fs = std::filesystem;

Record record_of(const std::string& json, const fs::path& root = golden_train_set().dir / "data") {
  Record record;
  record.origin = {"list.jsonl", 3, 0};
  record.load = [json, root] {
    RecordContent content;
    content.json = json;
    content.media_root = root;
    return content;
  };
  return record;
}

DataConfig roomy() {
  DataConfig config = golden_train_set().config();
  config.model_max_length = 4096;
  config.mm_max_length = 512;
  config.over_length = "skip";
  return config;
}

std::string error_of(const SampleBuilder& builder, const Record& record) {
  try {
    builder.build(record);
  } catch (const BadSample& bad) {
    return std::string(bad_kind_name(bad.kind())) + ": " + bad.what();
  }
  return "";
}

std::string one_image() {
  for (const Record& record : golden_records("annotations.jsonl")) {
    const Json json = parse_json(record.load().json, "annotation");
    if (json.contains("image") && json.at("image").is_string() &&
        fs::is_regular_file(golden_train_set().dir / "data" / json.at("image").get<std::string>())) {
      return json.at("image");
    }
  }
  return "";
}

std::string frame_folder() {
  for (const Record& record : golden_records("annotations.jsonl")) {
    const Json json = parse_json(record.load().json, "annotation");
    if (!json.contains("video") || !json.at("video").is_array()) continue;
    if (fs::is_directory(golden_train_set().dir / "data" / json.at("video")[0].get<std::string>())) {
      return json.at("video")[0];
    }
  }
  return "";
}

std::string mixed_messages() {
  const Json messages = {
      {{"role", "user"},
       {"content",
        {{{"type", "image"}, {"image", one_image()}},
         {{"type", "text"}, {"text", "and "}},
         {{"type", "video"}, {"video", frame_folder()}},
         {{"type", "text"}, {"text", "Which is which? <|im_end|>"}}}}},
      {{"role", "assistant"}, {"content", "The first one."}},
      {{"role", "user"},
       {"content", {{{"type", "image"}, {"image", one_image()}}, {{"type", "text"}, {"text", "Again?"}}}}},
      {{"role", "assistant"}, {"content", "Yes."}}};
  return Json({{"id", "mixed"}, {"messages", messages}}).dump();
}

/// What the whole conversation says as one prompt, tokenised at once.
std::vector<int64_t> prompt_ids(const std::string& json, const weights::ModelConfig& model,
                                const SampleBuilder& builder, const text::Tokenizer& tokenizer) {
  text::Conversation conversation =
      text::parse_openai_messages(parse_json(json, "test").at("messages"), "test");
  text::set_media_root(conversation, golden_train_set().dir / "data");
  const auto media = preprocess::open_media_set(conversation, builder.preprocess(), {});
  std::vector<preprocess::MediaShape> shapes;
  for (const preprocess::MediaEntry& entry : media) {
    shapes.push_back(entry.shape);
    if (entry.shape.kind == preprocess::MediaKind::kVideo) {
      conversation[entry.message].parts[entry.part].timestamps = entry.timestamps;
    }
  }
  std::vector<int64_t> counts;
  for (const preprocess::MediumPlan& plan : preprocess::plan_request(shapes, builder.preprocess()).media) {
    counts.insert(counts.end(), static_cast<size_t>(plan.grid.t), plan.tokens_per_frame);
  }
  text::RenderOptions options;
  options.add_generation_prompt = false;
  const text::RenderedPrompt prompt = text::render(conversation, model.preprocess.flow, options);
  return text::tokenize(prompt, tokenizer, counts, model.image_token_id, model.video_token_id);
}

void expect_as_asked(const weights::ModelConfig& model,
                     const std::shared_ptr<const text::Tokenizer>& tokenizer) {
  const SampleBuilder builder(model, tokenizer, roomy());
  const Sample sample = builder.build(record_of(mixed_messages()));
  EXPECT_EQ(sample.id, "mixed");
  EXPECT_EQ(sample.input_ids, prompt_ids(mixed_messages(), model, builder, *tokenizer));
  ASSERT_EQ(sample.media.size(), 3u);
  EXPECT_EQ(sample.media[1].kind, preprocess::MediaKind::kVideo);
  EXPECT_EQ(sample.media[1].merge, 2);
  EXPECT_EQ(sample.media[0].merge, 1);
  // Every visual token has its row, in prompt order.
  size_t visual = 0;
  for (const VisualMedium& medium : sample.media) {
    EXPECT_EQ(medium.patches_u8.size(),
              static_cast<size_t>(medium.grid.t * medium.grid.h * medium.grid.w * 588));
    visual += medium.keep.size();
  }
  EXPECT_EQ(sample.visual_positions.size(), visual);
  // Both answers are learned, nothing else.
  std::vector<int64_t> learned;
  for (const int64_t label : sample.labels) {
    if (label != kIgnoreIndex) learned.push_back(label);
  }
  EXPECT_EQ(tokenizer->decode(learned, false), "The first one.<|im_end|>Yes.<|im_end|>");
}

TEST(SampleBuilder, MixedMediaOfMessagesAreTrainedOnAsTheyAreAskedRemotely) {
  const GoldenTrainSet& set = golden_train_set();
  expect_as_asked(set.model, set.tokenizer);
}

TEST(SampleBuilder, MixedMediaOfMessagesAreTrainedOnAsTheyAreAskedNatively) {
  const auto models = test::golden_models("tokenizer.json");
  const auto native =
      std::ranges::find_if(models, [](const fs::path& path) { return path.filename() == "native"; });
  if (native == models.end()) GTEST_SKIP() << "the golden set has no native model";
  const weights::ModelConfig model = weights::load_model_config(*native);
  ASSERT_NE(model.image_token_id, model.video_token_id);
  expect_as_asked(model, std::make_shared<const text::Tokenizer>(text::Tokenizer::load(*native)));
}

TEST(SampleBuilder, AStreamIsTrainedOnInTheNativeFlowToo) {
  const auto models = test::golden_models("tokenizer.json");
  const auto native =
      std::ranges::find_if(models, [](const fs::path& path) { return path.filename() == "native"; });
  if (native == models.end()) GTEST_SKIP() << "the golden set has no native model";
  const weights::ModelConfig model = weights::load_model_config(*native);
  const auto tokenizer = std::make_shared<const text::Tokenizer>(text::Tokenizer::load(*native));
  const SampleBuilder builder(model, tokenizer, roomy());
  const Json json = {{"stream", true},
                     {"video", {frame_folder()}},
                     {"start_time", 0},
                     {"end_time", 9},
                     {"conversation", {{{"role", "assistant"}, {"content", "Now."}, {"time", 2.0}}}}};
  const Sample sample = builder.build(record_of(json.dump()));
  ASSERT_EQ(sample.media.size(), 1u);
  EXPECT_EQ(sample.media[0].kind, preprocess::MediaKind::kVideo);
  EXPECT_EQ(sample.visual_positions.size(), sample.media[0].keep.size());
  for (const int64_t at : sample.visual_positions) {
    EXPECT_EQ(sample.input_ids[static_cast<size_t>(at)], model.image_token_id);
  }
  EXPECT_GT(sample.labelled_tokens, 1);
}

TEST(SampleBuilder, PicturesInMemoryNeedNoFile) {
  const SampleBuilder builder = golden_train_set().builder(roomy());
  auto video = std::make_shared<preprocess::Pictures>();
  for (int t = 0; t < 3; ++t) {
    media::Frame& frame = video->frames.emplace_back();
    frame.height = 56;
    frame.width = 84;
    frame.rgb.assign(56 * 84 * 3, static_cast<uint8_t>(40 * t));
    video->timestamps.push_back(0.5 * t);
  }
  auto image = std::make_shared<preprocess::Pictures>();
  image->frames.push_back(video->frames[0]);
  Record record = record_of(
      R"({"video":["generated"],"conversations":[{"from":"human","value":"<video>Q"},{"from":"gpt","value":"A"}]})");
  record.load = [content = record.load(), video, image]() mutable {
    content.media["generated"] = std::shared_ptr<const preprocess::Pictures>(video);
    content.media["picture"] = std::shared_ptr<const preprocess::Pictures>(image);
    return content;
  };
  const Sample sample = builder.build(record);
  ASSERT_EQ(sample.media.size(), 1u);
  EXPECT_EQ(sample.media[0].grid.t, 3);
  EXPECT_NE(golden_train_set().tokenizer->decode(sample.input_ids, false).find("Time 0.5s:"),
            std::string::npos);
  EXPECT_EQ(sample.id, "list.jsonl:3");

  // Of a stream, those within its window and before a message.
  Record stream = record;
  stream.load = [load = record.load] {
    RecordContent content = load();
    content.json = R"({"stream":true,"video":["generated"],"start_time":0.4,"end_time":9,"conversation":[
        {"role":"assistant","content":"Now","time":0.5}]})";
    return content;
  };
  EXPECT_EQ(builder.build(stream).media[0].grid.t, 1);

  Record two = record;
  two.load = [load = record.load] {
    RecordContent content = load();
    content.json =
        R"({"messages":[{"role":"user","content":[{"type":"image","image":"picture"},{"type":"video","video":"generated"}]},
                       {"role":"assistant","content":"A"}]})";
    return content;
  };
  EXPECT_EQ(builder.build(two).media.size(), 2u);
}

TEST(SampleBuilder, LongSamplesAreReportedOrCut) {
  DataConfig config = roomy();
  config.model_max_length = 40;
  std::string words;
  for (int i = 0; i < 60; ++i) words += " word";
  const std::string json =
      R"({"id":"long","conversations":[{"from":"human","value":"Q"},{"from":"gpt","value":")" + words +
      R"("}]})";
  const std::string error = error_of(golden_train_set().builder(config), record_of(json));
  EXPECT_TRUE(error.starts_with("over_length: list.jsonl:3 (long): ")) << error;
  config.over_length = "cut";
  const Sample cut = golden_train_set().builder(config).build(record_of(json));
  EXPECT_EQ(cut.input_ids.size(), 40u);
  EXPECT_GT(cut.tokens_before_cut, 40);
}

TEST(SampleBuilder, WhatPruningMakesFitIsNotTooLong) {
  // A video of one picture repeated keeps one token a frame after the first.
  DataConfig config = roomy();
  config.use_token_compression = true;
  const Json json = {
      {"video", {"still"}},
      {"conversations", {{{"from", "human"}, {"value", "<video>"}}, {{"from", "gpt"}, {"value", "A"}}}}};
  auto still = std::make_shared<preprocess::Pictures>();
  for (int t = 0; t < 6; ++t) {
    still->frames.push_back({56, 112, std::vector<uint8_t>(56 * 112 * 3, 90), 0});
    still->timestamps.push_back(t);
  }
  Record record = record_of(json.dump());
  record.load = [content = record.load(), still]() mutable {
    content.media["still"] = std::shared_ptr<const preprocess::Pictures>(still);
    return content;
  };
  const Sample pruned = golden_train_set().builder(config).build(record);
  config.model_max_length = static_cast<int64_t>(pruned.input_ids.size());
  ASSERT_GT(pruned.tokens_before_cut, config.model_max_length);
  EXPECT_EQ(golden_train_set().builder(config).build(record).input_ids, pruned.input_ids);
  --config.model_max_length;
  EXPECT_TRUE(error_of(golden_train_set().builder(config), record).starts_with("over_length: "));
}

TEST(SampleBuilder, HostileLinesHaveTheirOwnErrors) {
  const SampleBuilder builder = golden_train_set().builder(roomy());
  const std::string turns =
      R"("conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Yes."}]})";
  const auto kind = [&](const std::string& json) {
    const std::string error = error_of(builder, record_of(json));
    EXPECT_EQ(error.find('\n'), error.npos) << error;
    EXPECT_NE(error.find("list.jsonl:3"), error.npos) << error;
    return error.substr(0, error.find(':'));
  };
  EXPECT_EQ(kind("{\"id\": \"\xff\xfe\"," + turns), "json");
  EXPECT_EQ(kind(std::string(100'000, '[')), "json");
  EXPECT_EQ(kind("{\"a\":" + std::string(300, '[') + std::string(300, ']') + "}"), "json");
  EXPECT_EQ(kind("{\"id\": 1e999," + turns), "json");
  EXPECT_EQ(kind(""), "json");
  EXPECT_EQ(kind("17"), "json");
  EXPECT_EQ(kind(std::string("{\"id\":\"\0\"", 9)), "json");
  EXPECT_EQ(kind(R"({"image":"-",)" + turns), "schema");
  EXPECT_EQ(kind(R"({"image":"/nonexistent/a.png",)" + turns), "missing_file");
  EXPECT_EQ(kind(R"({"image":"a\u0000b.png",)" + turns), "schema");
  EXPECT_EQ(kind(R"({"image":")" + std::string(5000, 'x') + R"(",)" + turns), "missing_file");
  EXPECT_EQ(kind(R"({"image":"gopher://x/a.png",)" + turns), "schema");
  EXPECT_EQ(kind(R"({"image":"/dev/zero",)" + turns), "schema");
  EXPECT_EQ(error_of(builder, record_of(R"({"id":123456789012345678901234567890,)" + turns)), "");
}

TEST(SampleBuilder, AVideoThatBreaksOffIsBad) {
  const test::TempDir dir;
  for (const Record& record : golden_records("annotations.jsonl")) {
    const Json json = parse_json(record.load().json, "annotation");
    if (!json.contains("video") || !json.at("video").is_array() || json.contains("stream")) continue;
    const fs::path video = golden_train_set().dir / "data" / json.at("video")[0].get<std::string>();
    if (!fs::is_regular_file(video)) continue;
    const fs::path broken = dir / video.filename().string();
    fs::copy_file(video, broken);
    fs::permissions(broken, fs::perms::owner_all);
    fs::resize_file(broken, fs::file_size(video) / 2);
    Json changed = json;
    changed["video"] = {broken.string()};
    const std::string error = error_of(golden_train_set().builder(roomy()), record_of(changed.dump()));
    EXPECT_TRUE(error.starts_with("decode: ")) << error;
    return;
  }
  GTEST_SKIP() << "the set has no video file";
}

TEST(SampleBuilder, EstimatesAreNearTheTruth) {
  DataConfig config = golden_train_set().config();
  config.model_max_length = 1 << 20;
  const SampleBuilder builder = golden_train_set().builder(config);
  for (const Record& record : golden_records("annotations.jsonl")) {
    const auto truth = static_cast<double>(builder.build(record).input_ids.size());
    const auto estimate = static_cast<double>(builder.estimate_tokens(record));
    // The tiny tokenizer's tokens are short, which the text's share of an estimate does not know.
    EXPECT_GT(estimate, truth / 3) << record.origin.where();
    EXPECT_LT(estimate, truth * 3) << record.origin.where();
  }
  for (const Record& record : golden_records("annotations_bad.jsonl"))
    EXPECT_GE(builder.estimate_tokens(record), 1);
}

TEST(SampleBuilder, SettingsThatCannotBeHonouredAreErrors) {
  const auto error = [](auto&& change) {
    DataConfig config = golden_train_set().config();
    change(config);
    return test::error_of([&] { golden_train_set().builder(config); });
  };
  EXPECT_EQ(error([](DataConfig& c) { c.over_length = "drop"; }),
            "invalid argument: data.over_length is \"drop\"; it must be \"skip\" or \"cut\"");
  EXPECT_EQ(error([](DataConfig& c) { c.fps = 0; }),
            "invalid argument: data.fps is 0; it must be above 0, at most 1000");
  EXPECT_NE(error([](DataConfig& c) { c.image_merge_size = 0; }), "");
  EXPECT_NE(error([](DataConfig& c) { c.stream_rule = "both"; }), "");
}

TEST(SampleBuilder, WantOfMemoryIsAFaultOfTheSample) {
  const GoldenTrainSet& set = golden_train_set();
  const SampleBuilder builder(set.model, set.tokenizer, set.config());
  Record record;
  record.origin = {"big.jsonl", 3, 0};
  record.load = []() -> RecordContent { throw std::bad_alloc(); };
  EXPECT_EQ(builder.estimate_tokens(record), 1);
  try {
    builder.build(record);
    FAIL();
  } catch (const BadSample& bad) {
    EXPECT_EQ(bad.kind(), BadKind::kLimit);
    EXPECT_STREQ(bad.what(), "big.jsonl:3: there is no memory for it");
  }
}

}  // namespace
}  // namespace vl3::data
