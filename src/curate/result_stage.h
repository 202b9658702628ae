// Where new results are written while the old ones stay whole: out/.new, renamed into place at the end. One
// process at a time.
#pragma once

#include <filesystem>

namespace vl3::curate {

/// Before anything is done: results take the place of an earlier run's, of nothing else.
/// @param is_ours  whether the folder is of an earlier run.
/// @throws Error(kInvalidArgument) where another has something of a result's name there.
void check_place(const std::filesystem::path& output, bool is_ours);

class ResultStage {
 public:
  /// @param output  the output folder. What a killed run left in its .new is removed.
  explicit ResultStage(const std::filesystem::path& output);
  ~ResultStage();  ///< without publish(): nothing has changed
  ResultStage(const ResultStage&) = delete;
  ResultStage& operator=(const ResultStage&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

  /// Puts kept.jsonl, dropped.jsonl, train.jsonl, webdataset/, media/, report.html and recipe.toml in the
  /// place of the old ones: one rename after the other, with nothing between. What this run did not write of
  /// them goes.
  /// @throws Error(kInvalidArgument).
  void publish();

 private:
  std::filesystem::path output_, folder_, old_;
};

}  // namespace vl3::curate
