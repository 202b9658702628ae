#include "serve/batch/feature_store.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/digest.h"
#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::serve {
namespace {

FeatureStore::Frames frames(int count, float start) {
  FeatureStore::Frames out;
  for (int f = 0; f < count; ++f) {
    engine::FrameFeatures frame;
    frame.frame = f;
    frame.mask = {1, 0, 1, 1};
    frame.kept = 3;
    frame.features_KD = at::arange(12, at::kFloat).view({3, 4}) + (start + static_cast<float>(f));
    out.push_back(frame);
  }
  return out;
}

size_t files_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(FeatureStore, SurvivesItsOwnEnd) {
  const test::TempDir dir;
  const FeatureStoreOptions options{
      .memory_bytes = 1 << 20, .folder = dir / "cache", .disk_bytes = 1 << 20, .model = "m"};
  FeatureStore(options).put("a", frames(3, 5));
  FeatureStore store(options);
  const auto found = store.find("a");
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[2].mask, (std::vector<uint8_t>{1, 0, 1, 1}));
  EXPECT_TRUE((*found)[2].features_KD.equal(frames(3, 5)[2].features_KD));
  EXPECT_EQ(store.stats().disk_hits, 1u);
  EXPECT_EQ(store.find("b"), nullptr);
  FeatureStoreOptions other = options;
  other.model = "another";
  EXPECT_EQ(FeatureStore(other).find("a"), nullptr);
}

TEST(FeatureStore, DamagedFilesAreRemovedAndForgotten) {
  const test::TempDir dir;
  const FeatureStoreOptions options{
      .memory_bytes = 0, .folder = dir.path(), .disk_bytes = 1 << 20, .model = "m"};
  FeatureStore store(options);
  store.put("a", frames(2, 0));
  ASSERT_EQ(files_in(dir.path()), 1u);
  const std::filesystem::path file = std::filesystem::directory_iterator(dir.path())->path();
  const std::string whole = read_file(file, 1 << 20);
  for (const size_t size : {size_t{0}, size_t{7}, whole.size() / 2, whole.size() - 1}) {
    write_file_atomically(file, whole.substr(0, size));
    EXPECT_EQ(store.find("a"), nullptr) << size;
    EXPECT_FALSE(std::filesystem::exists(file));
  }
  EXPECT_EQ(store.stats().disk_failures, 4u);
}

TEST(FeatureStore, AFileThatNamesAnotherMediumIsNotTaken) {
  const test::TempDir dir;
  const FeatureStoreOptions options{
      .memory_bytes = 0, .folder = dir.path(), .disk_bytes = 1 << 20, .model = "m"};
  FeatureStore store(options);
  store.put("a", frames(2, 0));
  const std::filesystem::path a = std::filesystem::directory_iterator(dir.path())->path();
  const std::filesystem::path b = dir / (sha256_hex("m\nb") + ".features.safetensors");
  std::filesystem::rename(a, b);
  EXPECT_EQ(store.find("b"), nullptr);
}

TEST(FeatureStore, IsBoundedOnDiskAndMayBeEmptied) {
  const test::TempDir dir;
  FeatureStore store({.memory_bytes = 0, .folder = dir.path(), .disk_bytes = 3000, .model = "m"});
  for (int i = 0; i < 40; ++i) store.put("key" + std::to_string(i), frames(2, 0));
  uint64_t total = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) total += entry.file_size();
  EXPECT_LE(total, 3600u);
  EXPECT_GT(files_in(dir.path()), 2u);
  for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
    std::filesystem::remove(entry.path());
  EXPECT_EQ(store.find("key39"), nullptr);
  store.put("key39", frames(2, 0));
  EXPECT_NE(store.find("key39"), nullptr);
}

TEST(FeatureStore, GoesOnWhereNothingCanBeWritten) {
  const test::TempDir dir;
  FeatureStore store({.memory_bytes = 1 << 20, .folder = dir / "cache", .disk_bytes = 1 << 20, .model = "m"});
  std::filesystem::remove(dir / "cache");
  dir.write("cache", "a file stands in the folder's place");
  store.put("a", frames(2, 0));
  EXPECT_NE(store.find("a"), nullptr);
  EXPECT_GT(store.stats().disk_failures, 0u);
}

}  // namespace
}  // namespace vl3::serve
