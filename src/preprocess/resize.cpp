#include "preprocess/resize.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/check.h"
#include "preprocess/bicubic_weights.h"
#include "preprocess/resize_kernels.h"
#include "preprocess/target_size.h"

namespace vl3::preprocess {
namespace {

int64_t checked_bytes(Size size, size_t found, const char* what) {
  VL3_CHECK(size.height >= 1 && size.height <= kMaxSide && size.width >= 1 && size.width <= kMaxSide,
            kInvalidArgument, "resize: the {} has {}x{} pixels; each side must be 1..{}", what, size.width,
            size.height, kMaxSide);
  const int64_t bytes = size.height * size.width * 3;
  VL3_CHECK(found == static_cast<size_t>(bytes), kInvalidArgument,
            "resize: the {} of {}x{} pixels needs {} bytes, its buffer has {}", what, size.width, size.height,
            bytes, found);
  return bytes;
}

/// Note: order of the passes. Pillow's `Image.resize` shrinks pictures more than 100 times as high as wide
/// vertically first (the intermediate bytes differ, so the result does too); all others go horizontally
/// first.
bool vertical_first(Size in, Size out) { return in.height > in.width * 100 && out.height < in.height; }

/// The horizontally filtered rows the vertical pass still needs, in a ring; row r lies in slot r % slots.
/// With an unchanged width the rows are those of the source and nothing is stored.
class FilteredRows {
 public:
  /// @param window  rows one output row may look back over.
  FilteredRows(const uint8_t* rgb, Size in, int64_t out_width, int64_t window)
      : rgb_(rgb), in_(in), row_bytes_(out_width * 3) {
    if (out_width == in.width) return;
    table_ = bicubic_weights(in.width, out_width);
    slots_ = std::min(window + kRowLanes, in.height);
    ring_.resize(static_cast<size_t>(slots_ * row_bytes_));
    columns_.resize(static_cast<size_t>(in.width * 3 * kRowLanes));
    filtered_.resize(static_cast<size_t>(row_bytes_ * kRowLanes));
    spare_.resize(static_cast<size_t>(row_bytes_));
  }

  /// Makes rows below `end` available; rows before `end - window` may go.
  void advance(int64_t end) {
    while (table_ && done_ < end) filter_block();
  }

  const uint8_t* row(int64_t r) const {
    return table_ ? ring_.data() + r % slots_ * row_bytes_ : rgb_ + r * in_.width * 3;
  }

 private:
  void filter_block() {
    std::array<const uint8_t*, kRowLanes> from;
    std::array<uint8_t*, kRowLanes> to;
    for (int64_t lane = 0; lane < kRowLanes; ++lane) {
      const int64_t r = done_ + lane;
      from[static_cast<size_t>(lane)] = rgb_ + std::min(r, in_.height - 1) * in_.width * 3;
      to[static_cast<size_t>(lane)] = r < in_.height ? ring_.data() + r % slots_ * row_bytes_ : spare_.data();
    }
    rows_to_columns(from.data(), in_.width * 3, columns_.data());
    resize_kernels().filter_columns(columns_.data(), *table_, filtered_.data());
    columns_to_rows(filtered_.data(), row_bytes_, to.data());
    done_ += kRowLanes;
  }

  const uint8_t* rgb_;
  Size in_;
  int64_t row_bytes_;
  std::shared_ptr<const BicubicWeights> table_;
  int64_t slots_ = 0;
  int64_t done_ = 0;
  std::vector<uint8_t> ring_;      // [slots, out_width * 3]
  std::vector<uint8_t> columns_;   // [in_width * 3, kRowLanes]
  std::vector<uint8_t> filtered_;  // [out_width * 3, kRowLanes]
  std::vector<uint8_t> spare_;     // where lanes past the last row go
};

uint8_t filter_sample(const uint8_t* samples, int64_t stride, const BicubicWeights& table, int64_t output) {
  const auto [first, count] = table.windows[static_cast<size_t>(output)];
  int32_t sum = 1 << (kWeightBits - 1);
  for (int64_t j = 0; j < count; ++j) sum += samples[(first + j) * stride] * table.row(output)[j];
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

}  // namespace

void resize_bicubic(std::span<const uint8_t> rgb, Size in, std::span<uint8_t> resized, Size out) {
  checked_bytes(in, rgb.size(), "picture");
  checked_bytes(out, resized.size(), "result");
  if (vertical_first(in, out) && in.width != out.width) {
    const Size lower{out.height, in.width};
    return resize_bicubic(resize_bicubic(rgb, in, lower), lower, resized, out);
  }
  const int64_t row_bytes = out.width * 3;
  if (in.height == out.height) {
    FilteredRows rows(rgb.data(), in, out.width, kRowLanes);
    for (int64_t y = 0; y < out.height; ++y) {
      rows.advance(y + 1);
      std::memcpy(resized.data() + y * row_bytes, rows.row(y), static_cast<size_t>(row_bytes));
    }
    return;
  }
  const auto table = bicubic_weights(in.height, out.height);
  FilteredRows rows(rgb.data(), in, out.width, table->max_count);
  std::vector<const uint8_t*> window(static_cast<size_t>(table->max_count));
  for (int64_t y = 0; y < out.height; ++y) {
    const auto [first, count] = table->windows[static_cast<size_t>(y)];
    rows.advance(first + count);
    for (int32_t j = 0; j < count; ++j) window[static_cast<size_t>(j)] = rows.row(first + j);
    resize_kernels().filter_rows(window.data(), table->row(y), count, row_bytes,
                                 resized.data() + y * row_bytes);
  }
}

std::vector<uint8_t> resize_bicubic(std::span<const uint8_t> rgb, Size in, Size out) {
  VL3_CHECK(out.height >= 1 && out.height <= kMaxSide && out.width >= 1 && out.width <= kMaxSide,
            kInvalidArgument, "resize: the result has {}x{} pixels; each side must be 1..{}", out.width,
            out.height, kMaxSide);
  std::vector<uint8_t> resized(static_cast<size_t>(out.height * out.width * 3));
  resize_bicubic(rgb, in, resized, out);
  return resized;
}

std::vector<uint8_t> resize_bicubic_plain(std::span<const uint8_t> rgb, Size in, Size out) {
  checked_bytes(in, rgb.size(), "picture");
  if (vertical_first(in, out) && in.width != out.width) {
    const Size lower{out.height, in.width};
    return resize_bicubic_plain(resize_bicubic_plain(rgb, in, lower), lower, out);
  }
  std::vector<uint8_t> wide(rgb.begin(), rgb.end());
  if (in.width != out.width) {
    const BicubicWeights table = make_bicubic_weights(in.width, out.width);
    wide.resize(static_cast<size_t>(in.height * out.width * 3));
    for (int64_t i = 0; i < std::ssize(wide); ++i) {
      const int64_t y = i / (out.width * 3);
      const int64_t x = i / 3 % out.width;
      wide[static_cast<size_t>(i)] = filter_sample(rgb.data() + y * in.width * 3 + i % 3, 3, table, x);
    }
  }
  if (in.height == out.height) return wide;
  const BicubicWeights table = make_bicubic_weights(in.height, out.height);
  std::vector<uint8_t> resized(static_cast<size_t>(out.height * out.width * 3));
  for (int64_t i = 0; i < std::ssize(resized); ++i) {
    const int64_t row_bytes = out.width * 3;
    resized[static_cast<size_t>(i)] =
        filter_sample(wide.data() + i % row_bytes, row_bytes, table, i / row_bytes);
  }
  return resized;
}

}  // namespace vl3::preprocess
