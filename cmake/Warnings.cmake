# Warnings for vl3's own targets only; third-party headers are SYSTEM.
add_library(vl3_warnings INTERFACE)
target_compile_options(vl3_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                                              $<$<BOOL:${VL3_WERROR}>:-Werror>)
