// tokenizer.json and vocab.json, read as a stream of JSON events: `model.vocab` and `model.merges` go
// straight into TokenizerFiles, everything else (a few kilobytes) into a tree that is checked at the end.
#include <nlohmann/json.hpp>
#include <optional>

#include "core/check.h"
#include "core/json.h"
#include "text/pretokenize.h"
#include "text/tokenizer_files.h"

namespace vl3::text {
namespace {

constexpr size_t kMaxDepth = 64;

class Reader : public nlohmann::json_sax<Json> {
 public:
  Reader(bool vocab_only, TokenizerFiles* files)
      : vocab_only_(vocab_only), where_(files->path.string()), files_(*files) {}

  const Json& rest() const { return root_; }

  bool null() override { return value(nullptr); }
  bool boolean(bool v) override { return value(v); }
  bool number_integer(number_integer_t v) override { return number(v < 0, 0, v); }
  bool number_unsigned(number_unsigned_t v) override { return number(false, v, v); }
  bool number_float(number_float_t v, const string_t&) override { return value(v); }
  bool binary(binary_t&) override { return true; }  // not in JSON text

  bool string(string_t& text) override {
    if (section_ == Section::kMerges) {
      files_.merges.push_back(parse_merge(text, where_ + ": model.merges"));
      return true;
    }
    if (section_ == Section::kPair) {
      VL3_CHECK(!text.empty() && pair_.size() < 2, kCorrupt, "{}: merge {} is no pair of two tokens", where_,
                files_.merges.size());
      pair_.push_back(std::move(text));
      return true;
    }
    return value(std::move(text));
  }

  bool key(string_t& name) override {
    key_ = std::move(name);
    if (open_.size() == 1) top_key_ = key_;
    return true;
  }

  bool start_object(size_t) override {
    if (section_ == Section::kNone && (vocab_only_ ? open_.empty() : in_model("vocab"))) {
      section_ = Section::kVocab;
      return true;
    }
    return start(Json::object());
  }

  bool start_array(size_t) override {
    if (section_ == Section::kNone && in_model("merges")) {
      section_ = Section::kMerges;
    } else if (section_ == Section::kMerges) {
      section_ = Section::kPair;
      pair_.clear();
    } else {
      return start(Json::array());
    }
    return true;
  }

  bool end_object() override { return end(); }

  bool end_array() override {
    if (section_ == Section::kPair) {
      VL3_CHECK(pair_.size() == 2, kCorrupt, "{}: merge {} is no pair of two tokens", where_,
                files_.merges.size());
      files_.merges.emplace_back(std::move(pair_[0]), std::move(pair_[1]));
      section_ = Section::kMerges;
      return true;
    }
    return end();
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) override {
    std::string reason = e.what();
    if (const size_t at = reason.find("] "); at != std::string::npos) reason = reason.substr(at + 2);
    VL3_FAIL(kCorrupt, "{}: not valid JSON: {}", where_, reason);
  }

 private:
  enum class Section { kNone, kVocab, kMerges, kPair };

  bool in_model(const char* name) const { return open_.size() == 2 && top_key_ == "model" && key_ == name; }

  bool number(bool negative, uint64_t id, Json v) {
    if (section_ != Section::kVocab) return value(std::move(v));
    VL3_CHECK(!negative && id <= kMaxTokenId, kCorrupt,
              "{}: vocabulary entry \"{}\" has id {}, outside 0..{}", where_, key_, v.dump(), kMaxTokenId);
    files_.vocab.emplace_back(std::move(key_), static_cast<int64_t>(id));
    return true;
  }

  bool value(Json v) {
    refuse_inside_sections(v);
    put(std::move(v));
    return true;
  }

  bool start(Json empty) {
    refuse_inside_sections(empty);
    VL3_CHECK(open_.size() < kMaxDepth, kCorrupt, "{}: JSON nested deeper than {} levels", where_, kMaxDepth);
    open_.push_back(put(std::move(empty)));
    return true;
  }

  bool end() {
    if (section_ == Section::kNone) {
      open_.pop_back();
    } else {
      section_ = Section::kNone;
    }
    return true;
  }

  void refuse_inside_sections(const Json& v) const {
    VL3_CHECK(section_ != Section::kVocab, kCorrupt,
              "{}: vocabulary entry \"{}\" must be an integer id, found {}", where_, key_, v.type_name());
    VL3_CHECK(section_ == Section::kNone, kCorrupt, "{}: merge {} must be two tokens, found {}", where_,
              files_.merges.size(), v.type_name());
  }

  Json* put(Json v) {
    if (open_.empty()) return &(root_ = std::move(v));
    Json& parent = *open_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(v));
    return &(parent[key_] = std::move(v));
  }

  const bool vocab_only_;
  const std::string where_;
  TokenizerFiles& files_;
  Section section_ = Section::kNone;
  std::vector<std::string> pair_;
  std::string top_key_;
  std::string key_;
  Json root_;
  std::vector<Json*> open_;
};

void expect(const JsonView& view, const std::string& key, std::initializer_list<Json> allowed) {
  const auto it = view.json().find(key);
  const Json found = it == view.json().end() ? Json() : *it;
  for (const Json& value : allowed) {
    if (found == value) return;
  }
  VL3_FAIL(kUnsupported, "{}: \"{}\" is {}; only Qwen2 tokenizers are supported", view.where(), key,
           found.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 60));
}

void expect_byte_level(const JsonView& view) {
  expect(view, "type", {"ByteLevel"});
  expect(view, "add_prefix_space", {false});
  expect(view, "use_regex", {false, nullptr});
}

// Anything this tokenizer would do differently from the file is refused, not ignored.
void check_pipeline(const JsonView& root, TokenizerFiles* files) {
  files->nfc = root.has("normalizer");
  if (files->nfc) expect(root.object("normalizer"), "type", {"NFC"});
  const JsonView pre = root.object("pre_tokenizer");
  expect(pre, "type", {"Sequence"});
  const Json& steps = pre.at("pretokenizers");
  VL3_CHECK(steps.is_array() && steps.size() == 2, kUnsupported,
            "{}: a split and a byte-level step are expected; only Qwen2 tokenizers are supported",
            pre.where());
  const JsonView split(steps[0], pre.where() + ": 0");
  expect(split, "type", {"Split"});
  expect(split, "behavior", {"Isolated"});
  expect(split, "invert", {false});
  expect(split.object("pattern"), "Regex", {kQwen2Pattern});
  expect_byte_level(JsonView(steps[1], pre.where() + ": 1"));
  if (root.has("post_processor")) expect(root.object("post_processor"), "type", {"ByteLevel"});
  expect(root.object("decoder"), "type", {"ByteLevel"});

  const JsonView model = root.object("model");
  expect(model, "type", {"BPE", nullptr});
  expect(model, "dropout", {nullptr, 0.0});
  expect(model, "unk_token", {nullptr});
  expect(model, "continuing_subword_prefix", {nullptr, ""});
  expect(model, "end_of_word_suffix", {nullptr, ""});
  expect(model, "byte_fallback", {false, nullptr});
  files->ignore_merges = model.boolean_or("ignore_merges", false);
}

}  // namespace

void parse_tokenizer_json(std::string_view content, bool vocab_only, TokenizerFiles* files) {
  Reader reader(vocab_only, files);
  Json::sax_parse(content, &reader);
  const std::string where = files->path.string();
  if (!vocab_only) {
    const JsonView root(reader.rest(), where);
    check_pipeline(root, files);
    if (root.has("added_tokens")) {
      const Json& added = root.at("added_tokens");
      VL3_CHECK(added.is_array(), kCorrupt, "{}: \"added_tokens\" must be a list", where);
      for (size_t i = 0; i < added.size(); ++i) {
        const JsonView token(added[i], fmt::format("{}: added_tokens: {}", where, i));
        add_token(token, token.integer("id", 0, kMaxTokenId), files);
      }
    }
  }
  VL3_CHECK(!files->vocab.empty(), kCorrupt, "{}: no vocabulary inside", where);
}

}  // namespace vl3::text
