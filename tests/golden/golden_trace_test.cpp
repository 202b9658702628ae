// Walks every case of the golden set through the whole chain and compares each stage with the reference's
// numbers, so that the first differing stage is named. Tolerances: golden/README.md.
#include <set>

#include "engine/trace_case.h"
#include "support/golden_tensors.h"
#include "support/temp_dir.h"
#include "support/tensors.h"

namespace vl3::test {
void PrintTo(const GoldenCase& golden, std::ostream* out) { *out << golden.name; }
}  // namespace vl3::test

namespace vl3::engine {
namespace {

constexpr double kMinMargin = 1e-3;  // below it the reference's own noise may choose another token

struct Tolerance {
  const char* name;
  double value;  // 0: exact
};
constexpr Tolerance kTolerances[] = {
    {"input_ids", 0},
    {"llm_input_ids", 0},
    {"patches_u8", 0},
    {"compression_mask", 0},
    {"pixel_values", 1e-6},
    {"pixel_values_videos", 1e-6},
    {"vision.patch_embed", 2e-4},
    {"vision.layer0", 2e-4},
    {"vision.post_layernorm", 2e-4},
    {"vision.encoder_out", 2e-4},
    {"projector.out", 2e-4},
    {"inputs_embeds", 2e-4},
    {"hidden", 2e-3},
    {"logits", 2e-3},
};

at::Tensor to_tensor(const test::GoldenTensor& golden) {
  const auto type = golden.dtype == "F32"   ? at::kFloat
                    : golden.dtype == "I32" ? at::kInt
                    : golden.dtype == "I64" ? at::kLong
                                            : at::kByte;
  at::Tensor tensor = torch::empty(golden.shape, type);
  std::memcpy(tensor.mutable_data_ptr(), golden.bytes.data(), golden.bytes.size());
  return tensor;
}

std::vector<int64_t> up_to_small_margin(const Json& tokens, const Json& margins) {
  std::vector<int64_t> result;
  for (size_t i = 0; i < tokens.size() && margins[i].get<double>() >= kMinMargin; ++i) {
    result.push_back(tokens[i].get<int64_t>());
  }
  return result;
}

class GoldenTrace : public testing::TestWithParam<test::GoldenCase> {};

TEST_P(GoldenTrace, EqualsTheReferenceStageByStage) {
  const test::GoldenCase& golden = GetParam();
  // The other layout's file holds the same numbers: a case of one flow is run from its own layout's folder.
  LoadOptions load;
  load.model = golden.model_dir;
  load.dtype = "float32";
  const auto runtime = Runtime::load(load);
  const TraceCase trace_case =
      read_trace_case(test::golden_dir() / (golden.name + ".json"), test::golden_dir());
  const Trace found = trace(*runtime, trace_case.conversation, trace_case.request, trace_case.trace);

  const test::GoldenTensors wanted(golden.tensors);
  std::set<std::string> known;
  for (const auto& [name, tolerance] : kTolerances) {
    known.insert(name);
    if (!wanted.has(name)) continue;
    ASSERT_TRUE(found.tensors.count(name)) << name;
    ASSERT_TRUE(test::close(found.tensors.at(name), to_tensor(wanted.at(name)), tolerance)) << name;
  }
  known.insert("compression_mask_bf16");  // the official scripts' bf16 evaluation, not ours (spec, section 5)
  for (const auto& [name, tensor] : wanted.all())
    EXPECT_TRUE(known.count(name)) << "nothing compares " << name;

  for (const char* key : {"prompt", "modals", "grid_sizes", "merge_sizes", "target_sizes", "image_grid_thw",
                          "image_merge_sizes", "video_grid_thw", "video_merge_sizes", "kept_tokens_per_frame",
                          "n_input_ids", "n_llm_input_ids"}) {
    if (!golden.json.contains(key) || golden.json[key].empty()) continue;
    EXPECT_EQ(Json(found.json[key]), golden.json[key]) << key;
  }
  Json kept = Json::array();
  std::vector<uint8_t> mask;
  for (const auto& medium : found.json["compression_mask"]) {
    kept.push_back(Json::array());
    for (const auto& frame : medium) {
      const auto row = frame.get<std::vector<uint8_t>>();
      kept.back().push_back(std::count(row.begin(), row.end(), uint8_t{1}));
      mask.insert(mask.end(), row.begin(), row.end());
    }
  }
  EXPECT_EQ(kept, Json(found.json["kept_tokens_per_frame"]));
  if (wanted.has("compression_mask")) {
    EXPECT_EQ(mask, wanted.at("compression_mask").as<uint8_t>());
  }
  const std::vector<int64_t> greedy = found.json["greedy"];
  const std::vector<int64_t> sure = up_to_small_margin(golden.json["greedy"], golden.json["greedy_margins"]);
  ASSERT_LE(sure.size(), greedy.size());
  EXPECT_EQ(std::vector<int64_t>(greedy.begin(), greedy.begin() + static_cast<std::ptrdiff_t>(sure.size())),
            sure);
  if (golden.json.contains("repetition_penalty") &&
      golden.json["repetition_penalty"].value("min_margin", 0.0) >= kMinMargin) {
    EXPECT_EQ(Json(found.json["repetition_penalty"]["tokens"]), golden.json["repetition_penalty"]["tokens"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenTrace, testing::ValuesIn(test::golden_cases()), [](const auto& entry) {
  std::string name = entry.param.name.substr(entry.param.name.find('/') + 1);
  for (char& c : name) {
    if (!isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
});

// An empty set must fail, not pass.
TEST(GoldenTraceSet, HoldsCases) { EXPECT_FALSE(test::golden_cases().empty()); }

}  // namespace
}  // namespace vl3::engine
