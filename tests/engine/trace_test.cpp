#include "engine/trace.h"

#include "engine/golden_model.h"
#include "support/tensors.h"

namespace vl3::engine {
namespace {

// Every row of them used to be made: 6.4 GB of one picture in a 2B model.
TEST(TraceLogits, AreThoseOfTheLastRowUnlessOthersAreWanted) {
  LoadOptions load;
  load.model = test::golden_models("config.json").front();
  load.dtype = "float32";  // a bfloat16 product of one row rounds otherwise than one of many
  const auto runtime = Runtime::load(load);
  const auto traced = [&](const TraceOptions& options) {
    return trace(*runtime, {user_message({text_part("Hello")})}, {}, options);
  };
  const Trace last = traced({.greedy_tokens = 1}), all = traced({.all_logits = true, .greedy_tokens = 1}),
              two = traced({.logits_positions = {2, 0}, .greedy_tokens = 1});
  const int64_t L = last.tensors.at("llm_input_ids").size(0), V = runtime->config.text.vocab_size;
  const at::Tensor logits = all.tensors.at("logits");
  ASSERT_EQ(logits.sizes(), (at::IntArrayRef{L, V}));
  EXPECT_TRUE(test::close(last.tensors.at("logits"), logits.narrow(0, L - 1, 1), 1e-4));
  EXPECT_EQ(last.tensors.at("hidden").size(0), 1);
  EXPECT_TRUE(test::close(two.tensors.at("logits"), logits.index_select(0, torch::tensor({2, 0})), 1e-4));
  EXPECT_EQ(last.json["logits_positions"], OrderedJson::array({L - 1}));
  EXPECT_EQ(all.json["logits_positions"].size(), static_cast<size_t>(L));
}

}  // namespace
}  // namespace vl3::engine
