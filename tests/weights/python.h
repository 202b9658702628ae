// Running a Python script from a test: $VL3_PYTHON, else python3.
#pragma once

#include <string>
#include <vector>

namespace vl3::test {

struct PythonResult {
  int status = -1;     ///< exit status; kPythonSkipped where the script says that a module is missing
  std::string output;  ///< stdout and stderr together
};

inline constexpr int kPythonSkipped = 77;

/// @param script  in the folder of this file. Stays offline whatever the script loads.
PythonResult run_python(const std::string& script, const std::vector<std::string>& arguments);

}  // namespace vl3::test
