#include "weights/tokenizer_convert.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "core/check.h"
#include "core/file.h"
#include "weights/config_files.h"
#include "weights/config_writer.h"

namespace vl3::weights {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxTokenizerBytes = 64ull << 20;
constexpr int64_t kMaxTokenId = 10'000'000;
constexpr const char* kRemoteTokens[] = {"<image>", "<|stream_start|>", "<|stream_end|>"};
constexpr const char* kCopied[] = {"vocab.json", "merges.txt", "special_tokens_map.json"};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::optional<Json> read(const fs::path& file) {
  if (!is_there(file)) return std::nullopt;
  Json json = read_json_file(file, kMaxTokenizerBytes);
  JsonView check(json, file.string());
  return json;
}

int64_t token_id(const Json& value, const std::string& where) {
  const Json one = {{"id", value}};
  return JsonView(one, where).integer("id", 0, kMaxTokenId);
}

// The files of a folder that name token ids, and what they say together.
class Tokens {
 public:
  explicit Tokens(const fs::path& dir)
      : tokenizer(read(dir / "tokenizer.json")),
        added_file(read(dir / "added_tokens.json")),
        config(read(dir / "tokenizer_config.json")),
        dir_(dir) {
    if (tokenizer) read_tokenizer();
    if (added_file) {
      const std::string where = (dir / "added_tokens.json").string();
      for (const auto& item : added_file->items()) add(item.key(), token_id(item.value(), where), where);
    }
    if (config && config->contains("added_tokens_decoder")) read_decoder();
    if (!tokenizer && is_there(dir / "vocab.json")) {
      const Json vocab = *read(dir / "vocab.json");
      count_vocab(vocab, (dir / "vocab.json").string());
    }
  }

  bool present() const { return next_free_ > 0; }
  int64_t next_free() const { return next_free_; }
  const std::map<std::string, int64_t>& added() const { return added_; }

  void add(const std::string& content, int64_t id, const std::string& where) {
    const auto [it, is_new] = added_.emplace(content, id);
    VL3_CHECK(it->second == id, kCorrupt, "{}: token \"{:.60}\" has id {}, another file says {}", where,
              content, id, it->second);
    next_free_ = std::max(next_free_, id + 1);
  }

  std::optional<Json> tokenizer, added_file, config;

 private:
  void count_vocab(const Json& vocab, const std::string& where) {
    VL3_CHECK(vocab.is_object(), kCorrupt, "{}: the vocabulary is not an object", where);
    for (const auto& item : vocab.items())
      next_free_ = std::max(next_free_, token_id(item.value(), where) + 1);
  }

  void read_tokenizer() {
    const std::string where = (dir_ / "tokenizer.json").string();
    count_vocab(JsonView(*tokenizer, where).object("model").at("vocab"), where + ": model: vocab");
    if (!tokenizer->contains("added_tokens")) (*tokenizer)["added_tokens"] = Json::array();
    const Json& list = (*tokenizer)["added_tokens"];
    VL3_CHECK(list.is_array(), kCorrupt, "{}: \"added_tokens\" is not a list", where);
    for (const Json& item : list) {
      const JsonView token(item, where + ": added_tokens");
      add(token.string("content"), token.integer("id", 0, kMaxTokenId), token.where());
    }
  }

  void read_decoder() {
    const JsonView decoder =
        JsonView(*config, (dir_ / "tokenizer_config.json").string()).object("added_tokens_decoder");
    for (const auto& item : decoder.json().items()) {
      const std::string& key = item.key();
      VL3_CHECK(!key.empty() && key.size() <= 8 && key.find_first_not_of("0123456789") == std::string::npos,
                kCorrupt, "{}: \"{:.60}\" is not a token id", decoder.where(), key);
      add(JsonView(item.value(), decoder.where()).string("content"), std::stoll(key), decoder.where());
    }
  }

  fs::path dir_;
  std::map<std::string, int64_t> added_;
  int64_t next_free_ = 0;
};

int64_t required_id(const Tokens& tokens, const char* content, int64_t rows, const fs::path& dir) {
  const auto it = tokens.added().find(content);
  VL3_CHECK(it != tokens.added().end(), kUnsupported, "{}: the tokenizer has no token {}", dir.string(),
            content);
  VL3_CHECK(it->second < rows, kUnsupported, "{}: token {} has id {}, but the embedding only {} rows",
            dir.string(), content, it->second, rows);
  return it->second;
}

// @return whether a token was added to the files in memory.
bool add_remote_tokens(Tokens* tokens) {
  bool changed = false;
  for (const char* content : kRemoteTokens) {
    if (tokens->added().count(content) > 0) continue;
    const int64_t id = tokens->next_free();
    tokens->add(content, id, "remote tokens");
    Json token = {{"content", content}, {"lstrip", false},      {"normalized", false},
                  {"rstrip", false},    {"single_word", false}, {"special", true}};
    if (tokens->config) (*tokens->config)["added_tokens_decoder"][std::to_string(id)] = token;
    token["id"] = id;
    if (tokens->tokenizer) (*tokens->tokenizer)["added_tokens"].push_back(token);
    changed = true;
  }
  return changed;
}

void copy(const fs::path& source, const fs::path& out, const char* name) {
  if (is_there(source / name))
    write_file_atomically(out / name, read_file(source / name, kMaxTokenizerBytes));
}

// The files of another layout. @param add  the three tokens that the remote layout has on top.
PlaceholderIds write_tokenizer(const fs::path& source, const fs::path& out, Flow to, bool add,
                               int64_t embedding_rows) {
  Tokens tokens(source);
  VL3_CHECK(tokens.present(), kNotFound,
            "{}: no tokenizer.json or vocab.json here; the ids of the {} placeholders cannot be known",
            source.string(), flow_name(to));
  for (const char* name : kCopied) copy(source, out, name);
  if (add && add_remote_tokens(&tokens)) {
    if (tokens.tokenizer) write_file_atomically(out / "tokenizer.json", tokens.tokenizer->dump());
    write_json_file(out / "added_tokens.json", tokens.added());
  } else {
    copy(source, out, "tokenizer.json");
    copy(source, out, "added_tokens.json");
  }
  if (tokens.config) {
    // The template written beside it and the layout's own processor are meant, not those of the source.
    tokens.config->erase("auto_map");
    tokens.config->erase("chat_template");
    if (tokens.config->contains("processor_class")) {
      (*tokens.config)["processor_class"] =
          to == Flow::kRemote ? "Videollama3Qwen2Processor" : "VideoLlama3Processor";
    }
    write_json_file(out / "tokenizer_config.json", *tokens.config);
  }
  if (add) {
    for (const char* content : kRemoteTokens) required_id(tokens, content, embedding_rows, source);
  }
  if (to == Flow::kRemote) {
    const int64_t image = required_id(tokens, "<image>", embedding_rows, source);
    return {image, image};
  }
  return {required_id(tokens, "<|image_pad|>", embedding_rows, source),
          required_id(tokens, "<|video_pad|>", embedding_rows, source)};
}

}  // namespace

PlaceholderIds convert_tokenizer(const fs::path& source, const fs::path& out, Flow from, Flow to,
                                 int64_t embedding_rows) {
  if (from == to) {
    const Tokens check(source);  // refuses malformed files
    for (const char* name : kCopied) copy(source, out, name);
    for (const char* name : {"tokenizer.json", "added_tokens.json", "tokenizer_config.json"}) {
      copy(source, out, name);
    }
    return {};
  }
  return write_tokenizer(source, out, to, to == Flow::kRemote, embedding_rows);
}

PlaceholderIds extend_tokenizer(const fs::path& source, const fs::path& out, Flow to,
                                int64_t embedding_rows) {
  return write_tokenizer(source, out, to, /*add=*/true, embedding_rows);
}

}  // namespace vl3::weights
