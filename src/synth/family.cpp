#include "synth/family.h"

#include <algorithm>

#include "core/check.h"

namespace vl3::synth {

const std::vector<Family>& families() {
  static const std::vector<Family> all{scene_family(), ocr_family(),    document_family(),
                                       chart_family(), multi_family(),  text_family(),
                                       video_family(), stream_family(), long_family()};
  return all;
}

const Family& family_named(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Family& family : families()) {
    if (family.name == name) return family;
    names.push_back(family.name);
  }
  VL3_FAIL(kInvalidArgument, "\"{}\": no such family of kinds; there are {}", name, fmt::join(names, ", "));
}

const Kind& kind_named(const Family& family, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Kind& kind : family.kinds) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  VL3_FAIL(kInvalidArgument, "\"{}.{}\": no such kind; {} has {}", family.name, name, family.name,
           fmt::join(names, ", "));
}

int level_named(const Family& family, std::string_view name) {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < family.levels.size(); ++i) {
    if (family.levels[i].name == name) return static_cast<int>(i);
    names.push_back(family.levels[i].name);
  }
  VL3_FAIL(kInvalidArgument, "\"{}\": no such level; {} has {}", name, family.name, fmt::join(names, ", "));
}

bool same_question(const Question& a, const Question& b) {
  return a.kind == b.kind && a.query == b.query && (a.answer == b.answer || a.noisy || b.noisy);
}

void finish_question(Rng& rng, const Request& request, const Kind& kind, Question& question) {
  question.kind = kind.name;
  question.form = kind.form;
  if (question.form == AnswerForm::kCaption || question.options.size() < 2) return;
  if (request.options.answer_noise == 0 || !rng.chance(request.options.answer_noise)) return;
  std::vector<std::string> wrong = question.options;
  std::erase(wrong, question.answer);
  if (wrong.empty()) return;  // two fields may say the same
  question.answer = rng.pick(wrong);
  question.noisy = true;
}

PictureSize pick_size(Rng& rng, const SynthOptions& options, int low, int high, double aspect, int multiple) {
  low = std::clamp(low, options.min_side, options.max_side);
  high = std::clamp(high, low, options.max_side);
  int width = rng.between(low, high), height = rng.between(low, high);
  if (rng.chance(0.3)) height = width;
  // Many real pictures have sides that are multiples of the patch; others are resized first.
  if (multiple == 1 && rng.chance(0.4)) multiple = 28;
  if (width > height * aspect) width = static_cast<int>(height * aspect);
  if (height > width * aspect) height = static_cast<int>(width * aspect);
  const auto round = [&](int side) {
    const int rounded = (side + multiple / 2) / multiple * multiple;
    return rounded < options.min_side || rounded > options.max_side ? side / 2 * 2 : rounded;
  };
  return {std::max(2, round(width)), std::max(2, round(height))};
}

std::vector<std::string> shape_options() {
  std::vector<std::string> names;
  for (int i = 0; i < kShapes; ++i) names.emplace_back(name_of(static_cast<Shape>(i)));
  return names;
}

std::vector<std::string> colour_options() {
  std::vector<std::string> names;
  for (int i = 0; i < kColours; ++i) names.emplace_back(name_of(static_cast<Colour>(i)));
  return names;
}

std::vector<std::string> number_options(int low, int high) {
  std::vector<std::string> names;
  for (int i = low; i <= high; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace vl3::synth
