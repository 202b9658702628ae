# Build switches; every one has a default that a plain `cmake -B build` can live with.
option(VL3_DEVELOPER "Build tests and benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(VL3_EXAMPLES "Build examples/" ${PROJECT_IS_TOP_LEVEL})
option(VL3_WERROR "Treat warnings in vl3's own code as errors" ${PROJECT_IS_TOP_LEVEL})
option(VL3_PCH "Use the shared precompiled header" ON)
option(VL3_NCCL "Train on several GPUs with NCCL (needs a CUDA libtorch and nccl.h)" OFF)
set(VL3_SANITIZE "" CACHE STRING "Sanitizers: address;undefined or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)

# ccache with precompiled headers wants this sloppiness; the base directory lets another checkout share what is cached.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} ${CCACHE})
endif()
