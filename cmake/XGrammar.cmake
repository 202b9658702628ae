# vl3_xgrammar: the C++ core of xgrammar (grammar-constrained decoding), from its unpacked source distribution.
# `make setup` puts the pinned version into .deps/xgrammar; -DXGRAMMAR_SOURCE_DIR=… names another place.
set(XGRAMMAR_SOURCE_DIR ${PROJECT_SOURCE_DIR}/.deps/xgrammar CACHE PATH "Unpacked xgrammar source distribution")
if(NOT EXISTS ${XGRAMMAR_SOURCE_DIR}/include/xgrammar/xgrammar.h)
  message(FATAL_ERROR "xgrammar's sources not found at ${XGRAMMAR_SOURCE_DIR}: run `make setup`, "
                      "or set -DXGRAMMAR_SOURCE_DIR to an unpacked xgrammar 0.2.8")
endif()

set(vl3_xgrammar_cpp ${XGRAMMAR_SOURCE_DIR}/cpp)
add_library(vl3_xgrammar STATIC
  ${vl3_xgrammar_cpp}/compiled_grammar.cc
  ${vl3_xgrammar_cpp}/config.cc
  ${vl3_xgrammar_cpp}/converter_ext/cohere.cc
  ${vl3_xgrammar_cpp}/converter_ext/deepseek.cc
  ${vl3_xgrammar_cpp}/converter_ext/glm.cc
  ${vl3_xgrammar_cpp}/converter_ext/kimi_k3.cc
  ${vl3_xgrammar_cpp}/converter_ext/minimax.cc
  ${vl3_xgrammar_cpp}/converter_ext/minimax_m3.cc
  ${vl3_xgrammar_cpp}/converter_ext/qwen.cc
  ${vl3_xgrammar_cpp}/earley_parser.cc
  ${vl3_xgrammar_cpp}/fsm.cc
  ${vl3_xgrammar_cpp}/fsm_builder.cc
  ${vl3_xgrammar_cpp}/grammar.cc
  ${vl3_xgrammar_cpp}/grammar_builder.cc
  ${vl3_xgrammar_cpp}/grammar_compiler.cc
  ${vl3_xgrammar_cpp}/grammar_functor.cc
  ${vl3_xgrammar_cpp}/grammar_matcher.cc
  ${vl3_xgrammar_cpp}/grammar_parser.cc
  ${vl3_xgrammar_cpp}/grammar_printer.cc
  ${vl3_xgrammar_cpp}/json_schema_converter.cc
  ${vl3_xgrammar_cpp}/lark_converter.cc
  ${vl3_xgrammar_cpp}/regex_converter.cc
  ${vl3_xgrammar_cpp}/structural_tag.cc
  ${vl3_xgrammar_cpp}/suffix_automata.cc
  ${vl3_xgrammar_cpp}/support/logging.cc
  ${vl3_xgrammar_cpp}/support/recursion_guard.cc
  ${vl3_xgrammar_cpp}/testing.cc
  ${vl3_xgrammar_cpp}/tokenizer_info.cc
  ${PROJECT_SOURCE_DIR}/src/sampling/xgrammar_log.cpp)
target_include_directories(vl3_xgrammar SYSTEM PUBLIC
  $<BUILD_INTERFACE:${XGRAMMAR_SOURCE_DIR}/include>
  $<BUILD_INTERFACE:${XGRAMMAR_SOURCE_DIR}/3rdparty/dlpack/include>
  PRIVATE ${XGRAMMAR_SOURCE_DIR}/3rdparty/picojson ${vl3_xgrammar_cpp} ${PROJECT_SOURCE_DIR}/src)
# Its parser gets a budget of time and memory (see that header).
set_source_files_properties(${vl3_xgrammar_cpp}/grammar_compiler.cc ${vl3_xgrammar_cpp}/grammar_matcher.cc PROPERTIES
  COMPILE_OPTIONS "-include;${PROJECT_SOURCE_DIR}/src/sampling/xgrammar_budget.h"
  OBJECT_DEPENDS ${PROJECT_SOURCE_DIR}/src/sampling/xgrammar_budget.h)
# XGRAMMAR_LOG_CUSTOMIZE: its messages come to xgrammar_log.cpp instead of going to stderr.
target_compile_definitions(vl3_xgrammar PRIVATE
  XGRAMMAR_ENABLE_CPPTRACE=0 XGRAMMAR_ENABLE_INTERNAL_CHECK=0 XGRAMMAR_LOG_CUSTOMIZE=1)
# Under sanitizers: addresses only, and -O1, for its large sources then compile for many minutes at -O2.
target_compile_options(vl3_xgrammar PRIVATE -w $<IF:$<BOOL:${VL3_SANITIZE}>,-O1;-fno-sanitize=undefined,-O2>)
target_link_libraries(vl3_xgrammar PUBLIC Threads::Threads)
