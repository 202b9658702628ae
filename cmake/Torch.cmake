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
get_filename_component(vl3_torch_root ${Torch_DIR}/../../.. ABSOLUTE)
if(EXISTS ${vl3_torch_root}/lib/libtorch_cuda.so)
  # The CMake files of a CUDA build demand the whole CUDA toolkit, which only compiling kernels would need.
  # So its libraries are linked by name; what they need in turn, they find by themselves.
  set(TORCH_INCLUDE_DIRS ${vl3_torch_root}/include ${vl3_torch_root}/include/torch/csrc/api/include)
  set(TORCH_LIBRARY ${vl3_torch_root}/lib/libtorch.so)
  set(TORCH_LIBRARIES -Wl,--no-as-needed -Wl,--allow-shlib-undefined ${TORCH_LIBRARY})
  foreach(part torch_cpu torch_cuda c10 c10_cuda)
    list(APPEND TORCH_LIBRARIES ${vl3_torch_root}/lib/lib${part}.so)
  endforeach()
  set(vl3_torch_definitions USE_DISTRIBUTED USE_C10D_GLOO USE_RPC USE_TENSORPIPE)
else()
  find_package(Torch 2.11 REQUIRED)
endif()

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
# The OpenMP runtime that libtorch loads, for src/ops/parallel.cpp. A prebuilt libtorch carries its own beside itself,
# perhaps renamed (libgomp-a34b3233.so.1): linking the compiler's would load a second one with threads of its own.
file(GLOB vl3_openmp ${vl3_torch_root}/lib/libgomp*.so*)
if(NOT vl3_openmp)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set(vl3_openmp ${OpenMP_CXX_LIBRARIES})
endif()
target_link_libraries(vl3_torch INTERFACE ${vl3_openmp})
target_compile_definitions(vl3_torch INTERFACE ${vl3_torch_definitions})
separate_arguments(vl3_torch_flags NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(vl3_torch INTERFACE ${vl3_torch_flags})

# Gloo is inside libtorch, but the wheel carries none of its headers; Debian's libgloo-dev has those of the same interface.
find_path(GLOO_INCLUDE_DIR gloo/algorithm.h)
if(NOT GLOO_INCLUDE_DIR)
  message(FATAL_ERROR "gloo's headers not found: install libgloo-dev (tools/apt-packages.txt), or set -DGLOO_INCLUDE_DIR")
endif()
add_library(vl3_gloo_headers INTERFACE)
target_include_directories(vl3_gloo_headers SYSTEM INTERFACE ${GLOO_INCLUDE_DIR})
