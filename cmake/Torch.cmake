# libtorch from $LIBTORCH (or -DTorch_DIR), else from the pinned wheel in .deps/venv.
# Defines vl3_torch (INTERFACE): headers as SYSTEM, libraries, the wheel's ABI flags.
if(NOT Torch_DIR)
  set(vl3_torch_hints $ENV{LIBTORCH} $ENV{LIBTORCH}/torch)
  file(GLOB vl3_wheel ${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/torch)
  find_path(vl3_torch_cmake TorchConfig.cmake
            HINTS ${vl3_torch_hints} ${vl3_wheel} PATH_SUFFIXES share/cmake/Torch NO_DEFAULT_PATH)
  if(NOT vl3_torch_cmake)
    message(FATAL_ERROR "libtorch not found: run `make setup`, or set LIBTORCH to an unpacked libtorch 2.11 or newer")
  endif()
  set(Torch_DIR ${vl3_torch_cmake})
endif()
find_package(Torch 2.11 REQUIRED)

add_library(vl3_torch INTERFACE)
# The wheel carries headers of another fmt release than the system's library; ours come first.
find_path(vl3_fmt_headers fmt/format.h PATHS /usr/include NO_DEFAULT_PATH)
if(NOT vl3_fmt_headers)
  find_path(vl3_fmt_headers fmt/format.h REQUIRED)
endif()
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/first)
file(CREATE_LINK ${vl3_fmt_headers}/fmt ${PROJECT_BINARY_DIR}/first/fmt SYMBOLIC)
target_include_directories(vl3_torch SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/first ${TORCH_INCLUDE_DIRS})
target_link_libraries(vl3_torch INTERFACE ${TORCH_LIBRARIES})
separate_arguments(vl3_torch_flags NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(vl3_torch INTERFACE ${vl3_torch_flags})
