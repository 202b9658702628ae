// bin/vl3 hands everything to libexec/vl3 and tells OpenMP to sleep soon. Here the program proper is a
// script.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "support/temp_dir.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;

class Launcher : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(folder_ / "bin");
    fs::copy_file(VL3_BINARY, folder_ / "bin/vl3");
  }
  void install_script(const std::string& body) {
    const fs::path script = folder_.write("libexec/vl3", "#!/bin/sh\n" + body + "\n");
    ::chmod(script.c_str(), 0755);
  }
  // Runs `before VL3 after` in a shell and gives what it printed.
  std::string run(const std::string& before, const std::string& after) {
    const std::string command = before + " " + (folder_ / "bin/vl3").string() + " " + after + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string out;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) out += static_cast<char>(c);
    status_ = ::pclose(pipe);
    return out;
  }

  TempDir folder_;
  int status_ = 0;
};

TEST_F(Launcher, HandsOnArgumentsAndStatusAndShortensTheSpin) {
  install_script("echo \"$GOMP_SPINCOUNT|$1|$2\"; exit 3");
  EXPECT_EQ(run("env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT", "ask 'two words'"), "2000|ask|two words\n");
  EXPECT_EQ(WEXITSTATUS(status_), 3);
}

TEST_F(Launcher, LeavesTheUsersOwnSettingAlone) {
  install_script("echo \"$OMP_WAIT_POLICY|$GOMP_SPINCOUNT\"");
  EXPECT_EQ(run("env -u GOMP_SPINCOUNT OMP_WAIT_POLICY=active", ""), "active|\n");
  EXPECT_EQ(run("env -u OMP_WAIT_POLICY GOMP_SPINCOUNT=7", ""), "|7\n");
}

TEST_F(Launcher, SaysWhatIsMissing) {
  const std::string out = run("", "--version");
  EXPECT_NE(out.find("libexec/vl3: No such file or directory"), std::string::npos) << out;
  EXPECT_EQ(WEXITSTATUS(status_), 1);
}

}  // namespace
}  // namespace vl3::test
