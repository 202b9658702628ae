#include "hub/environment.h"

#include <gtest/gtest.h>

#include "hub/scoped_variables.h"
#include "support/temp_dir.h"

namespace vl3::hub {
namespace {

using test::error_of;
using test::ScopedVariables;
using test::TempDir;

TEST(Environment, CacheFolderInTheOrderOfOtherClients) {
  ScopedVariables variables;
  variables.set("HOME", "/home/u");
  EXPECT_EQ(default_cache_dir(), "/home/u/.cache/huggingface/hub");
  variables.set("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(default_cache_dir(), "/xdg/huggingface/hub");
  variables.set("HF_HOME", "~/hf");
  EXPECT_EQ(default_cache_dir(), "/home/u/hf/hub");
  variables.set("HUGGINGFACE_HUB_CACHE", "/old");
  EXPECT_EQ(default_cache_dir(), "/old");
  variables.set("HF_HUB_CACHE", "~");
  EXPECT_EQ(default_cache_dir(), "/home/u/");
  variables.set("HF_HUB_CACHE", "/new");
  EXPECT_EQ(default_cache_dir(), "/new");
}

TEST(Environment, EndpointHasNoDefault) {
  ScopedVariables variables;
  EXPECT_NE(error_of([] { default_endpoint(); }).find("set HF_ENDPOINT"), std::string::npos);
  variables.set("HF_ENDPOINT", "http://127.0.0.1:1/mirror//");
  EXPECT_EQ(default_endpoint(), "http://127.0.0.1:1/mirror");
}

TEST(Environment, TokenFromVariableOrFile) {
  const TempDir dir;
  ScopedVariables variables;
  variables.set("HF_HOME", dir.path().string());
  EXPECT_EQ(default_token(), "");
  dir.write("token", " from-home\n");
  EXPECT_EQ(default_token(), "from-home");
  variables.set("HF_TOKEN_PATH", dir.write("other", "from-path\n").string());
  EXPECT_EQ(default_token(), "from-path");
  variables.set("HF_TOKEN", "\tfrom-variable\n");
  EXPECT_EQ(default_token(), "from-variable");
  variables.set("HF_TOKEN", " ");
  EXPECT_EQ(default_token(), "from-path");
  dir.write("other", std::string(5000, 'x'));
  EXPECT_NE(error_of([] { default_token(); }).find("access token"), std::string::npos);
}

TEST(Environment, OfflineSwitch) {
  ScopedVariables variables;
  EXPECT_FALSE(offline_by_environment());
  for (const char* on : {"1", "on", "YES", "True"}) {
    variables.set("HF_HUB_OFFLINE", on);
    EXPECT_TRUE(offline_by_environment()) << on;
  }
  for (const char* off : {"", "0", "no", "false"}) {
    variables.set("HF_HUB_OFFLINE", off);
    EXPECT_FALSE(offline_by_environment()) << off;
  }
  variables.set("HF_HUB_OFFLINE", "");
  variables.set("TRANSFORMERS_OFFLINE", "1");
  EXPECT_TRUE(offline_by_environment());
}

}  // namespace
}  // namespace vl3::hub
