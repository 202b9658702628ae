# OpenVINO's C interface, for ONNX scorers of `vl3 curate`: from $OPENVINO (a folder with include/ and libs/), else the pinned wheel in
# .deps/venv. Defines vl3_openvino (INTERFACE): headers and the path of the library, which is loaded only where it is used.
file(GLOB vl3_openvino_wheel ${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/openvino)
find_path(VL3_OPENVINO_INCLUDE_DIR openvino/c/openvino.h HINTS $ENV{OPENVINO} ${vl3_openvino_wheel} PATH_SUFFIXES include)
file(GLOB vl3_openvino_found ${VL3_OPENVINO_INCLUDE_DIR}/../libs/libopenvino_c.so* ${VL3_OPENVINO_INCLUDE_DIR}/../lib/libopenvino_c.so*)
if(NOT VL3_OPENVINO_INCLUDE_DIR OR NOT vl3_openvino_found)
  message(FATAL_ERROR "OpenVINO not found: run `make setup`, or set OPENVINO to a folder with include/ and libs/")
endif()
list(GET vl3_openvino_found 0 vl3_openvino_library)
get_filename_component(vl3_openvino_library ${vl3_openvino_library} ABSOLUTE)
add_library(vl3_openvino INTERFACE)
target_include_directories(vl3_openvino SYSTEM INTERFACE ${VL3_OPENVINO_INCLUDE_DIR})
target_compile_definitions(vl3_openvino INTERFACE VL3_OPENVINO_C_LIBRARY="${vl3_openvino_library}")
target_link_libraries(vl3_openvino INTERFACE ${CMAKE_DL_LIBS})
