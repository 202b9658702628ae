# libvl3.so from every folder's library, and `cmake --install BUILD --prefix P`:
# bin/vl3, lib/libvl3.so, include/vl3/, share/vl3/models/tiny/, lib/cmake/vl3/ (find_package(vl3) gives vl3::vl3).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Where libtorch's libraries lie; the installed files look there at run time, and beside themselves first.
get_filename_component(vl3_torch_libdir ${TORCH_LIBRARY} DIRECTORY)

get_property(vl3_folders GLOBAL PROPERTY VL3_LIBRARIES)
list(REMOVE_ITEM vl3_folders vl3_cli vl3_serve_http vl3_serve_media vl3_serve vl3_serve_batch)
list(TRANSFORM vl3_folders REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE vl3_objects)
# The objects themselves, so that nothing is left out; the libraries after them only for what they link in turn.
add_library(vl3 SHARED ${vl3_objects})
add_library(vl3::vl3 ALIAS vl3)
target_link_libraries(vl3 PRIVATE ${vl3_folders})
set_target_properties(vl3 PROPERTIES
  LINKER_LANGUAGE CXX
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}
  INSTALL_RPATH "$ORIGIN;${vl3_torch_libdir};${vl3_arrow_libdir}")
target_include_directories(vl3 PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(vl3 PUBLIC cxx_std_20)

install(TARGETS vl3 EXPORT vl3Targets)
if(TARGET vl3_main)
  set_target_properties(vl3_main PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${vl3_torch_libdir};${vl3_arrow_libdir}")
  install(TARGETS vl3_main RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR})
  install(TARGETS vl3_media_worker RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR})
  install(TARGETS vl3_launcher)
endif()
install(DIRECTORY include/vl3 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY models/tiny DESTINATION ${CMAKE_INSTALL_DATADIR}/vl3/models OPTIONAL)

set(vl3_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vl3)
install(EXPORT vl3Targets NAMESPACE vl3:: DESTINATION ${vl3_package_dir})
configure_package_config_file(cmake/vl3Config.cmake.in ${PROJECT_BINARY_DIR}/vl3Config.cmake
                              INSTALL_DESTINATION ${vl3_package_dir} PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vl3ConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vl3Config.cmake ${PROJECT_BINARY_DIR}/vl3ConfigVersion.cmake
        DESTINATION ${vl3_package_dir})
