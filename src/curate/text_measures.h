// What a caption's characters say: length, repetition, symbols, and the template it is made from. Pure
// functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vl3::curate {

struct TextMeasures {
  int64_t chars = 0;        ///< code points, white space at the ends left out
  int64_t words = 0;        ///< between white space
  double repetition = 0;    ///< share of words that the commonest pair of neighbours takes; 0 below 8 words
  double symbol_share = 0;  ///< of code points that are no letter, mark, number, space or punctuation
  int64_t controls = 0;     ///< control and formatting characters but line feed and tab; also U+FFFD
  bool has_media_tag = false;  ///< "<image>", "<video>", "<|im_start|>": would break a training sample
};

/// @param caption  UTF-8.
TextMeasures measure_text(std::string_view caption);

/// Whether the text can stand in a training sample as it is: no control characters, no media tags.
bool is_clean(const TextMeasures& measures);

/// Where `phrase` stands in `text` as whole words: neither end within a word. Scripts that are written
/// without spaces have no words to cut.
/// @param from  byte offset. @return byte offset; npos.
size_t find_words(std::string_view text, std::string_view phrase, size_t from);

/// The caption in lower case, digits as one '#', white space as one blank: captions that a program filled in
/// are equal.
std::string caption_template(std::string_view caption);

}  // namespace vl3::curate
