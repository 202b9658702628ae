#include "curate/media_path.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "curate/pictures.h"

namespace vl3::curate {
namespace {

class MediaPath : public ::testing::Test {
 protected:
  void SetUp() override {
    (void)dir_.write("root/a/b.jpg", "x");
    (void)dir_.write("outside/secret.jpg", "x");
    std::filesystem::create_symlink("../outside/secret.jpg", dir_ / "root/out.jpg");
    std::filesystem::create_symlink("a/b.jpg", dir_ / "root/in.jpg");
    std::filesystem::create_directory_symlink("../outside", dir_ / "root/folder");
    std::filesystem::create_symlink("loop", dir_ / "root/loop");
    ::mkfifo((dir_ / "root/pipe").c_str(), 0600);
    root_ = std::filesystem::canonical(dir_ / "root");
  }
  std::string reason(const std::string& name) const { return resolve_media(root_, name).reason; }
  test::TempDir dir_;
  std::filesystem::path root_;
};

TEST_F(MediaPath, TakesRegularFilesInside) {
  EXPECT_EQ(resolve_media(root_, "a/b.jpg").path, root_ / "a/b.jpg");
  EXPECT_EQ(resolve_media(root_, "a/../a/./b.jpg").path, root_ / "a/b.jpg");
  EXPECT_EQ(resolve_media(root_, "in.jpg").path, root_ / "a/b.jpg");
}

TEST_F(MediaPath, RefusesWhatLeadsOut) {
  EXPECT_EQ(reason("../outside/secret.jpg"), "outside_data_root");
  EXPECT_EQ(reason("a/../../outside/secret.jpg"), "outside_data_root");
  EXPECT_EQ(reason("out.jpg"), "outside_data_root");
  EXPECT_EQ(reason("folder/secret.jpg"), "outside_data_root");
  EXPECT_EQ(reason((dir_ / "root/a/b.jpg").string()), "absolute_path");
  EXPECT_EQ(reason("/dev/zero"), "absolute_path");
}

TEST_F(MediaPath, RefusesOddNamesAndOtherThanFiles) {
  EXPECT_EQ(reason(""), "name_empty");
  EXPECT_EQ(reason("a\nb.jpg"), "name_control_characters");
  EXPECT_EQ(reason(std::string("a\0b.jpg", 7)), "name_control_characters");
  EXPECT_EQ(reason("a\xff.jpg"), "name_not_utf8");
  EXPECT_EQ(reason(std::string(5000, 'a')), "name_too_long");
  EXPECT_EQ(reason(std::string(300, 'a')), "name_too_long");
  EXPECT_EQ(reason("http://127.0.0.1/a.jpg"), "not_local");
  EXPECT_EQ(reason("data:image/png;base64,AAAA"), "not_local");
  EXPECT_EQ(reason("nothing.jpg"), "missing");
  EXPECT_EQ(reason("a/b.jpg/c"), "missing");
  EXPECT_EQ(reason("loop"), "missing");
  EXPECT_EQ(reason("a"), "not_a_file");
  EXPECT_EQ(reason("pipe"), "not_a_file");
}

}  // namespace
}  // namespace vl3::curate
