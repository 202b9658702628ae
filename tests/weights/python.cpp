#include "weights/python.h"

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

namespace vl3::test {
namespace {

std::string shell_quoted(const std::string& text) {
  std::string out(1, '\'');
  for (const char c : text) {
    if (c == '\'') {
      out.append("'\\''");
    } else {
      out.push_back(c);
    }
  }
  out.push_back('\'');
  return out;
}

}  // namespace

PythonResult run_python(const std::string& script, const std::vector<std::string>& arguments) {
  const char* chosen = std::getenv("VL3_PYTHON");
  std::string command = "HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false ";
  command += shell_quoted(chosen != nullptr && *chosen != '\0' ? chosen : "python3");
  command.append(" ").append(shell_quoted(std::string(VL3_SOURCE_DIR "/tests/weights/").append(script)));
  for (const std::string& argument : arguments) command.append(" ").append(shell_quoted(argument));
  command += " 2>&1";
  PythonResult result;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) result.output.append(buffer, got);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
  return result;
}

}  // namespace vl3::test
