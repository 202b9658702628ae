// Tokenizer files from outside: every broken one gives one error that says what and where.
#include "text/tokenizer_files.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "core/file.h"
#include "text/tiny_tokenizer.h"

namespace vl3::text {
namespace {

using test::tiny_tokenizer_json;
using vl3::test::error_of;
using vl3::test::TempDir;

std::string load_error(const TempDir& dir) {
  return error_of([&] { Tokenizer::load(dir.path()); });
}

struct Broken {
  const char* name;
  std::function<void(Json&)> damage;
  const char* code;
  const char* says;
};

void added(Json& json, const char* content, int64_t id) {
  Json token = json["added_tokens"][0];
  token["content"] = content;
  token["id"] = id;
  json["added_tokens"].push_back(token);
}

TEST(TokenizerFiles, EachBrokenTokenizerJsonHasItsError) {
  const std::vector<Broken> table = {
      {"id twice", [](Json& j) { j["model"]["vocab"]["zz"] = 7; }, "corrupt", "id 7 is given to"},
      {"id past the limit", [](Json& j) { j["model"]["vocab"]["zz"] = 10000001; }, "corrupt",
       "outside 0..10000000"},
      {"id negative", [](Json& j) { j["model"]["vocab"]["zz"] = -1; }, "corrupt", "outside 0..10000000"},
      {"id huge", [](Json& j) { j["model"]["vocab"]["zz"] = 18446744073709551615ull; }, "corrupt",
       "outside 0.."},
      {"id fractional", [](Json& j) { j["model"]["vocab"]["zz"] = 1.5; }, "corrupt", "must be an integer id"},
      {"id a string", [](Json& j) { j["model"]["vocab"]["zz"] = "1"; }, "corrupt", "must be an integer id"},
      {"id a list", [](Json& j) { j["model"]["vocab"]["zz"] = {1}; }, "corrupt", "must be an integer id"},
      {"id an object", [](Json& j) { j["model"]["vocab"]["zz"] = Json::object(); }, "corrupt",
       "must be an integer id"},
      {"token empty", [](Json& j) { j["model"]["vocab"][""] = 300; }, "corrupt", "is empty"},
      {"token not bytes", [](Json& j) { j["model"]["vocab"]["视"] = 300; }, "corrupt",
       "not spelled in bytes"},
      {"byte missing", [](Json& j) { j["model"]["vocab"].erase("A"); }, "corrupt",
       "no token for the byte 0x41"},
      {"vocab empty", [](Json& j) { j["model"]["vocab"] = Json::object(); }, "corrupt", "no vocabulary"},
      {"vocab a list",
       [](Json& j) {
         j["model"]["vocab"] = {1, 2};
       },
       "corrupt", "no vocabulary"},
      {"vocab missing", [](Json& j) { j["model"].erase("vocab"); }, "corrupt", "no vocabulary"},
      {"model missing", [](Json& j) { j.erase("model"); }, "corrupt", "\"model\" is missing"},
      {"merge unknown", [](Json& j) { j["model"]["merges"].push_back("q q"); }, "corrupt",
       "\"qq\", which the vocabulary"},
      {"merge of three", [](Json& j) { j["model"]["merges"].push_back("h e l"); }, "corrupt",
       "a merge is two tokens"},
      {"merge of one", [](Json& j) { j["model"]["merges"].push_back("h"); }, "corrupt",
       "a merge is two tokens"},
      {"pair of three",
       [](Json& j) {
         j["model"]["merges"].push_back({"h", "e", "l"});
       },
       "corrupt", "no pair"},
      {"pair of one", [](Json& j) { j["model"]["merges"].push_back(Json::array({"h"})); }, "corrupt",
       "no pair"},
      {"pair of numbers",
       [](Json& j) {
         j["model"]["merges"].push_back({1, 2});
       },
       "corrupt", "must be two tokens"},
      {"pair nested",
       [](Json& j) {
         j["model"]["merges"].push_back({{"h", "e"}, "l"});
       },
       "corrupt", "two tokens"},
      {"merge a number", [](Json& j) { j["model"]["merges"].push_back(1); }, "corrupt", "must be two tokens"},
      {"merge not bytes", [](Json& j) { j["model"]["merges"].push_back("视 频"); }, "corrupt",
       "not spelled in bytes"},
      {"added twice", [](Json& j) { added(j, "<image>", 999); }, "corrupt", "has id 999 here"},
      {"added id taken", [](Json& j) { added(j, "<x>", 7); }, "corrupt",
       "id 7 is given to added token \"<x>\""},
      {"added id differs", [](Json& j) { added(j, "he", 999); }, "corrupt",
       "has id 999, but 256 in the vocabulary"},
      {"special forgeable", [](Json& j) { added(j, "he", 256); }, "unsupported", "text could forge it"},
      {"special one byte", [](Json& j) { added(j, "A", 65); }, "unsupported", "text could forge it"},
      {"merge into added", [](Json& j) { j["model"]["merges"].push_back("< image>"); }, "corrupt",
       "vocabulary lacks"},
      {"added id huge", [](Json& j) { added(j, "<x>", 10000001); }, "corrupt", "outside 0..10000000"},
      {"added empty", [](Json& j) { added(j, "", 999); }, "corrupt", "0 bytes"},
      {"added long", [](Json& j) { added(j, std::string(2000, 'x').c_str(), 999); }, "corrupt", "2000 bytes"},
      {"added a number", [](Json& j) { j["added_tokens"].push_back(3); }, "corrupt",
       "expected a JSON object"},
      {"added an object", [](Json& j) { j["added_tokens"] = Json::object(); }, "corrupt", "must be a list"},
      {"added strips", [](Json& j) { j["added_tokens"][0]["lstrip"] = true; }, "unsupported", "\"lstrip\""},
      {"flag a string", [](Json& j) { j["added_tokens"][0]["special"] = "yes"; }, "corrupt", "true or false"},
      {"other model", [](Json& j) { j["model"]["type"] = "WordPiece"; }, "unsupported", "WordPiece"},
      {"other normalizer", [](Json& j) { j["normalizer"]["type"] = "NFKC"; }, "unsupported", "NFKC"},
      {"other pattern", [](Json& j) { j["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "x+"; },
       "unsupported", "x+"},
      {"prefix space", [](Json& j) { j["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = true; },
       "unsupported", "add_prefix_space"},
      {"no pre-tokenizer", [](Json& j) { j.erase("pre_tokenizer"); }, "corrupt",
       "\"pre_tokenizer\" is missing"},
      {"BOS put around", [](Json& j) { j["post_processor"]["type"] = "TemplateProcessing"; }, "unsupported",
       "Template"},
      {"dropout", [](Json& j) { j["model"]["dropout"] = 0.1; }, "unsupported", "dropout"},
      {"a list", [](Json& j) { j = Json::array(); }, "corrupt", "expected a JSON object"},
      {"a number", [](Json& j) { j = 5; }, "corrupt", "expected a JSON object"},
  };
  for (const Broken& broken : table) {
    Json json = tiny_tokenizer_json();
    broken.damage(json);
    const TempDir dir;
    dir.write("tokenizer.json", json.dump());
    const std::string error = load_error(dir);
    EXPECT_TRUE(error.starts_with(broken.code)) << broken.name << ": " << error;
    EXPECT_NE(error.find(broken.says), std::string::npos) << broken.name << ": " << error;
    EXPECT_NE(error.find("tokenizer.json"), std::string::npos) << broken.name << ": " << error;
  }
}

TEST(TokenizerFiles, TruncatedAtAnyByteIsOneError) {
  const std::string whole = tiny_tokenizer_json().dump();
  const TempDir dir;
  for (size_t size = 0; size < whole.size(); size += 61) {
    dir.write("tokenizer.json", whole.substr(0, size));
    EXPECT_NE(load_error(dir).find("not valid JSON"), std::string::npos) << size;
  }
}

TEST(TokenizerFiles, RefusesDepthAndBrokenUtf8) {
  const TempDir dir;
  dir.write("tokenizer.json", std::string(100'000, '['));
  EXPECT_NE(load_error(dir).find("nested deeper than"), std::string::npos);
  dir.write("tokenizer.json", "{\"model\": {\"vocab\": {\"\xff\": 1}}}");
  EXPECT_NE(load_error(dir).find("not valid JSON"), std::string::npos);
}

TEST(TokenizerFiles, SaysWhichFilesAreMissing) {
  const TempDir dir;
  EXPECT_NE(load_error(dir).find("no tokenizer.json, nor vocab.json with merges.txt"), std::string::npos);
  dir.write("vocab.json", "{}");
  EXPECT_TRUE(load_error(dir).starts_with("not found"));
  EXPECT_TRUE(error_of([] { Tokenizer::load("/nonexistent"); }).starts_with("not found"));
}

// The same tokenizer as files of the older kind.
class VocabAndMerges : public testing::Test {
 protected:
  VocabAndMerges() {
    const Json json = tiny_tokenizer_json();
    dir_.write("vocab.json", json["model"]["vocab"].dump());
    dir_.write("merges.txt", "#version: 0.2\nh e\r\nl l\nhe ll\n");
    Json added = Json::object();
    for (const Json& token : json["added_tokens"]) added[token["content"].get<std::string>()] = token["id"];
    dir_.write("added_tokens.json", added.dump());
  }
  TempDir dir_;
};

TEST_F(VocabAndMerges, EqualTokenizerJson) {
  const Tokenizer a = Tokenizer::load(dir_.path());
  const Tokenizer b = test::tiny_tokenizer();
  EXPECT_EQ(a.vocab_size(), b.vocab_size());
  for (int64_t id = 0; id < a.vocab_size(); ++id) {
    EXPECT_EQ(a.token_bytes(id), b.token_bytes(id));
    EXPECT_EQ(a.is_special(id), b.is_special(id)) << a.token_bytes(id);
  }
  EXPECT_EQ(a.encode("hello<image> hell"), b.encode("hello<image> hell"));
}

TEST_F(VocabAndMerges, TokenizerConfigSaysWhatIsSpecial) {
  dir_.write("tokenizer_config.json",
             R"({"added_tokens_decoder": {"262": {"content": "<tool_call>", "special": true},
                                          "300": {"content": "<new>", "special": false}}})");
  const Tokenizer tokenizer = Tokenizer::load(dir_.path());
  EXPECT_TRUE(tokenizer.is_special(262));
  EXPECT_EQ(tokenizer.encode("<new>"), std::vector<int64_t>{300});
  EXPECT_FALSE(tokenizer.is_special(300));
}

TEST_F(VocabAndMerges, BrokenOnesHaveTheirErrors) {
  const std::vector<std::array<std::string, 3>> table = {
      {"merges.txt", "#version: 0.2\nh e l\n", "merges.txt line 2: a merge is two tokens"},
      {"merges.txt", "q q\n", "merge 0 names the token \"qq\""},
      {"vocab.json", "[1]", "no vocabulary"},
      {"vocab.json", "{\"a\": 1", "not valid JSON"},
      {"added_tokens.json", "{\"<x>\": -4}", "\"<x>\" is -4"},
      {"added_tokens.json", "{\"<x>\": \"4\"}", "must be an integer"},
      {"added_tokens.json", "[]", "expected a JSON object"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"x1": {}}})", "\"x1\" is no token id"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"99999999999999999999": {}}})",
       "is no token id"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"300": {"content": 5}}})", "must be a string"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"5": {"content": "<x>"}}})", "id 5 is given to"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": 5})", "expected a JSON object"},
  };
  for (const auto& [file, content, says] : table) {
    const std::string before = std::filesystem::exists(dir_ / file) ? read_file(dir_ / file, 1 << 20) : "";
    dir_.write(file, content);
    EXPECT_NE(load_error(dir_).find(says), std::string::npos) << content << ": " << load_error(dir_);
    if (before.empty()) {
      std::filesystem::remove(dir_ / file);
    } else {
      dir_.write(file, before);
    }
  }
}

}  // namespace
}  // namespace vl3::text
