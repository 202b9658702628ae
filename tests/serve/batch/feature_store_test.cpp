#include "serve/batch/feature_store.h"

#include <ATen/ops/arange.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <span>

#include "core/digest.h"
#include "core/file.h"
#include "support/temp_dir.h"
#include "weights/safetensors.h"
#include "weights/safetensors_writer.h"

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

// Nothing stays in memory: what is found was read.
FeatureStoreOptions only_on_disk(const test::TempDir& dir) {
  return {.memory_bytes = 0, .folder = dir.path(), .disk_bytes = 1 << 20, .model = "m"};
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
  FeatureStore store(only_on_disk(dir));
  store.put("a", frames(2, 0));
  store.flush();
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

// Consistent files with wrong content: a flipped bit and numbers that are none were taken, no frames at all
// ended the server.
TEST(FeatureStore, AFilesContentMustBeWhatWasWritten) {
  const test::TempDir dir;
  FeatureStore store(only_on_disk(dir));
  store.put("a", frames(2, 0));
  store.flush();
  const std::filesystem::path file = std::filesystem::directory_iterator(dir.path())->path();
  const std::string whole = read_file(file, 1 << 20);
  const weights::Metadata metadata = weights::SafetensorsFile(file).metadata();
  ASSERT_EQ(metadata.at("sha256").size(), 64u);

  for (const size_t back : {size_t{1}, size_t{8}, size_t{9}, size_t{100}}) {  // masks, features
    std::string flipped = whole;
    flipped[flipped.size() - back] ^= 0x40;
    write_file_atomically(file, flipped);
    EXPECT_EQ(store.find("a"), nullptr) << back;
    EXPECT_FALSE(std::filesystem::exists(file));
  }
  const auto replace = [&](int64_t rows, int64_t D, int64_t count, int64_t tokens, float value) {
    weights::SafetensorsWriter writer(
        file,
        {{"features", weights::DType::kF32, {rows, D}}, {"masks", weights::DType::kU8, {count, tokens}}},
        metadata);
    const std::vector<float> features(static_cast<size_t>(rows * D), value);
    const std::vector<uint8_t> masks(static_cast<size_t>(count * tokens), 1);
    writer.append(std::as_bytes(std::span(features)));
    writer.append(std::as_bytes(std::span(masks)));
    writer.commit();
    EXPECT_EQ(store.find("a"), nullptr) << rows << " " << D << " " << count << " " << tokens;
    EXPECT_FALSE(std::filesystem::exists(file));
  };
  replace(6, 4, 2, 3, std::numeric_limits<float>::quiet_NaN());
  replace(0, 4, 0, 4, 0);
  replace(0, 4, int64_t{1} << 50, 0, 0);
  replace(3, 4, 1, 3, 0);
  replace(6, 2, 2, 3, 0);
  write_file_atomically(file, whole);
  EXPECT_NE(store.find("a"), nullptr);
}

TEST(FeatureStore, APutTakesThePlaceOfWhatAFileHeld) {
  const test::TempDir dir;
  const FeatureStoreOptions options{
      .memory_bytes = 1 << 20, .folder = dir.path(), .disk_bytes = 1 << 20, .model = "m"};
  FeatureStore(options).put("a", frames(2, 0));
  {
    FeatureStore store(options);
    ASSERT_EQ(store.find("a")->size(), 2u);
    store.put("a", frames(3, 7));  // as when the two did not fit the medium's plan
    EXPECT_EQ(store.find("a")->size(), 3u);
  }
  EXPECT_EQ(FeatureStore(options).find("a")->size(), 3u);
}

// Files were written, and room made for them, between two steps of every stream.
TEST(FeatureStore, ASlowDiskIsNotWaitedFor) {
  const test::TempDir dir;
  const std::filesystem::path pipe = dir / (sha256_hex("m\na") + ".features.safetensors");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);  // whoever writes it waits for a reader
  FeatureStore store(
      {.memory_bytes = 0, .folder = dir.path(), .disk_bytes = 1 << 20, .model = "m", .queue_bytes = 250});
  store.put("a", frames(2, 0));  // 104 bytes each
  store.put("b", frames(2, 5));
  store.put("c", frames(2, 9));
  EXPECT_EQ(store.stats().disk_dropped, 1u);
  ASSERT_NE(store.find("a"), nullptr);  // what waits is found
  ASSERT_NE(store.find("b"), nullptr);
  EXPECT_TRUE(store.find("b")->at(1).features_KD.equal(frames(2, 5)[1].features_KD));
  EXPECT_EQ(store.find("c"), nullptr);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  store.flush();
  ::close(reader);
  EXPECT_NE(store.find("b"), nullptr);
  EXPECT_EQ(store.stats().disk_hits, 1u);
  EXPECT_EQ(store.stats().disk_failures, 0u);
}

// What a killed server was writing stayed for ever and was not counted.
TEST(FeatureStore, FilesOfAWriteThatEndedAreRemoved) {
  const test::TempDir dir;
  const std::string stem = "0.features.safetensors.tmp-";
  const std::string own = stem + std::to_string(::getpid()) + "-",
                    parent = stem + std::to_string(::getppid());
  const auto age = [](const std::filesystem::path& path, std::chrono::minutes by) {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - by);
  };
  const std::string content(1000, 'x');
  dir.write(stem + "2147483647-0", content);  // above the largest process number
  dir.write(stem + "garbage", content);
  age(dir.write(own + "7", content), std::chrono::minutes(1));       // of one before that had our number
  age(dir.write(parent + "-0", content), std::chrono::minutes(60));  // long at a stop
  dir.write(parent + "-1", content);                                 // at work
  dir.write(own + "8", content);                                     // another store's
  dir.write("unrelated.txt", content);
  FeatureStore store({.memory_bytes = 0, .folder = dir.path(), .disk_bytes = 1 << 20, .model = "m"});
  const std::set<std::string> left = {own.substr(0, own.size()) + "8", parent + "-1", "unrelated.txt"};
  EXPECT_EQ(test::names_in(dir.path()), left);
  EXPECT_EQ(store.stats().disk_bytes, 2000u);
  dir.write(stem + "2147483647-1", content);  // also later
  store.put("a", frames(2, 0));
  store.flush();
  EXPECT_EQ(files_in(dir.path()), 4u);
}

TEST(FeatureStore, AFileThatNamesAnotherMediumIsNotTaken) {
  const test::TempDir dir;
  FeatureStore store(only_on_disk(dir));
  store.put("a", frames(2, 0));
  store.flush();
  const std::filesystem::path a = std::filesystem::directory_iterator(dir.path())->path();
  const std::filesystem::path b = dir / (sha256_hex("m\nb") + ".features.safetensors");
  std::filesystem::rename(a, b);
  EXPECT_EQ(store.find("b"), nullptr);
}

TEST(FeatureStore, IsBoundedOnDiskAndMayBeEmptied) {
  const test::TempDir dir;
  FeatureStore store({.memory_bytes = 0, .folder = dir.path(), .disk_bytes = 3000, .model = "m"});
  for (int i = 0; i < 40; ++i) store.put("key" + std::to_string(i), frames(2, 0));
  store.flush();
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
  store.flush();
  EXPECT_GT(store.stats().disk_failures, 0u);
}

}  // namespace
}  // namespace vl3::serve
