#include "train/resume.h"

#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "train/recipe.h"

namespace vl3::train {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kAbandoned = "abandoned-";

std::vector<std::string> changed_since(const fs::path& folder, const TrainConfig& config) {
  return changed_keys(load_recipe(folder / kRecipeFile), config);
}

void refuse_changes(const std::string& what, const fs::path& recipe_folder, const TrainConfig& config,
                    const std::string& example) {
  const std::vector<std::string> changed = changed_since(recipe_folder, config);
  VL3_CHECK(changed.empty(), kInvalidArgument,
            "{} by another recipe ({}); undo that, give another output, or go on regardless with --resume {}",
            what, fmt::join(changed, ", "), example);
}

bool has_abandoned(const fs::path& run) {
  std::error_code error;
  for (fs::directory_iterator it(run, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(kAbandoned)) return true;
  }
  return false;
}

}  // namespace

std::optional<ResumePoint> find_resume_point(const RunFolder& run, const TrainConfig& config,
                                             const std::string& resume) {
  const std::vector<CheckpointPlace> places = list_checkpoints(run.path());
  if (resume == "never") {
    VL3_CHECK(places.empty(), kInvalidArgument,
              "{}: holds checkpoints up to step {}; go on with --resume auto, or give another output",
              run.path().string(), places.back().step);
    return std::nullopt;
  }
  if (resume != "auto") {
    verify_checkpoint(resume);
    return ResumePoint{resume, read_trainer_state(resume), changed_since(resume, config)};
  }
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    ResumePoint point;
    try {
      verify_checkpoint(place->path);
      point = {place->path, read_trainer_state(place->path)};
    } catch (const Error& error) {
      logger().warn("{}: passed over: {}", place->path.string(), error.what());
      continue;
    }
    refuse_changes(fmt::format("{}: was made", point.folder.string()), point.folder, config,
                   point.folder.string());
    return point;
  }
  VL3_CHECK(places.empty(), kCorrupt, "{}: none of its {} checkpoints is whole; move them away to start anew",
            run.path().string(), places.size());
  VL3_CHECK(
      !has_abandoned(run.path()), kInvalidArgument,
      "{}: holds {}checkpoint-N only, of a run that went on from elsewhere and saved nothing yet; name the "
      "checkpoint to go on from with --resume DIR, or give another output",
      run.path().string(), kAbandoned);
  return std::nullopt;
}

void abandon_later_checkpoints(const RunFolder& run, int64_t step) {
  for (const CheckpointPlace& place : list_checkpoints(run.path())) {
    if (place.step <= step) continue;
    const std::string name = fmt::format("{}checkpoint-{}", kAbandoned, place.step);
    fs::path aside = run.path() / name;
    std::error_code error;
    for (int again = 2; fs::exists(aside, error); ++again)
      aside = run.path() / fmt::format("{}.{}", name, again);
    fs::rename(place.path, aside, error);
    VL3_CHECK(!error, kInvalidArgument, "{}: cannot be renamed: {}", place.path.string(), error.message());
  }
}

std::optional<int64_t> finished_steps(const RunFolder& run, const TrainConfig& config,
                                      const std::string& resume) {
  const fs::path file = run.path() / kFinishedFile;
  std::error_code error;
  if (!fs::exists(file, error) || (resume != "auto" && resume != "never")) return std::nullopt;
  const Json json = read_json_file(file);
  const int64_t step = JsonView(json, file.string()).integer("step", 0);
  VL3_CHECK(resume == "auto", kInvalidArgument,
            "{}: the run has finished after {} steps; give another output", run.path().string(), step);
  refuse_changes(fmt::format("{}: the run has finished after {} steps, made", run.path().string(), step),
                 run.path(), config, (run.path() / "checkpoint-N").string());
  return step;
}

void mark_finished(const RunFolder& run, const TrainerState& state) {
  const OrderedJson json = {{"step", state.step},
                            {"epoch", state.epoch},
                            {"samples_seen", state.samples_seen},
                            {"bad_samples", state.bad_samples},
                            {"tokens_seen", state.tokens_seen}};
  write_file_atomically(run.path() / kFinishedFile, json.dump(1) + "\n");
}

void unmark_finished(const RunFolder& run) {
  std::error_code error;
  fs::remove(run.path() / kFinishedFile, error);
  VL3_CHECK(!error, kInvalidArgument, "{}: cannot be removed: {}", (run.path() / kFinishedFile).string(),
            error.message());
}

}  // namespace vl3::train
