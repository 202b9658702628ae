// Qwen2's byte-level BPE tokenizer: text to token ids and back, equal to the reference id by id.
// Immutable after load(); every method may be called from several threads at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/added_token_matcher.h"
#include "text/bpe.h"
#include "text/pretokenize.h"

namespace vl3::text {

class Tokenizer {
 public:
  /// Reads tokenizer.json, or vocab.json with merges.txt; added_tokens.json and tokenizer_config.json where
  /// present.
  /// @throws Error(kNotFound) for missing files, Error(kCorrupt) for broken or contradictory ones,
  ///   Error(kUnsupported) for a tokenizer of another kind.
  static Tokenizer load(const std::filesystem::path& dir);

  Tokenizer(Tokenizer&&) = default;
  Tokenizer& operator=(Tokenizer&&) = default;

  // ---- text to ids

  /// Added tokens ("<|im_end|>") are recognised wherever they stand. No BOS or EOS is put around.
  /// @throws Error(kInvalidArgument) for text that is not UTF-8.
  std::vector<int64_t> encode(std::string_view text) const { return encode(text, {}); }

  /// The same, but an added token that would overlap a `plain` byte range is ordinary text: what users wrote
  /// cannot forge one. Ranges may come in any order. Words still form across the ranges' borders, as in
  /// encode(text).
  std::vector<int64_t> encode(std::string_view text, std::span<const ByteRange> plain) const;

  // ---- ids to text

  /// Ill-formed UTF-8 becomes U+FFFD; ids without text (also outside 0..vocab_size()-1) are empty.
  /// @param skip_special_tokens  leaves out the added tokens marked special.
  std::string decode(std::span<const int64_t> ids, bool skip_special_tokens) const;

  /// The bytes an id stands for, perhaps part of a character; "" for ids without text.
  std::string_view token_bytes(int64_t id) const;

  /// token_bytes() of 0..vocab_size()-1, for constraint compilers.
  std::vector<std::string> all_token_bytes() const;

  // ---- about tokens

  /// Id of the token with exactly these bytes; "<image>", " the".
  std::optional<int64_t> token_id(std::string_view bytes) const;
  int64_t vocab_size() const { return static_cast<int64_t>(tokens_.size()); }  ///< largest id + 1
  bool is_special(int64_t id) const;  ///< an added token that skip_special_tokens leaves out
  bool is_added(int64_t id) const;

 private:
  enum class Kind : uint8_t { kAbsent, kOrdinary, kAdded, kSpecial };

  Tokenizer(std::vector<std::string> tokens, std::vector<Kind> kinds,
            std::unordered_map<std::string_view, int32_t> ids, Bpe bpe, bool nfc, bool ignore_merges);
  Kind kind(int64_t id) const;
  void encode_stretch(std::string_view text, std::vector<int64_t>* ids) const;

  friend class TokenizerBuilder;

  std::vector<std::string> tokens_;  // raw bytes by id; never resized
  std::vector<Kind> kinds_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_
  AddedTokenMatcher added_;
  PreTokenizer pre_tokenizer_;
  Bpe bpe_;
  bool nfc_;
  bool ignore_merges_;
};

}  // namespace vl3::text
