// What happens to text before byte-pair merging: Unicode NFC, then the Qwen2 split into words. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vl3::text {

/// The split pattern of every Qwen2 tokenizer, as tokenizer.json spells it (spec "Tokenizer").
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// Canonical composition of well-formed UTF-8. O(n log n) also for endless runs of combining marks.
/// DIFFERS: the reference's tables are Unicode 9's, so that it does not reorder the 108 marks that came
/// later.
std::string to_nfc(std::string_view utf8);

/// Cuts by kQwen2Pattern; digits one at a time. Which characters are letters or numbers is PCRE2's Unicode
/// version: with 10.42 (Unicode 14) every character up to Unicode 14 is cut as the reference (Unicode 16)
/// cuts it.
class PreTokenizer {
 public:
  PreTokenizer();

  /// Views into `utf8` (well-formed), in order, nothing left out. Linear in its length.
  std::vector<std::string_view> split(std::string_view utf8) const;

 private:
  std::shared_ptr<void> code_;  // pcre2_code, JIT-compiled where the machine allows it
};

}  // namespace vl3::text
