#include "core/launch_environment.h"

#include <charconv>
#include <cstdlib>
#include <utility>

#include "core/check.h"

namespace vl3 {
namespace {

int64_t number(const std::string& name, const std::string& text, int64_t lowest, int64_t highest) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  VL3_CHECK(error == std::errc() && end == text.data() + text.size() && value >= lowest && value <= highest,
            kInvalidArgument, "environment variable {}=\"{}\": expected a number from {} to {}", name, text,
            lowest, highest);
  return value;
}

constexpr int64_t kMostProcesses = 1'000'000;

struct Names {
  const char *rank, *size, *local;
};

// Rank and size of one launcher; nullopt when it set neither.
std::optional<LaunchEnvironment> read(const GetVariable& get, const Names& names) {
  const auto rank = get(names.rank), size = get(names.size);
  if (!rank && !size) return std::nullopt;
  VL3_CHECK(rank && size, kInvalidArgument,
            "environment variable {} is set, but {} is not: both come from a launcher",
            rank ? names.rank : names.size, rank ? names.size : names.rank);
  LaunchEnvironment found;
  found.world_size = number(names.size, *size, 1, kMostProcesses);
  found.rank = number(names.rank, *rank, 0, kMostProcesses);
  VL3_CHECK(found.rank < found.world_size, kInvalidArgument, "environment: {}={} is not below {}={}",
            names.rank, found.rank, names.size, found.world_size);
  if (const auto local = get(names.local)) found.local_rank = number(names.local, *local, 0, kMostProcesses);
  return found;
}

enum class Launcher { kTorchrun, kOpenMpi, kPmi, kSlurm };

struct Process {
  Launcher launcher;
  LaunchEnvironment place;  // rank and size alone
};

// Of the launchers the innermost: torchrun inside a Slurm job counts as torchrun.
std::optional<Process> find_process(const GetVariable& get) {
  constexpr std::pair<Launcher, Names> kLaunchers[] = {
      {Launcher::kTorchrun, {"RANK", "WORLD_SIZE", "LOCAL_RANK"}},
      {Launcher::kOpenMpi, {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"}},
      {Launcher::kPmi, {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"}},
      {Launcher::kSlurm, {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"}}};
  for (const auto& [launcher, names] : kLaunchers) {
    // Inside an allocation, but started by hand and not by srun.
    if (launcher == Launcher::kSlurm && !get(names.rank)) continue;
    if (const auto place = read(get, names)) return Process{launcher, *place};
  }
  return std::nullopt;
}

std::optional<std::string> own_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace

std::string first_host(const std::string& nodelist) {
  const size_t bracket = nodelist.find('['), comma = nodelist.find(',');
  if (bracket == std::string::npos || comma < bracket) return nodelist.substr(0, comma);
  const size_t end = nodelist.find_first_of(",-]", bracket);
  VL3_CHECK(end != std::string::npos, kInvalidArgument, "host list \"{}\": the bracket is not closed",
            nodelist);
  const size_t close = nodelist.find(']', bracket);
  VL3_CHECK(close != std::string::npos, kInvalidArgument, "host list \"{}\": the bracket is not closed",
            nodelist);
  const size_t next = nodelist.find(',', close);
  return nodelist.substr(0, bracket) + nodelist.substr(bracket + 1, end - bracket - 1) +
         nodelist.substr(close + 1, next == std::string::npos ? next : next - close - 1);
}

std::optional<LaunchEnvironment> launch_environment(const GetVariable& get) {
  auto process = find_process(get);
  if (!process) return std::nullopt;
  LaunchEnvironment& found = process->place;
  if (process->launcher == Launcher::kSlurm) {
    if (const auto nodes = get("SLURM_JOB_NODELIST")) found.master_addr = first_host(*nodes);
    // Two jobs on one node must not meet at one port.
    if (const auto job = get("SLURM_JOB_ID"))
      found.master_port = 15000 + number("SLURM_JOB_ID", *job, 0, INT64_MAX) % 15000;
  }
  if (found.world_size == 1) return std::nullopt;
  const bool one_machine = (process->launcher == Launcher::kOpenMpi &&
                            get("OMPI_COMM_WORLD_LOCAL_SIZE") == get("OMPI_COMM_WORLD_SIZE")) ||
                           (process->launcher == Launcher::kPmi && get("MPI_LOCALNRANKS") == get("PMI_SIZE"));
  if (one_machine) found.master_addr = "127.0.0.1";
  if (const auto addr = get("MASTER_ADDR")) found.master_addr = *addr;
  const auto port = get("MASTER_PORT");
  if (port) found.master_port = number("MASTER_PORT", *port, 1, 65535);
  VL3_CHECK(!found.master_addr.empty(), kInvalidArgument,
            "{} processes, but MASTER_ADDR is not set: set it to the machine of rank 0", found.world_size);
  const bool torchrun = process->launcher == Launcher::kTorchrun;
  VL3_CHECK(!torchrun || port, kInvalidArgument,
            "WORLD_SIZE={}, but MASTER_PORT is not set: torchrun sets it", found.world_size);
  found.agent_store = torchrun && get("TORCHELASTIC_USE_AGENT_STORE") == "True";
  if (torchrun) found.store_prefix = "attempt_" + get("TORCHELASTIC_RESTART_COUNT").value_or("0");
  return found;
}

std::optional<LaunchEnvironment> launched_process(const GetVariable& get) {
  const auto process = find_process(get);
  return process && process->place.world_size > 1 ? std::optional(process->place) : std::nullopt;
}

std::optional<LaunchEnvironment> launch_environment() { return launch_environment(own_variable); }
std::optional<LaunchEnvironment> launched_process() { return launched_process(own_variable); }

}  // namespace vl3
