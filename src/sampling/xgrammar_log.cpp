// What xgrammar wants to say comes here instead of to stderr (XGRAMMAR_LOG_CUSTOMIZE): a warning always means
// that it ignores a part of what was asked for, so it is kept and made an error by constraint.cpp.
#include "sampling/xgrammar_log.h"

#include "support/logging.h"

namespace vl3::sampling {

std::string& grammar_warning() {
  thread_local std::string warning;
  return warning;
}

}  // namespace vl3::sampling

namespace xgrammar {

void LogFatalImpl(const std::string& file, int lineno, const std::string& message) {
  throw LogFatalError(file, lineno, message);
}

void LogMessageImpl(const std::string&, int, int level, const std::string& message) {
  if (level == XGRAMMAR_LOG_LEVEL_WARNING) vl3::sampling::grammar_warning() = message;
}

}  // namespace xgrammar
