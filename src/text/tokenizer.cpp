#include "text/tokenizer.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer_files.h"
#include "text/utf8.h"

namespace vl3::text {

// Turns checked files into the tables of a Tokenizer.
class TokenizerBuilder {
 public:
  explicit TokenizerBuilder(TokenizerFiles files) : files_(std::move(files)), where_(files_.path.string()) {}

  Tokenizer build() {
    int64_t max_id = 0;
    for (const auto& [spelled, id] : files_.vocab) max_id = std::max(max_id, id);
    for (const auto& [content, token] : files_.added) max_id = std::max(max_id, token.id);
    tokens_.resize(static_cast<size_t>(max_id) + 1);
    kinds_.resize(tokens_.size(), Kind::kAbsent);
    ids_.reserve(files_.vocab.size() + files_.added.size());
    for (const auto& [spelled, id] : files_.vocab) place_base(spelled, id);
    const std::array<int32_t, 256> bytes = byte_ids();
    std::vector<BpeMerge> merged = merges();  // before the added tokens: merges name the vocabulary only
    for (const auto& [content, token] : files_.added) place_added(content, token);
    for (const int32_t id : bytes) refuse_forgeable(id);
    for (const BpeMerge& merge : merged) refuse_forgeable(merge.result);
    Bpe bpe(bytes, std::move(merged), max_id);
    return Tokenizer(std::move(tokens_), std::move(kinds_), std::move(ids_), std::move(bpe), files_.nfc,
                     files_.ignore_merges);
  }

 private:
  using Kind = Tokenizer::Kind;

  void place_base(const std::string& spelled, int64_t id) {
    const auto at = static_cast<size_t>(id);
    VL3_CHECK(kinds_[at] == Kind::kAbsent, kCorrupt, "{}: id {} is given to \"{}\" and to \"{}\"", where_, id,
              to_byte_alphabet(tokens_[at]), spelled);
    std::optional<std::string> bytes = from_byte_alphabet(spelled);
    if (!bytes) {  // only an added token may be spelled as plain text
      VL3_CHECK(files_.added.contains(spelled), kCorrupt, "{}: token \"{}\" (id {}) is not spelled in bytes",
                where_, spelled, id);
      bytes = spelled;
    }
    tokens_[at] = std::move(*bytes);
    kinds_[at] = Kind::kOrdinary;
    const bool fresh = ids_.try_emplace(tokens_[at], static_cast<int32_t>(id)).second;
    VL3_CHECK(fresh && !spelled.empty(), kCorrupt, "{}: token \"{}\" is {}", where_, spelled,
              spelled.empty() ? "empty" : "listed twice");
  }

  // DIFFERS: the reference reads an added token's characters as byte letters when decoding, so that one with
  // "é" comes out broken; here its text is its text.
  void place_added(const std::string& content, const AddedToken& token) {
    const auto at = static_cast<size_t>(token.id);
    const auto base = ids_.find(content);
    VL3_CHECK(base == ids_.end() || base->second == token.id, kCorrupt,
              "{}: added token \"{}\" has id {}, but {} in the vocabulary", where_, content, token.id,
              base == ids_.end() ? 0 : base->second);
    VL3_CHECK(kinds_[at] == Kind::kAbsent || (kinds_[at] == Kind::kOrdinary && tokens_[at] == content),
              kCorrupt, "{}: id {} is given to added token \"{}\" and to \"{}\"", where_, token.id, content,
              to_byte_alphabet(tokens_[at]));
    if (kinds_[at] == Kind::kAbsent) {
      tokens_[at] = content;
      ids_.emplace(tokens_[at], static_cast<int32_t>(token.id));
    }
    kinds_[at] = token.special ? Kind::kSpecial : Kind::kAdded;
  }

  // A special token that ordinary text merges into could be written by any user.
  void refuse_forgeable(int32_t id) const {
    VL3_CHECK(kinds_[static_cast<size_t>(id)] != Kind::kSpecial, kUnsupported,
              "{}: special token \"{}\" (id {}) is also spelled by the merges, so that text could forge it",
              where_, to_byte_alphabet(tokens_[static_cast<size_t>(id)]), id);
  }

  std::array<int32_t, 256> byte_ids() const {
    std::array<int32_t, 256> ids{};
    for (int b = 0; b < 256; ++b) {
      const std::string byte(1, static_cast<char>(b));
      const auto it = ids_.find(byte);
      VL3_CHECK(it != ids_.end(), kCorrupt, "{}: the vocabulary has no token for the byte 0x{:02x} (\"{}\")",
                where_, b, to_byte_alphabet(byte));
      ids[static_cast<size_t>(b)] = it->second;
    }
    return ids;
  }

  int32_t id_of(const std::string& bytes, size_t rank) const {
    const auto it = ids_.find(bytes);
    VL3_CHECK(it != ids_.end(), kCorrupt, "{}: merge {} names the token \"{}\", which the vocabulary lacks",
              where_, rank, to_byte_alphabet(bytes));
    return it->second;
  }

  std::vector<BpeMerge> merges() const {
    VL3_CHECK(files_.merges.size() < INT32_MAX, kCorrupt, "{}: {} merges are too many", where_,
              files_.merges.size());
    std::vector<BpeMerge> merges;
    merges.reserve(files_.merges.size());
    for (const auto& [left, right] : files_.merges) {
      const size_t rank = merges.size();
      const std::optional<std::string> a = from_byte_alphabet(left);
      const std::optional<std::string> b = from_byte_alphabet(right);
      VL3_CHECK(a && b, kCorrupt, "{}: merge {} (\"{} {}\") is not spelled in bytes", where_, rank, left,
                right);
      merges.push_back({id_of(*a, rank), id_of(*b, rank), id_of(*a + *b, rank)});
    }
    return merges;
  }

  TokenizerFiles files_;
  std::string where_;
  std::vector<std::string> tokens_;
  std::vector<Kind> kinds_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_
};

Tokenizer::Tokenizer(std::vector<std::string> tokens, std::vector<Kind> kinds,
                     std::unordered_map<std::string_view, int32_t> ids, Bpe bpe, bool nfc, bool ignore_merges)
    : tokens_(std::move(tokens)),
      kinds_(std::move(kinds)),
      ids_(std::move(ids)),
      bpe_(std::move(bpe)),
      nfc_(nfc),
      ignore_merges_(ignore_merges) {
  for (int64_t id = 0; id < vocab_size(); ++id) {
    if (is_added(id)) added_.add(tokens_[static_cast<size_t>(id)], id);
  }
}

Tokenizer Tokenizer::load(const std::filesystem::path& dir) {
  return TokenizerBuilder(read_tokenizer_files(dir)).build();
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, std::span<const ByteRange> plain) const {
  const size_t invalid = find_invalid_utf8(text);
  VL3_CHECK(invalid == std::string_view::npos, kInvalidArgument,
            "the text is not UTF-8: byte 0x{:02x} at offset {}; convert it to UTF-8 first",
            static_cast<unsigned char>(text[invalid]), invalid);
  std::vector<ByteRange> ranges;
  for (const ByteRange& range : plain) {
    VL3_CHECK(range.begin <= range.end && range.end <= text.size(), kInvalidArgument,
              "plain range {}..{} lies outside a text of {} bytes", range.begin, range.end, text.size());
    if (range.begin < range.end) ranges.push_back(range);
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
  size_t kept = 0;
  for (const ByteRange& range : ranges) {  // joins the overlapping
    if (kept > 0 && range.begin <= ranges[kept - 1].end) {
      ranges[kept - 1].end = std::max(ranges[kept - 1].end, range.end);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);

  std::vector<int64_t> ids;
  size_t at = 0;
  std::span<const ByteRange> ahead(ranges);
  while (const auto match = added_.next(text, at, ahead)) {
    encode_stretch(text.substr(at, match->range.begin - at), &ids);
    ids.push_back(match->id);
    at = match->range.end;
    while (!ahead.empty() && ahead.front().end <= at) ahead = ahead.subspan(1);
  }
  encode_stretch(text.substr(at), &ids);
  return ids;
}

void Tokenizer::encode_stretch(std::string_view text, std::vector<int64_t>* ids) const {
  if (text.empty()) return;
  const std::string normal = nfc_ ? to_nfc(text) : std::string(text);
  for (const std::string_view word : pre_tokenizer_.split(normal)) {
    if (ignore_merges_) {
      const auto whole = ids_.find(word);
      if (whole != ids_.end() && kind(whole->second) == Kind::kOrdinary) {
        ids->push_back(whole->second);
        continue;
      }
    }
    bpe_.encode(word, ids);
  }
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
  std::string bytes;
  for (const int64_t id : ids) {
    if (!(skip_special_tokens && is_special(id))) bytes += token_bytes(id);
  }
  std::string text;
  text.reserve(bytes.size());
  append_utf8_lossy(bytes, true, &text);
  return text;
}

Tokenizer::Kind Tokenizer::kind(int64_t id) const {
  return id >= 0 && id < vocab_size() ? kinds_[static_cast<size_t>(id)] : Kind::kAbsent;
}

std::string_view Tokenizer::token_bytes(int64_t id) const {
  return kind(id) == Kind::kAbsent ? std::string_view() : std::string_view(tokens_[static_cast<size_t>(id)]);
}

std::vector<std::string> Tokenizer::all_token_bytes() const { return tokens_; }

std::optional<int64_t> Tokenizer::token_id(std::string_view bytes) const {
  const auto it = ids_.find(bytes);
  return it == ids_.end() ? std::nullopt : std::optional<int64_t>(it->second);
}

bool Tokenizer::is_special(int64_t id) const { return kind(id) == Kind::kSpecial; }

bool Tokenizer::is_added(int64_t id) const { return kind(id) == Kind::kAdded || kind(id) == Kind::kSpecial; }

}  // namespace vl3::text
