#include "curate/claim.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <sstream>
#include <thread>

#include "core/check.h"
#include "core/file.h"
#include "curate/recipe.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxClaim = 1 << 28;  // a line an input file
const std::string kInput = "input = ";

fs::path claim_file(const OutputLayout& layout) { return layout.work() / "scoring_keys.txt"; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

struct Claim {
  std::vector<std::string> inputs;
  std::map<std::string, std::string> keys;

  explicit Claim(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      const size_t sign = line.find(" = ");
      if (line.starts_with(kInput)) {
        inputs.push_back(line.substr(kInput.size()));
      } else if (sign != std::string::npos) {
        keys[line.substr(0, sign)] = line.substr(sign + 3);
      }
    }
  }
};

std::string name_of(const std::string& input) { return input.substr(0, input.find('\t')); }

bool names(const std::vector<std::string>& inputs, const std::string& name) {
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const std::string& input) { return name_of(input) == name; });
}

std::string input_difference(const std::vector<std::string>& theirs, const std::vector<std::string>& mine) {
  const auto [at_theirs, at_mine] = std::mismatch(theirs.begin(), theirs.end(), mine.begin(), mine.end());
  if (at_theirs == theirs.end() && at_mine == mine.end()) return "";
  if (at_mine != mine.end() && !names(theirs, name_of(*at_mine)))
    return fmt::format("{:.300} was not among its inputs", name_of(*at_mine));
  if (at_theirs != theirs.end() && !names(mine, name_of(*at_theirs)))
    return fmt::format("{:.300} is not among the inputs any more", name_of(*at_theirs));
  if (at_theirs != theirs.end() && at_mine != mine.end() && name_of(*at_theirs) == name_of(*at_mine))
    return fmt::format("{:.300} has changed since, or names in it mean files below another data root",
                       name_of(*at_mine));
  return "its inputs stood in another order";
}

// Scores beyond those that are asked for do no harm.
bool is_extra(const std::string& key) { return key == "caption_gain" || key.starts_with("scorers."); }

std::string lacking(const std::string& key) {
  if (key == "caption_gain") return "without captions' gains, which similarity.min_gain needs";
  if (key.starts_with("scorers."))
    return fmt::format("without the scorer \"{}\"", key.substr(std::string("scorers.").size()));
  return fmt::format("without {}", key);
}

bool any_scored(const OutputLayout& layout) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(layout.work() / "scores", none)) {
    if (entry.path().extension() == ".jsonl") return true;
  }
  return false;
}

std::vector<std::string> claimed_lines(const OutputLayout& layout) {
  return fs::exists(claim_file(layout)) ? lines_of(read_file(claim_file(layout), kMaxClaim))
                                        : std::vector<std::string>{};
}

void check_lines(const std::vector<std::string>& mine, const OutputLayout& layout) {
  const std::vector<std::string> theirs = claimed_lines(layout);
  if (theirs.empty() || !any_scored(layout)) return;
  const std::string difference = claim_difference(theirs, mine);
  VL3_CHECK(difference.empty(), kInvalidArgument,
            "{}: its scores were made otherwise: {}; give another output folder, or remove this one",
            layout.output.string(), difference);
}

}  // namespace

std::vector<std::string> claim_lines(const ItemSource& source, const CurateConfig& config) {
  std::vector<std::string> lines;
  for (const std::string& input : lines_of(source.fingerprint())) lines.push_back(kInput + input);
  for (const std::string& key : scoring_keys(config)) lines.push_back(key);
  return lines;
}

std::string claim_difference(const std::vector<std::string>& theirs, const std::vector<std::string>& mine) {
  const Claim have(theirs), want(mine);
  if (const std::string inputs = input_difference(have.inputs, want.inputs); !inputs.empty()) return inputs;
  for (const auto& [key, value] : want.keys) {
    const auto found = have.keys.find(key);
    if (found == have.keys.end()) return lacking(key);
    if (found->second != value)
      return fmt::format("{0} = {1:.200}; now {0} = {2:.200}", key, found->second, value);
  }
  for (const auto& [key, value] : have.keys) {
    if (want.keys.count(key) == 0 && !is_extra(key)) return fmt::format("{} = {:.200}", key, value);
  }
  return "";
}

void check_claim(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout) {
  check_lines(claim_lines(source, config), layout);
}

FileLock claim_scores(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                      const StepHooks& hooks) {
  const std::vector<std::string> mine = claim_lines(source, config);
  const fs::path path = layout.work() / "claim.lock";
  for (int attempt = 0;; ++attempt) {
    if (std::optional<FileLock> shared = FileLock::try_lock(path, FileLock::Mode::kShared)) {
      if (claimed_lines(layout) == mine) return std::move(*shared);
    }
    if (const auto alone = FileLock::try_lock(path, FileLock::Mode::kExclusive)) {
      check_lines(mine, layout);
      // Also where the claim said more: what is scored now will not have it.
      std::string text;
      for (const std::string& line : mine) text += line + "\n";
      write_file_atomically(claim_file(layout), text);
      continue;
    }
    VL3_CHECK(attempt < 50, kInvalidArgument, "{}: another process is scoring it by another recipe",
              layout.output.string());
    hooks.stop_if_asked("waiting for another process");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace vl3::curate
