#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "core/file.h"
#include "core/json.h"
#include "engine/golden_model.h"
#include "engine/out_of_memory.h"
#include "engine/still_memory.h"
#include "weights/random_init.h"

namespace vl3 {
namespace {

using test::error_of;

Conversation clip() {
  return {user_message({video_part(test::golden_media("clip.mp4")), text_part("What?")})};
}

TEST(Plan, CountsWhatAnAskThenUses) {
  const Engine engine = test::load_tiny();
  const Plan plan = engine.plan(clip(), test::greedy(), /*measure_pruning=*/true);
  const Receipt receipt = engine.ask(clip(), test::greedy()).receipt;
  EXPECT_TRUE(plan.pruning_known);
  EXPECT_EQ(plan.prompt_tokens, receipt.prompt_tokens);
  EXPECT_EQ(plan.visual_tokens, receipt.visual_tokens);
  EXPECT_EQ(plan.visual_tokens_kept, receipt.visual_tokens_kept);
  EXPECT_TRUE(plan.fits);
}

TEST(Plan, SaysWhenTheMemoryIsTooSmall) {
  const Engine engine = test::load_tiny();
  AskOptions options = test::greedy();
  options.max_ram_bytes = 1 << 20;
  EXPECT_FALSE(engine.plan(clip(), options).fits);
  EXPECT_NE(error_of([&] { engine.ask(clip(), options); }).find("--max-ram allows 1 MiB"), std::string::npos);
}

// The golden model with a vision tower so wide that frames outweigh the process itself, and with the released
// models' limits: under the golden ones many frames share the pixels of a few, whatever their number.
std::filesystem::path wide_model(const test::TempDir& dir) {
  const std::filesystem::path source = test::golden_models("config.json").front(), bent = dir / "config";
  std::filesystem::copy(source, bent);
  Json config = read_json_file(bent / "config.json");
  Json& vision = config[config.contains("vision_config") ? "vision_config" : "vision_encoder_config"];
  vision["hidden_size"] = 1024;
  vision["intermediate_size"] = 1024;
  vision["num_hidden_layers"] = 1;
  write_file_atomically(bent / "config.json", config.dump());
  const bool native = std::filesystem::exists(bent / "video_preprocessor_config.json");
  const std::filesystem::path limits =
      bent / (native ? "video_preprocessor_config.json" : "preprocessor_config.json");
  Json preprocess = read_json_file(limits);
  preprocess[native ? "max_pixels" : "max_tokens"] = native ? 12845056 : 16384;
  write_file_atomically(limits, preprocess.dump());
  weights::write_random_checkpoint(bent, dir / "model", {.seed = 1, .dtype = weights::DType::kF32});
  return dir / "model";
}

TEST(Plan, FitLowersFramesAndSaysSo) {
  const test::TempDir dir;
  const Engine engine = Engine::load({.model = wide_model(dir).string()});
  AskOptions options = test::greedy();
  options.fps = 10.0;
  // What the process holds already counts: let it grow to its usual size first.
  engine.ask(clip(), options);
  engine.plan(clip(), options);
  const uint64_t all = engine.plan(clip(), options).peak_ram_bytes;
  options.max_frames = 1;
  const uint64_t one = engine.plan(clip(), options).peak_ram_bytes;
  ASSERT_GT(all, one + (32 << 20)) << "frames weigh too little beside the process itself on this model";
  options.max_frames.reset();
  options.max_ram_bytes = (one + all) / 2;
  options.fit = true;
  const Plan plan = engine.plan(clip(), options);
  EXPECT_TRUE(plan.fits);
  ASSERT_EQ(plan.warnings.size(), 1u);
  EXPECT_NE(plan.warnings[0].find("max_frames lowered to"), std::string::npos);
  const Answer answer = engine.ask(clip(), options);
  ASSERT_FALSE(answer.receipt.warnings.empty());
  EXPECT_NE(answer.receipt.warnings[0].find("max_frames lowered to"), std::string::npos);
  EXPECT_LT(answer.receipt.media[0].frames.size(), 45u);
}

TEST(Plan, CountsDecodingInTheTimeToTheFirstToken) {
  const Plan plan = test::load_tiny().plan(clip(), test::greedy());
  EXPECT_GT(plan.decode_seconds, 0.0);
  EXPECT_GT(plan.first_token_seconds, plan.decode_seconds);
}

TEST(OutOfMemory, OfLibtorchIsAPassedLimit) {
  const std::string message =
      error_of([] { engine::naming_out_of_memory([] { return at::empty({int64_t{1} << 50}); }); });
  EXPECT_NE(message.find("out of memory; use --max-ram"), std::string::npos) << message;
}

TEST(StillMemory, KnowsWhatTheDecoderHoldsBesideThePicture) {
  const auto png = [](const char* rest) {
    std::string head("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10", 24);
    return head.append(rest, 5);
  };
  EXPECT_EQ(engine::decoder_bytes_per_pixel(png("\x08\x02\0\0\0")), 0.0);
  EXPECT_EQ(engine::decoder_bytes_per_pixel(png("\x08\x02\0\0\x01")), 3.0);  // interlaced
  EXPECT_EQ(engine::decoder_bytes_per_pixel(png("\x10\x06\0\0\x01")),
            8.0);  // RGBA of 16 bits
  const auto jpeg = [](char frame) {
    std::string head("\xff\xd8\xff\xe0\0\x04\0\0\xff", 9);
    head.push_back(frame);
    return head.append("\0\x11\x08\0\x10\0\x10\x03\x01\x22\0\x02\x11\x01\x03\x11\x01", 17);
  };
  EXPECT_EQ(engine::decoder_bytes_per_pixel(jpeg('\xc0')), 0.0);
  EXPECT_EQ(engine::decoder_bytes_per_pixel(jpeg('\xc2')), 3.0);  // progressive, 4:2:0
}

}  // namespace
}  // namespace vl3
