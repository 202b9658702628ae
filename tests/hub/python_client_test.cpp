// The cache as another client sees it: Python's huggingface_hub reads what pull wrote, and the other way
// round.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/file.h"
#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "support/temp_dir.h"

namespace vl3::hub {
namespace {

using test::FakeHub;
using test::TempDir;

std::string python() {
  const char* named = std::getenv("VL3_PYTHON");
  return named != nullptr && *named != '\0' ? named : "python3";
}

/// Runs a script offline as far as the world is concerned: `endpoint` is the only hub it knows.
int run_script(const TempDir& dir, const std::string& script, const std::string& endpoint) {
  const auto path = dir.write("script.py", script);
  const std::string command = fmt::format(
      "HF_ENDPOINT='{}' HF_HOME='{}' HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1"
      " '{}' '{}' >'{}' 2>&1",
      endpoint, (dir / "home").string(), python(), path.string(), (dir / "log").string());
  return std::system(command.c_str());
}

class PythonClient : public ::testing::Test {
 protected:
  void SetUp() override {
    if (run_script(dir_, "import huggingface_hub", "http://127.0.0.1:1") != 0) {
      GTEST_SKIP() << "huggingface_hub is not there (VL3_PYTHON names a Python that has it)";
    }
    test::fill(hub_);
    hub_.start();
  }
  std::string log() const { return read_file(dir_ / "log", 1 << 20); }

  TempDir dir_;
  FakeHub hub_;
};

TEST_F(PythonClient, ReadsWhatPullWrote) {
  const TempDir cache;
  const PullResult result = pull(FakeHub::kRepo, "main", hub_.options(cache.path()));
  const std::string script =
      fmt::format(R"(
import os
from huggingface_hub import snapshot_download, try_to_load_from_cache, scan_cache_dir, hf_hub_download
cache = {:?}
path = snapshot_download("org/name", local_files_only=True, cache_dir=cache)
assert path == {:?}, path
for name, size in [("config.json", {}), ("extra/deep/notes.txt", 4), ("model-00001-of-00001.safetensors", 300000)]:
    found = try_to_load_from_cache("org/name", name, cache_dir=cache)
    assert isinstance(found, str) and os.path.getsize(found) == size, (name, found)
    assert hf_hub_download("org/name", name, cache_dir=cache, local_files_only=True) == found
info = scan_cache_dir(cache)
assert not info.warnings, info.warnings
(repo,) = info.repos
assert repo.repo_id == "org/name" and repo.nb_files == 4, repo
)",
                  cache.path().string(), result.snapshot.string(), hub_.files["config.json"].content.size());
  EXPECT_EQ(run_script(dir_, script, "http://127.0.0.1:1"), 0) << log();
}

TEST_F(PythonClient, WritesWhatFindCachedReadsAndPullReuses) {
  const TempDir cache;
  const std::string script = fmt::format(R"(
from huggingface_hub import hf_hub_download
for name in ["config.json", "model-00001-of-00001.safetensors"]:
    hf_hub_download("org/name", name, cache_dir={:?})
)",
                                         cache.path().string());
  ASSERT_EQ(run_script(dir_, script, hub_.endpoint()), 0) << log();
  const auto snapshot = find_cached(FakeHub::kRepo, "main", cache.path());
  EXPECT_EQ(read_file(snapshot / "config.json", 1000), hub_.files["config.json"].content);
  const PullResult result = pull(FakeHub::kRepo, "main", hub_.options(cache.path()));
  EXPECT_EQ(result.snapshot, snapshot);
  EXPECT_EQ(result.downloaded_bytes, hub_.files["chat template.jinja"].content.size() +
                                         hub_.files["extra/deep/notes.txt"].content.size());
}

}  // namespace
}  // namespace vl3::hub
