# One test program from tests/*/test_*.cpp, run by ctest as one test per GoogleTest suite; then the
# tests of the tree itself (layers, docs) and of the installed package.
find_package(GTest REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)  # the reference for linear algebra
set(GRADUS_TEST_SOURCES "" CACHE STRING "Regular expression: build these test sources only")
file(GLOB test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*/test_*.cpp)
file(GLOB harnesses CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.cpp)
list(APPEND test_sources ${harnesses})
if(NOT GRADUS_TRAINER)
  list(FILTER test_sources EXCLUDE REGEX "/tests/(trainer/|fuzz/|cuda/test_train_command)")
  list(FILTER test_sources EXCLUDE REGEX "/tests/crash/test_(interruptions|memory|every_step|power_cut)")
endif()
if(GRADUS_CUDA STREQUAL "OFF")
  list(FILTER test_sources EXCLUDE REGEX "/tests/(cuda|simt)/")
elseif(GRADUS_CUDA STREQUAL "ON")
  list(FILTER test_sources EXCLUDE REGEX "/tests/simt/")
endif()
if(GRADUS_TEST_SOURCES)
  list(FILTER test_sources INCLUDE REGEX "${GRADUS_TEST_SOURCES}")
endif()
add_executable(gradus_tests ${test_sources})
# Not joined with others in a unity build: tests that some builds leave out, so that the same others are
# joined in every build; harnesses, which register themselves, each in a namespace of its own; and
# tests that begin with the command line's own names.
set(alone ${test_sources})
list(FILTER alone INCLUDE REGEX
  "/(cuda|simt|fuzz)/|/test_(every_step|power_cut|incidents|releases|requeue|triggers|warm_start)")
set_source_files_properties(${alone} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
gradus_flags(gradus_tests)
target_compile_options(gradus_tests PRIVATE ${GRADUS_SIMULATED_FLAGS})
# What takes time in tests is the library; -O3 would only make them twice as long to compile.
target_compile_options(gradus_tests PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1>)
target_precompile_headers(gradus_tests PRIVATE <cmath> <cstring> <filesystem> <fstream> <functional>
  <gtest/gtest.h> <limits> <map> <random> <string> <vector>
  ${GRADUS_INCLUDE_ROOT}/gradus/autograd/functions.h
  ${GRADUS_INCLUDE_ROOT}/gradus/kernels/create.h ${GRADUS_INCLUDE_ROOT}/gradus/tensor/parallel.h)
target_include_directories(gradus_tests PRIVATE ${GRADUS_TEST_INCLUDE_ROOT})
target_compile_definitions(gradus_tests PRIVATE GRADUS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_link_libraries(gradus_tests PRIVATE gradus::gradus gradus_fmt nlohmann_json::nlohmann_json
  Eigen3::Eigen GTest::gtest_main)
if(TARGET gradus_ladder)
  target_link_libraries(gradus_tests PRIVATE gradus_ladder)
endif()
if(TARGET gradus_cli)  # tests run it, and the package test installs it
  add_dependencies(gradus_tests gradus_cli)
  target_compile_definitions(gradus_tests PRIVATE GRADUS_CLI="$<TARGET_FILE:gradus_cli>")
endif()

# The suites are listed when ctest starts: always current, and one process a suite instead of a test.
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/suites.cmake CONTENT
  "set(TESTS_BINARY \"$<TARGET_FILE:gradus_tests>\")\ninclude(\"${PROJECT_SOURCE_DIR}/tests/suites.cmake\")\n")
set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${PROJECT_BINARY_DIR}/suites.cmake)

foreach(name layers docs readme_table)
  add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR}
    -P ${PROJECT_SOURCE_DIR}/tests/${name}.cmake)
  add_test(NAME ${name}_can_fail COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR}
    -DSCRATCH=${PROJECT_BINARY_DIR}/${name}_can_fail
    -P ${PROJECT_SOURCE_DIR}/tests/${name}_can_fail.cmake)
endforeach()

if(GRADUS_CUDA STREQUAL "OFF")
  add_test(NAME no_cuda COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DLIBRARY=$<TARGET_FILE:gradus>
    -P ${PROJECT_SOURCE_DIR}/tests/no_cuda.cmake)
endif()

if(GRADUS_INSTALL)
  include(${PROJECT_SOURCE_DIR}/tests/package/tests.cmake)
endif()
