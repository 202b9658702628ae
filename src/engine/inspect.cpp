#include "engine/inspect.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"
#include "engine/prune_scan.h"
#include "media/png_writer.h"

namespace vl3::engine {
namespace {

constexpr int64_t kMaxSheetPixels = 64'000'000;
constexpr int64_t kGap = 6;

using media::Frame;

void set_pixel(Frame& picture, int64_t y, int64_t x, std::array<uint8_t, 3> colour) {
  std::copy(colour.begin(), colour.end(), picture.rgb.begin() + (y * picture.width + x) * 3);
}

// One frame with the borders of its tokens; a dropped token is dimmed and crossed by a red diagonal.
Frame draw_frame(const preprocess::PatchBatch& batch, std::span<const uint8_t> mask) {
  const preprocess::Size size = batch.frame_size();
  Frame picture;
  picture.height = static_cast<int>(size.height);
  picture.width = static_cast<int>(size.width);
  picture.rgb.resize(static_cast<size_t>(size.height * size.width * 3));
  preprocess::unpatchify(batch.patches_u8, size, batch.patch_size, batch.merge, picture.rgb);
  const int64_t side = batch.patch_size * batch.merge, columns = batch.grid.w / batch.merge;
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      const bool kept = mask[static_cast<size_t>(y / side * columns + x / side)] != 0;
      uint8_t* pixel = picture.rgb.data() + (y * size.width + x) * 3;
      if (!kept) {
        for (int c = 0; c < 3; ++c) pixel[c] = static_cast<uint8_t>(pixel[c] / 3);
        if (y % side == x % side) set_pixel(picture, y, x, {220, 40, 40});
      }
      if (y % side == 0 || x % side == 0) {
        for (int c = 0; c < 3; ++c) pixel[c] = static_cast<uint8_t>((pixel[c] + 255) / 2);
      }
    }
  }
  return picture;
}

Frame contact_sheet(const std::vector<Frame>& frames) {
  int64_t height = 1, width = 1;
  for (const Frame& frame : frames) {
    height = std::max<int64_t>(height, frame.height);
    width = std::max<int64_t>(width, frame.width);
  }
  const auto count = static_cast<int64_t>(frames.size());
  const auto columns = static_cast<int64_t>(std::ceil(
      std::sqrt(static_cast<double>(count) * static_cast<double>(height) / static_cast<double>(width))));
  const int64_t rows = (count + columns - 1) / columns;
  Frame sheet;
  sheet.height = static_cast<int>(rows * (height + kGap) + kGap);
  sheet.width = static_cast<int>(columns * (width + kGap) + kGap);
  sheet.rgb.assign(static_cast<size_t>(sheet.height) * static_cast<size_t>(sheet.width) * 3, 245);
  for (int64_t i = 0; i < count; ++i) {
    const Frame& frame = frames[static_cast<size_t>(i)];
    const int64_t top = kGap + i / columns * (height + kGap), left = kGap + i % columns * (width + kGap);
    for (int64_t y = 0; y < frame.height; ++y) {
      std::copy_n(frame.rgb.begin() + y * frame.width * 3, frame.width * 3,
                  sheet.rgb.begin() + ((top + y) * sheet.width + left) * 3);
    }
  }
  return sheet;
}

OrderedJson mask_rows(std::span<const uint8_t> mask, int64_t columns) {
  OrderedJson rows = OrderedJson::array();
  for (size_t begin = 0; begin < mask.size(); begin += static_cast<size_t>(columns)) {
    std::string row;
    for (int64_t x = 0; x < columns; ++x) row += mask[begin + static_cast<size_t>(x)] != 0 ? '#' : '.';
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

Inspection inspect(const Runtime& runtime, const Conversation& conversation, const AskOptions& options) {
  const Request request = make_request(runtime, conversation, options);
  VL3_CHECK(!request.media.empty(), kInvalidArgument, "nothing to inspect: give an image or a video");
  int64_t pixels = 0;
  for (const preprocess::MediumPlan& plan : request.plan.media)
    pixels += plan.grid.t * plan.size.height * plan.size.width;
  VL3_CHECK(pixels <= kMaxSheetPixels, kResourceExhausted,
            "the picture would have {} megapixels, the limit is {}; use --max-frames or --max-visual-tokens",
            pixels / 1'000'000, kMaxSheetPixels / 1'000'000);
  std::vector<Frame> frames;
  Inspection result;
  result.json["flow"] = flow_name(runtime.config.preprocess.flow);
  result.json["prune_threshold"] = request.options.prune.threshold;
  result.json["media"] = OrderedJson::array();
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediaEntry& entry = request.media[m];
    const preprocess::MediumPlan& plan = request.plan.media[m];
    result.json["media"].push_back(
        {{"name", entry.name},
         {"kind", plan.shape.kind == preprocess::MediaKind::kVideo ? "video" : "image"},
         {"size", {plan.shape.size.height, plan.shape.size.width}},
         {"resized", {plan.size.height, plan.size.width}},
         {"grid", {plan.grid.t, plan.grid.h, plan.grid.w}},
         {"merge", plan.merge},
         {"tokens_per_frame", plan.tokens_per_frame},
         {"frames", OrderedJson::array()}});
  }
  scan_media(runtime, request, request.options.prune, [&](const ScannedFrame& scanned) {
    const preprocess::MediaEntry& entry = request.media[scanned.medium];
    const preprocess::MediumPlan& plan = request.plan.media[scanned.medium];
    const auto index = static_cast<size_t>(scanned.frame);
    frames.push_back(draw_frame(scanned.patches, scanned.mask));
    OrderedJson frame;
    if (index < entry.source_index.size()) frame["source_index"] = entry.source_index[index];
    if (index < entry.timestamps.size()) frame["time_s"] = entry.timestamps[index];
    frame["kept"] = std::count(scanned.mask.begin(), scanned.mask.end(), uint8_t{1});
    frame["mask"] = mask_rows(scanned.mask, plan.grid.w / plan.merge);
    result.json["media"][scanned.medium]["frames"].push_back(std::move(frame));
  });
  result.png = media::encode_png(contact_sheet(frames));
  return result;
}

}  // namespace vl3::engine
