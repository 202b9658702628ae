// Uses one function of the installed library, so that it must be found at link time and loaded at run time.
#include "all_headers.h"

int main() {
  const vl3::Error error(vl3::ErrorCode::kCorrupt, "bad magic");
  return vl3::error_code_name(error.code()) == std::string("corrupt") ? 0 : 1;
}
