#include "core/log.h"

namespace vl3 {

spdlog::logger& logger() {
  static spdlog::logger instance("vl3");
  return instance;
}

}  // namespace vl3
