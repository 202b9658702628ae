#include "data/patch_labels.h"

#include <algorithm>

#include "data/sample.h"
#include "synth/vocabulary.h"

namespace vl3::data {
namespace {

constexpr int64_t kFirstLetter = 1 + synth::kShapes;
constexpr int64_t kOtherGlyph = kFirstLetter + 26 + 26 + 10;
constexpr int64_t kMark = kOtherGlyph + 1;  // bars, points, slices
static_assert(kMark + 1 == kPatchClasses[0]);

int64_t glyph_class(std::string_view label) {
  const char c = label.size() == 1 ? label[0] : '\0';
  if (c >= 'A' && c <= 'Z') return kFirstLetter + (c - 'A');
  if (c >= 'a' && c <= 'z') return kFirstLetter + 26 + (c - 'a');
  if (c >= '0' && c <= '9') return kFirstLetter + 52 + (c - '0');
  return kOtherGlyph;
}

int64_t colour_class(std::string_view name) {
  for (int i = 0; i < synth::kColours; ++i) {
    if (name == synth::name_of(static_cast<synth::Colour>(i))) return i;
  }
  return kIgnoreIndex;
}

double overlap(const synth::Box& a, const synth::Box& b) {
  const double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const double height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  return width > 0 && height > 0 ? width * height : 0;
}

}  // namespace

int64_t content_class(std::string_view type, std::string_view label) {
  if (type == "char") return glyph_class(label);
  if (type == "bar" || type == "point" || type == "slice") return kMark;
  if (type != "shape") return 0;
  for (int i = 0; i < synth::kShapes; ++i) {
    if (label == synth::name_of(static_cast<synth::Shape>(i))) return 1 + i;
  }
  return 0;
}

std::vector<int64_t> patch_labels(const synth::ImageFacts& facts, const preprocess::Grid& grid) {
  std::vector<int64_t> labels(static_cast<size_t>(grid.h * grid.w * kPatchTasks), kIgnoreIndex);
  const float side_x = static_cast<float>(facts.width) / static_cast<float>(grid.w);
  const float side_y = static_cast<float>(facts.height) / static_cast<float>(grid.h);
  std::vector<double> best(static_cast<size_t>(grid.h * grid.w), 0);
  for (int64_t i = 0; i < grid.h * grid.w; ++i) labels[static_cast<size_t>(i * kPatchTasks)] = 0;
  for (const synth::Item& item : facts.items) {
    const int64_t content = content_class(item.type, item.label);
    if (content == 0) continue;
    const double area = static_cast<double>(item.box.width()) * item.box.height();
    const auto bound = [](float value, int64_t most) {
      return std::clamp(static_cast<int64_t>(value), int64_t{0}, most);
    };
    for (int64_t y = bound(item.box.y0 / side_y, grid.h - 1); y <= bound(item.box.y1 / side_y, grid.h - 1);
         ++y) {
      for (int64_t x = bound(item.box.x0 / side_x, grid.w - 1); x <= bound(item.box.x1 / side_x, grid.w - 1);
           ++x) {
        const synth::Box patch{static_cast<float>(x) * side_x, static_cast<float>(y) * side_y,
                               static_cast<float>(x + 1) * side_x, static_cast<float>(y + 1) * side_y};
        const double shared = overlap(item.box, patch);
        const double share =
            std::max(shared / (static_cast<double>(side_x) * side_y), shared / std::max(area, 1.0));
        const double rank = share + (item.type == "char" ? 1 : 0);
        const auto at = static_cast<size_t>(y * grid.w + x);
        if (share < 0.25 || rank <= best[at]) continue;
        best[at] = rank;
        int64_t* task = labels.data() + at * kPatchTasks;
        task[static_cast<int>(PatchTask::kContent)] = content;
        task[static_cast<int>(PatchTask::kColour)] = colour_class(item.colour);
        task[static_cast<int>(PatchTask::kRow)] = y * kPatchBins / grid.h;
        task[static_cast<int>(PatchTask::kColumn)] = x * kPatchBins / grid.w;
      }
    }
  }
  return labels;
}

}  // namespace vl3::data
