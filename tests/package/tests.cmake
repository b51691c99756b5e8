# ctest -L package: installs this build into a scratch prefix, then builds and runs the program beside
# this file from it by CMake and by pkg-config, and once more from the sources by add_subdirectory.
set(package_scratch ${PROJECT_BINARY_DIR}/package)
set(package_script ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DSCRATCH=${package_scratch}
  -DBUILD=${PROJECT_BINARY_DIR} -DCOMPILER=${CMAKE_CXX_COMPILER} -DFLAGS=${CMAKE_CXX_FLAGS}
  -DTRAINER=${GRADUS_TRAINER} -DSHARED=${BUILD_SHARED_LIBS} -DLIBDIR=${CMAKE_INSTALL_LIBDIR}
  -DGENERATOR=${CMAKE_GENERATOR})
foreach(step install find pkg_config subdirectory)
  add_test(NAME package_${step}
    COMMAND ${package_script} -DSTEP=${step} -P ${PROJECT_SOURCE_DIR}/tests/package/run.cmake)
  set_tests_properties(package_${step} PROPERTIES LABELS package TIMEOUT 900)
endforeach()
set_tests_properties(package_subdirectory PROPERTIES LABELS "package;slow")  # compiles the library
set_tests_properties(package_install PROPERTIES FIXTURES_SETUP installed)
set_tests_properties(package_find package_pkg_config PROPERTIES FIXTURES_REQUIRED installed)
if(GRADUS_TRAINER)
  add_test(NAME package_custom_task
    COMMAND ${package_script} -DSTEP=custom_task -P ${PROJECT_SOURCE_DIR}/tests/package/run.cmake)
  set_tests_properties(package_custom_task PROPERTIES LABELS package FIXTURES_REQUIRED installed)
endif()
if(GRADUS_CUDA STREQUAL "SIMULATED")
  add_test(NAME package_kernel
    COMMAND ${package_script} -DSTEP=kernel -P ${PROJECT_SOURCE_DIR}/tests/package/run.cmake)
  set_tests_properties(package_kernel PROPERTIES LABELS package FIXTURES_REQUIRED installed)
endif()
