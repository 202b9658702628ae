#include "text/stream_decoder.h"

#include <utility>

#include "text/tokenizer.h"
#include "text/utf8.h"

namespace vl3::text {

std::string StreamDecoder::push(int64_t id) {
  if (skip_special_tokens_ && tokenizer_.is_special(id)) return "";
  held_ += tokenizer_.token_bytes(id);
  std::string text;
  held_.erase(0, append_utf8_lossy(held_, false, &text));
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  append_utf8_lossy(std::exchange(held_, {}), true, &text);
  return text;
}

}  // namespace vl3::text
