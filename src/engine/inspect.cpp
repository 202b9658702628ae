#include "engine/inspect.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"
#include "core/log.h"
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

// The contact sheet's cells: each as large as the largest frame, a gap around every one.
struct Layout {
  int64_t cell_height = 1, cell_width = 1;
  int64_t columns = 1, rows = 1;
  int64_t height() const { return rows * (cell_height + kGap) + kGap; }
  int64_t width() const { return columns * (cell_width + kGap) + kGap; }
};

Layout lay_out(const preprocess::VisualPlan& plan) {
  Layout layout;
  for (const preprocess::MediumPlan& medium : plan.media) {
    layout.cell_height = std::max(layout.cell_height, medium.size.height);
    layout.cell_width = std::max(layout.cell_width, medium.size.width);
  }
  const int64_t cells = plan.total_frames;
  const double square =
      static_cast<double>(cells * layout.cell_height) / static_cast<double>(layout.cell_width);
  layout.columns = std::min(cells, static_cast<int64_t>(std::ceil(std::sqrt(square))));
  layout.rows = (cells + layout.columns - 1) / layout.columns;
  return layout;
}

Frame empty_sheet(const Layout& layout) {
  Frame sheet;
  sheet.height = static_cast<int>(layout.height());  // neither is more than kMaxSheetPixels
  sheet.width = static_cast<int>(layout.width());
  sheet.rgb.assign(static_cast<size_t>(layout.height() * layout.width() * 3), 245);
  return sheet;
}

void put(const Frame& frame, int64_t cell, const Layout& layout, Frame& sheet) {
  const int64_t top = kGap + cell / layout.columns * (layout.cell_height + kGap);
  const int64_t left = kGap + cell % layout.columns * (layout.cell_width + kGap);
  for (int64_t y = 0; y < frame.height; ++y) {
    std::copy_n(frame.rgb.begin() + y * frame.width * 3, frame.width * 3,
                sheet.rgb.begin() + ((top + y) * sheet.width + left) * 3);
  }
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
  const Layout layout = lay_out(request.plan);
  const int64_t pixels = layout.height() * layout.width();
  VL3_CHECK(pixels <= kMaxSheetPixels, kResourceExhausted,
            "the picture would have {} megapixels, the limit is {}; use --max-frames or --max-visual-tokens",
            pixels / 1'000'000, kMaxSheetPixels / 1'000'000);
  Frame sheet = empty_sheet(layout);
  std::vector<int64_t> first_cells;  // a medium
  Inspection result;
  result.json["flow"] = flow_name(runtime.config.preprocess.flow);
  result.json["prune_threshold"] = request.options.prune.threshold;
  result.json["media"] = OrderedJson::array();
  int64_t cells = 0;
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediaEntry& entry = request.media[m];
    const preprocess::MediumPlan& plan = request.plan.media[m];
    first_cells.push_back(cells);
    cells += plan.grid.t;
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
    put(draw_frame(scanned.patches, scanned.mask), first_cells[scanned.medium] + scanned.frame, layout,
        sheet);
    OrderedJson frame;
    if (index < entry.source_index.size()) frame["source_index"] = entry.source_index[index];
    if (index < entry.timestamps.size()) frame["time_s"] = entry.timestamps[index];
    frame["kept"] = std::count(scanned.mask.begin(), scanned.mask.end(), uint8_t{1});
    frame["mask"] = mask_rows(scanned.mask, plan.grid.w / plan.merge);
    result.json["media"][scanned.medium]["frames"].push_back(std::move(frame));
  });
  for (const std::string& warning : request.warnings()) logger().warn("{}", warning);
  result.png = media::encode_png(sheet);
  return result;
}

}  // namespace vl3::engine
