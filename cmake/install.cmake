# cmake --install: the library, its headers under include/gradus, a CMake package, a pkg-config file
# and the command line. The prefix may be moved afterwards.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gradus)

target_include_directories(gradus INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS gradus EXPORT gradus-targets)
foreach(folder ${GRADUS_FOLDERS})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradus
    FILES_MATCHING PATTERN "*.h" PATTERN kernels/cpu EXCLUDE PATTERN dlpack_abi.h EXCLUDE
    PATTERN tensor/cuda EXCLUDE PATTERN kernels/cuda EXCLUDE PATTERN kernels/simt EXCLUDE)
endforeach()
if(NOT GRADUS_CUDA STREQUAL "OFF")  # what kernels of one's own are written with
  foreach(name tensor/cuda/runtime.h tensor/cuda/stream.h kernels/cuda/launch.cuh
      kernels/cuda/vector.cuh kernels/cuda/block_reduce.cuh kernels/cuda/report.cuh)
    cmake_path(GET name PARENT_PATH folder)
    install(FILES ${PROJECT_SOURCE_DIR}/${name}
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradus/${folder})
  endforeach()
endif()
if(GRADUS_CUDA STREQUAL "SIMULATED")
  install(FILES ${PROJECT_SOURCE_DIR}/kernels/simt/device.h ${PROJECT_SOURCE_DIR}/kernels/simt/simt.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradus/kernels/simt)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/gradus.h ${GRADUS_INCLUDE_ROOT}/gradus/config.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradus)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET gradus_cli)
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_BINDIR BASE_DIRECTORY /prefix OUTPUT_VARIABLE bin)
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY /prefix OUTPUT_VARIABLE lib)
  file(RELATIVE_PATH bin_to_lib ${bin} ${lib})
  set_target_properties(gradus_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}")
  install(TARGETS gradus_cli)
endif()

install(EXPORT gradus-targets NAMESPACE gradus:: DESTINATION ${package_dir})
configure_package_config_file(cmake/gradus-config.cmake.in ${PROJECT_BINARY_DIR}/gradus-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gradus-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gradus-config.cmake
  ${PROJECT_BINARY_DIR}/gradus-config-version.cmake DESTINATION ${package_dir})

# What a static library needs its users must link as well; a shared one brings it along.
set(pc_requires "")
if(GRADUS_TRAINER)
  set(pc_requires "zlib libjpeg")
endif()
set(pc_libs "")
if(GRADUS_CUDA STREQUAL "ON" AND NOT BUILD_SHARED_LIBS)
  set(pc_libs " -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lrt -ldl")
endif()
set(pc_suffix "")
if(BUILD_SHARED_LIBS)
  set(pc_suffix .private)
endif()
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY /prefix OUTPUT_VARIABLE lib)
file(RELATIVE_PATH pc_to_prefix ${lib}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
configure_file(cmake/gradus.pc.in ${PROJECT_BINARY_DIR}/gradus.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/gradus.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(GRADUS_NATIVE)
  install(CODE "message(NOTICE \"-- gradus is built for this machine's processor; \"
    \"configure with -DGRADUS_NATIVE=OFF for a copy that others can run\")")
endif()
