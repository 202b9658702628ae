// Which process of how many this is, from the variables that torchrun, mpirun and Slurm set. Plain data.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace vl3 {

struct LaunchEnvironment {
  int64_t rank = 0;
  int64_t world_size = 1;
  int64_t local_rank = 0;   ///< among the processes of this machine: the number of its GPU
  std::string master_addr;  ///< machine of rank 0
  int64_t master_port = 29500;
  bool agent_store = false;  ///< torchrun itself already listens at master_addr:master_port
  std::string store_prefix;  ///< of this attempt, where torchrun restarts workers
};

/// The value of an environment variable; nullopt when unset or empty.
using GetVariable = std::function<std::optional<std::string>(const std::string&)>;

/// Rank, world size and local rank alone, for processes that meet in files: no address is needed.
/// @return nullopt when no launcher's variables are set, or they name one process.
std::optional<LaunchEnvironment> launched_process(const GetVariable& get);
std::optional<LaunchEnvironment> launched_process();

/// @return nullopt when no launcher's variables are set, or they name one process.
///   torchrun: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT. mpirun: OMPI_COMM_WORLD_RANK, _SIZE,
///   _LOCAL_RANK, or PMI_RANK, PMI_SIZE, MPI_LOCALRANKID. Slurm: SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID,
///   SLURM_JOB_NODELIST (its first host is the master), SLURM_JOB_ID (picks the port). MASTER_ADDR and
///   MASTER_PORT win everywhere.
/// @throws Error(kInvalidArgument) for half a set of variables, a rank outside the world, a port that is
/// none.
std::optional<LaunchEnvironment> launch_environment(const GetVariable& get);

/// Of this process.
std::optional<LaunchEnvironment> launch_environment();

/// "node[03-05,9],login" -> "node03". Source: Slurm's hostlist notation.
std::string first_host(const std::string& nodelist);

}  // namespace vl3
