#include "core/launch_environment.h"

#include <gtest/gtest.h>

#include <map>

#include "support/temp_dir.h"

namespace vl3 {
namespace {

using Variables = std::map<std::string, std::string>;

std::optional<LaunchEnvironment> launched(const Variables& variables) {
  return launch_environment([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

std::string refusal(const Variables& variables) {
  return test::error_of([&] { launched(variables); });
}

TEST(LaunchEnvironment, NothingSetIsOneProcess) {
  EXPECT_FALSE(launched({}));
  EXPECT_FALSE(launched({{"RANK", "0"}, {"WORLD_SIZE", "1"}}));
}

TEST(LaunchEnvironment, Torchrun) {
  const auto found = launched({{"RANK", "3"},
                               {"WORLD_SIZE", "4"},
                               {"LOCAL_RANK", "1"},
                               {"MASTER_ADDR", "a"},
                               {"MASTER_PORT", "1234"},
                               {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                               {"TORCHELASTIC_RESTART_COUNT", "2"}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rank, 3);
  EXPECT_EQ(found->world_size, 4);
  EXPECT_EQ(found->local_rank, 1);
  EXPECT_EQ(found->master_addr, "a");
  EXPECT_EQ(found->master_port, 1234);
  EXPECT_TRUE(found->agent_store);
  EXPECT_EQ(found->store_prefix, "attempt_2");
}

TEST(LaunchEnvironment, MpirunOnOneMachineNeedsNoAddress) {
  const auto found = launched({{"OMPI_COMM_WORLD_RANK", "1"},
                               {"OMPI_COMM_WORLD_SIZE", "2"},
                               {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                               {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->master_addr, "127.0.0.1");
  EXPECT_NE(
      refusal(
          {{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}})
          .find("MASTER_ADDR"),
      std::string::npos);
  EXPECT_EQ(launched({{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MASTER_ADDR", "b"}})->master_addr, "b");
}

TEST(LaunchEnvironment, Slurm) {
  const auto found = launched({{"SLURM_PROCID", "5"},
                               {"SLURM_NTASKS", "8"},
                               {"SLURM_LOCALID", "1"},
                               {"SLURM_JOB_NODELIST", "gpu[07-09,12]"},
                               {"SLURM_JOB_ID", "30007"}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->master_addr, "gpu07");
  EXPECT_EQ(found->master_port, 15007);
  EXPECT_EQ(found->local_rank, 1);
}

TEST(LaunchEnvironment, InsideAnAllocationWithoutSrunIsOneProcess) {
  EXPECT_FALSE(launched({{"SLURM_NTASKS", "4"}, {"SLURM_JOB_NODELIST", "gpu1"}, {"SLURM_JOB_ID", "7"}}));
}

TEST(LaunchEnvironment, FirstHost) {
  EXPECT_EQ(first_host("login"), "login");
  EXPECT_EQ(first_host("a1,b2"), "a1");
  EXPECT_EQ(first_host("n[3,5-7]-ib,z"), "n3-ib");
  EXPECT_NE(test::error_of([] { first_host("n[3"); }), "");
}

TEST(LaunchEnvironment, RefusesContradictions) {
  EXPECT_NE(refusal({{"RANK", "0"}}).find("WORLD_SIZE is not"), std::string::npos);
  EXPECT_NE(refusal({{"RANK", "2"}, {"WORLD_SIZE", "2"}}).find("not below"), std::string::npos);
  EXPECT_NE(refusal({{"RANK", "x"}, {"WORLD_SIZE", "2"}}).find("RANK=\"x\""), std::string::npos);
  EXPECT_NE(refusal({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}).find("MASTER_PORT"),
            std::string::npos);
  EXPECT_NE(refusal({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "99999"}})
                .find("65535"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3
