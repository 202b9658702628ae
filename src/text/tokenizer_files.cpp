#include "text/tokenizer_files.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/check.h"
#include "core/file.h"
#include "core/json.h"

namespace vl3::text {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxAddedTokens = 100'000;
constexpr size_t kMaxAddedTokenBytes = 1024;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool special_by_name(std::string_view content) {
  // added_tokens.json alone carries no flags; then these of Qwen2.5's tokens are known not to be special
  // (spec "Tokenizer", 151657..151664).
  constexpr std::array<std::string_view, 8> kOrdinary = {"<tool_call>",    "</tool_call>",   "<|fim_prefix|>",
                                                         "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
                                                         "<|repo_name|>",  "<|file_sep|>"};
  return std::find(kOrdinary.begin(), kOrdinary.end(), content) == kOrdinary.end();
}

void read_merges_txt(const fs::path& path, TokenizerFiles* files) {
  const std::string content = read_file(path, kMaxTokenizerFileBytes);
  int64_t number = 0;
  for (size_t at = 0; at < content.size();) {
    const size_t end = std::min(content.find('\n', at), content.size());
    std::string_view line = std::string_view(content).substr(at, end - at);
    at = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    files->merges.push_back(parse_merge(line, fmt::format("{} line {}", path.string(), number)));
  }
}

void read_added_tokens_json(const fs::path& path, TokenizerFiles* files) {
  const Json json = read_json_file(path, kMaxTokenizerFileBytes);
  const JsonView view(json, path.string());
  for (const auto& [content, ignored] : json.items()) {
    add_token(content, {view.integer(content, 0, kMaxTokenId), special_by_name(content)}, path.string(),
              files);
  }
}

void read_tokenizer_config(const fs::path& path, TokenizerFiles* files) {
  const Json json = read_json_file(path, kMaxTokenizerFileBytes);
  const JsonView config(json, path.string());
  if (!config.has("added_tokens_decoder")) return;
  const JsonView decoder = config.object("added_tokens_decoder");
  for (const auto& [key, value] : decoder.json().items()) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    VL3_CHECK(error == std::errc() && end == key.data() + key.size() && id >= 0 && id <= kMaxTokenId,
              kCorrupt, "{}: \"{}\" is no token id in 0..{}", decoder.where(), key, kMaxTokenId);
    const JsonView token = decoder.object(key);
    add_token(token, id, files);
  }
}

}  // namespace

std::pair<std::string, std::string> parse_merge(std::string_view line, const std::string& where) {
  const size_t space = line.find(' ');
  VL3_CHECK(space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
                line.find(' ', space + 1) == std::string_view::npos,
            kCorrupt, "{}: a merge is two tokens with a space between, found \"{}\"", where,
            line.substr(0, 60));
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

void add_token(const JsonView& token, int64_t id, TokenizerFiles* files) {
  for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
    VL3_CHECK(!token.boolean_or(flag, false), kUnsupported, "{}: added tokens with \"{}\" are not supported",
              token.where(), flag);
  }
  add_token(token.string("content"), {id, token.boolean_or("special", false)}, token.where(), files);
}

void add_token(const std::string& content, AddedToken token, const std::string& where,
               TokenizerFiles* files) {
  VL3_CHECK(!content.empty() && content.size() <= kMaxAddedTokenBytes, kCorrupt,
            "{}: an added token has {} bytes, the limit is 1..{}", where, content.size(),
            kMaxAddedTokenBytes);
  const auto [known, fresh] = files->added.try_emplace(content, token);
  VL3_CHECK(fresh || known->second.id == token.id, kCorrupt,
            "{}: added token \"{}\" has id {} here and {} elsewhere", where, content, token.id,
            known->second.id);
  VL3_CHECK(files->added.size() <= kMaxAddedTokens, kCorrupt, "{}: more than {} added tokens", where,
            kMaxAddedTokens);
}

TokenizerFiles read_tokenizer_files(const fs::path& dir) {
  TokenizerFiles files;
  if (files.path = dir / "tokenizer.json"; is_there(files.path)) {
    parse_tokenizer_json(read_file(files.path, kMaxTokenizerFileBytes), false, &files);
  } else {
    files.path = dir / "vocab.json";
    const fs::path merges = dir / "merges.txt";
    VL3_CHECK(is_there(files.path) && is_there(merges), kNotFound,
              "{}: no tokenizer.json, nor vocab.json with merges.txt; is this a checkpoint folder?",
              dir.string());
    parse_tokenizer_json(read_file(files.path, kMaxTokenizerFileBytes), true, &files);
    read_merges_txt(merges, &files);
  }
  if (const fs::path path = dir / "tokenizer_config.json"; is_there(path))
    read_tokenizer_config(path, &files);
  if (const fs::path path = dir / "added_tokens.json"; is_there(path)) read_added_tokens_json(path, &files);
  return files;
}

}  // namespace vl3::text
