// A family of kinds: what one sort of medium (a scene, a chart, a clip) can be asked, at which levels, and
// the function that draws it. families() is the one table of them; `vl3 synth --list` prints it. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "synth/options.h"
#include "synth/sample.h"

namespace vl3::synth {

struct Level {
  std::string_view name, summary;
};

struct Kind {
  std::string_view name;  ///< without the family's: "colour" of "scene.colour"
  AnswerForm form;
  int first_level, last_level;  ///< at which it can be asked
  std::string_view example;     ///< the plainest wording
};

struct Request {
  const SynthOptions& options;
  int level = 0;
  std::vector<const Kind*> kinds;  ///< to be asked; the first must be, the others where the medium allows
  bool leads(std::string_view kind) const { return kinds.front()->name == kind; }
};

struct Family {
  std::string_view name;
  MediaType type;
  std::vector<Level> levels;  ///< from easy to hard
  std::vector<Kind> kinds;
  /// Fills media, facts and questions. False when this draw does not suit the leading kind: the caller draws
  /// anew.
  bool (*make)(Rng& rng, const Request& request, Sample& sample);
};

const std::vector<Family>& families();

/// @throws Error(kInvalidArgument) naming what there is.
const Family& family_named(std::string_view name);
const Kind& kind_named(const Family& family, std::string_view name);
int level_named(const Family& family, std::string_view name);

Family scene_family();
Family ocr_family();
Family document_family();
Family chart_family();
Family multi_family();
Family text_family();
Family video_family();
Family stream_family();
Family long_family();

/// What all families do with their questions: asks each kind in turn until options.questions_per_medium are
/// there, with answers made wrong at the rate of answer_noise. `ask` gives nothing where the medium does not
/// allow the kind.
template <typename Ask>
bool ask_all(Rng& rng, const Request& request, Sample& sample, Ask ask);

/// Sets kind (without the family, which the generator adds), and mixes in the noise.
void finish_question(Rng& rng, const Request& request, const Kind& kind, Question& question);
bool same_question(const Question& a, const Question& b);

template <typename Ask>
bool ask_all(Rng& rng, const Request& request, Sample& sample, Ask ask) {
  for (const Kind* kind : request.kinds) {
    if (static_cast<int>(sample.questions.size()) >= request.options.questions_per_medium) break;
    std::optional<Question> question = ask(rng, kind->name);
    if (!question) {
      if (sample.questions.empty()) return false;
      continue;
    }
    finish_question(rng, request, *kind, *question);
    bool known = false;
    for (const Question& before : sample.questions) known = known || same_question(before, *question);
    if (!known) sample.questions.push_back(std::move(*question));
  }
  return !sample.questions.empty();
}

/// Width and height for a medium: sides of `low` … `high` inside the options' limits, at most `aspect` : 1.
struct PictureSize {
  int width = 0, height = 0;
};
PictureSize pick_size(Rng& rng, const SynthOptions& options, int low, int high, double aspect,
                      int multiple = 1);

/// All shapes', colours', … names: the options of a question.
std::vector<std::string> shape_options();
std::vector<std::string> colour_options();
std::vector<std::string> number_options(int low, int high);

}  // namespace vl3::synth
