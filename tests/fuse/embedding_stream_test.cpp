#include "fuse/embedding_stream.h"

#include "support/tensors.h"

namespace vl3::fuse {
namespace {

at::Tensor embed(const at::Tensor& ids) { return ids.to(at::kFloat).unsqueeze(1).expand({ids.size(0), 2}); }

TEST(EmbeddingStream, KeepsPromptOrderAcrossChunks) {
  EmbeddingStream stream(embed);
  stream.push_text(1);
  stream.push_text(2);
  stream.push_features(torch::full({3, 2}, 9.0));
  stream.push_features(torch::empty({0, 2}));
  stream.push_text(4);
  ASSERT_EQ(stream.rows(), 6);
  const at::Tensor first = stream.take(4), second = stream.take(100);
  EXPECT_TRUE(test::close(torch::cat({first, second}).select(1, 0), torch::tensor({1, 2, 9, 9, 9, 4}), 0.0));
  EXPECT_EQ(stream.take(5).size(0), 0);
  EXPECT_EQ(stream.rows(), 0);
}

TEST(EmbeddingStream, GivesACopyTheDecoderMayChange) {
  EmbeddingStream stream(embed);
  const at::Tensor features = torch::ones({2, 2});
  stream.push_features(features);
  stream.take(2).zero_();
  EXPECT_EQ(features.sum().item<float>(), 4.0f);
}

}  // namespace
}  // namespace vl3::fuse
