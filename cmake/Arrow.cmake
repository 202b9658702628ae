# Arrow's Parquet reader: from $LIBARROW (a folder with include/ and libarrow), else the pinned wheel in .deps/venv.
# Defines vl3_parquet (INTERFACE). The wheel's libraries carry no unversioned name, so they are found by pattern.
file(GLOB vl3_arrow_wheel ${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/pyarrow)
find_path(VL3_ARROW_INCLUDE_DIR parquet/arrow/reader.h
          HINTS $ENV{LIBARROW} ${vl3_arrow_wheel} PATH_SUFFIXES include)
foreach(part arrow parquet)
  file(GLOB vl3_arrow_found ${VL3_ARROW_INCLUDE_DIR}/../lib${part}.so* ${VL3_ARROW_INCLUDE_DIR}/../lib/lib${part}.so*)
  list(SORT vl3_arrow_found)
  if(NOT VL3_ARROW_INCLUDE_DIR OR NOT vl3_arrow_found)
    message(FATAL_ERROR "Arrow's lib${part} not found: run `make setup`, or set LIBARROW to a folder with include/ and its libraries")
  endif()
  list(GET vl3_arrow_found 0 vl3_${part}_library)
  get_filename_component(vl3_${part}_library ${vl3_${part}_library} ABSOLUTE)
endforeach()
get_filename_component(vl3_arrow_libdir ${vl3_arrow_library} DIRECTORY)
add_library(vl3_parquet INTERFACE)
target_include_directories(vl3_parquet SYSTEM INTERFACE ${VL3_ARROW_INCLUDE_DIR})
target_link_libraries(vl3_parquet INTERFACE ${vl3_parquet_library} ${vl3_arrow_library})
