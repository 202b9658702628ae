// VL3_CHECK for conditions a caller or a file can break, VL3_FAIL to throw at once; both take a fmt format.
#pragma once

#include <fmt/format.h>

#include "vl3/error.h"

#define VL3_FAIL(code, ...) throw ::vl3::Error(::vl3::ErrorCode::code, ::fmt::format(__VA_ARGS__))

#define VL3_CHECK(condition, code, ...)            \
  do {                                             \
    if (!(condition)) VL3_FAIL(code, __VA_ARGS__); \
  } while (false)

/// Our own invariants: a failure is a defect of vl3.
#define VL3_DCHECK(condition) \
  VL3_CHECK(condition, kInternal, "{}:{}: {} does not hold", __FILE__, __LINE__, #condition)
