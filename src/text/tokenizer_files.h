// The contents of a checkpoint folder's tokenizer files, checked but not yet indexed. See Tokenizer::load().
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace vl3::text {

inline constexpr int64_t kMaxTokenId = 10'000'000;
inline constexpr uint64_t kMaxTokenizerFileBytes = 256ull << 20;

struct AddedToken {
  int64_t id = 0;
  bool special = false;  ///< left out by skip_special_tokens
};

struct TokenizerFiles {
  std::filesystem::path path;  ///< the main file, for messages
  /// Spelled in the byte alphabet, as the file has them, with their ids in 0..kMaxTokenId.
  std::vector<std::pair<std::string, int64_t>> vocab;
  /// Pairs in rank order, spelled likewise.
  std::vector<std::pair<std::string, std::string>> merges;
  std::map<std::string, AddedToken> added;  ///< by content
  bool nfc = true;
  bool ignore_merges = false;  ///< a word that is a token whole is taken whole
};

/// tokenizer.json if there is one, else vocab.json and merges.txt; then added_tokens.json and the
/// added_tokens_decoder of tokenizer_config.json, where present.
/// @throws Error(kNotFound), Error(kCorrupt), Error(kUnsupported) for another kind of tokenizer than Qwen2's.
TokenizerFiles read_tokenizer_files(const std::filesystem::path& dir);

/// Parses a whole tokenizer.json (`vocab_only` false) or a vocab.json (true) into `files`. The large tables
/// are streamed, not built as a JSON tree: a 7 MB file takes a tenth of a second.
void parse_tokenizer_json(std::string_view content, bool vocab_only, TokenizerFiles* files);

/// Splits "a b" of a merges list. @throws Error(kCorrupt).
std::pair<std::string, std::string> parse_merge(std::string_view line, const std::string& where);

/// Adds the token that a `{"content", "special", …}` object describes. @throws Error(kCorrupt),
/// Error(kUnsupported) for matching rules that Qwen2's tokens do not use.
void add_token(const JsonView& token, int64_t id, TokenizerFiles* files);

/// Adds an added token. A second mention (another file) must give the same id; the first one's flag stays.
/// @throws Error(kCorrupt).
void add_token(const std::string& content, AddedToken token, const std::string& where, TokenizerFiles* files);

}  // namespace vl3::text
