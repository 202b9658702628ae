// What transformers itself makes of the folders we write. Skipped, with a word, where Python lacks the
// packages.
#include <gtest/gtest.h>

#include "support/temp_dir.h"
#include "weights/chat_templates.h"
#include "weights/checkpoint.h"
#include "weights/convert.h"
#include "weights/python.h"
#include "weights/random_init.h"
#include "weights/small_model.h"

namespace vl3::weights {
namespace {

using test::run_python;
using test::TempDir;
namespace fs = std::filesystem;

TEST(TransformersLive, LoadsConvertedModelsAndGivesTheSameLogits) {
  int seen = 0;
  for (const test::GoldenModel& model : test::golden_models()) {
    if (model.native.empty() || model.remote.empty() || !fs::exists(model.remote / "tokenizer.json"))
      continue;
    const TempDir dir;
    convert_checkpoint(model.remote, dir / "native",
                       {.to = Flow::kNative, .dtype = DType::kF32, .max_shard_size = 300'000});
    // Once more through the other layout: what we write must be what we read.
    convert_checkpoint(dir / "native", dir / "remote", {.to = Flow::kRemote});
    convert_checkpoint(dir / "remote", dir / "twice", {.to = Flow::kNative});
    for (const char* converted : {"native", "twice"}) {
      if (seen > 0 && std::string(converted) == "twice")
        continue;  // one model shows it; starting Python is slow
      const auto result =
          run_python("load_in_transformers.py", {(dir / converted).string(), model.native.string(), "equal"});
      if (result.status == test::kPythonSkipped) GTEST_SKIP() << result.output;
      EXPECT_EQ(result.status, 0) << model.name << " " << converted << ":\n" << result.output;
      if (result.status == 0) std::printf("%s %s: %s", model.name.c_str(), converted, result.output.c_str());
    }
    ++seen;
  }
  if (seen == 0) GTEST_SKIP() << "the golden set has no model in both layouts";
}

TEST(TransformersLive, LoadsRandomModelsWithADtypeOfTheirOwn) {
  for (const test::GoldenModel& model : test::golden_models()) {
    if (model.native.empty()) continue;
    const TempDir dir;
    write_random_checkpoint(model.native, dir / "random", {.seed = 1, .dtype = DType::kBF16});
    const auto result =
        run_python("load_in_transformers.py", {(dir / "random").string(), model.native.string(), "loads"});
    if (result.status == test::kPythonSkipped) GTEST_SKIP() << result.output;
    EXPECT_EQ(result.status, 0) << model.name << ":\n" << result.output;
    return;
  }
  GTEST_SKIP() << "the golden set has no native model";
}

TEST(TransformersLive, TokenizerOfARemoteFolderHasTheAddedTokens) {
  for (const test::GoldenModel& model : test::golden_models()) {
    if (model.native.empty() || !fs::exists(model.native / "tokenizer.json")) continue;
    const TempDir dir;
    convert_checkpoint(model.native, dir / "remote", {.to = Flow::kRemote});
    const auto result = run_python("load_in_transformers.py", {(dir / "remote").string(), "", "tokenizer"});
    if (result.status == test::kPythonSkipped) GTEST_SKIP() << result.output;
    EXPECT_EQ(result.status, 0) << model.name << ":\n" << result.output;
    return;
  }
  GTEST_SKIP() << "the golden set has no native model with a tokenizer";
}

TEST(TransformersLive, ChatTemplatesRenderTheGoldenTable) {
  const fs::path table = test::golden_dir() / "tables/chat_template.json";
  if (!fs::exists(table)) GTEST_SKIP() << "the golden set has no tables/chat_template.json";
  const TempDir dir;
  dir.write("native.jinja", chat_template(Flow::kNative));
  dir.write("remote.jinja", chat_template(Flow::kRemote));
  const auto result = run_python("render_templates.py", {dir.path().string(), table.string()});
  if (result.status == test::kPythonSkipped) GTEST_SKIP() << result.output;
  EXPECT_EQ(result.status, 0) << result.output;
}

}  // namespace
}  // namespace vl3::weights
