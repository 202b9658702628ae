// Turns ids that arrive one by one into text that can be printed at once. One per answer, one thread.
#pragma once

#include <cstdint>
#include <string>

namespace vl3::text {

class Tokenizer;

class StreamDecoder {
 public:
  /// @param tokenizer  must outlive the decoder.
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  /// The text that is certain now. A character whose bytes are not all there is held back; U+FFFD comes only
  /// when no further byte can complete it.
  std::string push(int64_t id);

  /// What was held back, as U+FFFD; the decoder is then empty. All pieces together are Tokenizer::decode(all
  /// ids).
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_tokens_;
  std::string held_;  // at most 3 bytes, the beginning of one character
};

}  // namespace vl3::text
