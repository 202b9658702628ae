#include "curate/line_reader.h"

#include <cstring>

namespace vl3::curate {

constexpr size_t kBlock = 256 << 10;

bool LineReader::fill() {
  buffer_.resize(kBlock);
  const size_t got = file_.read_some(read_, buffer_.data(), kBlock);
  buffer_.resize(got);
  read_ += got;
  at_ = 0;
  return got > 0;
}

bool LineReader::next(Line* line, bool with_text) {
  while (true) {
    bool any = false, blank = true;
    line->text.clear();
    line->length = 0;
    line->begin = read_ - (buffer_.size() - at_);
    while (at_ < buffer_.size() || fill()) {
      any = true;
      const char* begin = buffer_.data() + at_;
      const size_t left = buffer_.size() - at_;
      const auto* feed = static_cast<const char*>(std::memchr(begin, '\n', left));
      const size_t size = feed == nullptr ? left : static_cast<size_t>(feed - begin);
      for (size_t i = 0; blank && i < size; ++i)
        blank = begin[i] == ' ' || begin[i] == '\t' || begin[i] == '\r';
      line->length += size;
      if (with_text && line->length <= kMaxLine) line->text.append(begin, size);
      at_ += size + (feed == nullptr ? 0 : 1);
      if (feed != nullptr) break;
    }
    if (!any) return false;
    line->number = line_++;
    if (line->length > kMaxLine) line->text.clear();
    if (!blank) return true;
  }
}

}  // namespace vl3::curate
