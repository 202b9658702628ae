// xgrammar's last warning on this thread. Internal to sampling/.
#pragma once

#include <string>

namespace vl3::sampling {

/// Empty it before a call, read it after.
std::string& grammar_warning();

}  // namespace vl3::sampling
