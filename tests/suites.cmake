# Read by ctest when it starts: adds one test per GoogleTest suite of TESTS_BINARY. Instances of a
# typed or parametrised suite ("Round/0", "Round/1") are one test.
if(NOT EXISTS "${TESTS_BINARY}")
  add_test(gradus_tests_was_not_built "${TESTS_BINARY}")
  return()
endif()
execute_process(COMMAND "${TESTS_BINARY}" --gtest_list_tests OUTPUT_VARIABLE listing
  RESULT_VARIABLE failed)
if(failed)
  add_test(gradus_tests_cannot_list "${TESTS_BINARY}" --gtest_list_tests)
  return()
endif()
string(REGEX MATCHALL "(^|\n)[A-Za-z0-9_][A-Za-z0-9_/]*\\." suites "${listing}")
list(TRANSFORM suites REPLACE "[\n.]" "")
foreach(suite ${suites})
  string(REGEX REPLACE "/[0-9]+$" "/*" suite "${suite}")
  list(APPEND filters "${suite}")
endforeach()
list(REMOVE_DUPLICATES filters)
foreach(filter ${filters})
  string(REGEX REPLACE "/\\*$" "" name "${filter}")
  add_test("${name}" "${TESTS_BINARY}" "--gtest_filter=${filter}.*" --gtest_brief=1)
  set_tests_properties("${name}" PROPERTIES TIMEOUT 300
    SKIP_REGULAR_EXPRESSION "no CUDA device: ")  # tests/cuda/cuda_test.h
endforeach()
