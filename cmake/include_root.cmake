# Every include line is "gradus/<folder>/<file>.h". build/include/gradus holds links to the folders and
# the generated config.h, so that nothing generic is ever on anyone's include path.
set(GRADUS_FOLDERS tensor kernels autograd nn optim)
if(GRADUS_TRAINER)
  list(APPEND GRADUS_FOLDERS trainer)
endif()

set(GRADUS_INCLUDE_ROOT ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${GRADUS_INCLUDE_ROOT}/gradus)
foreach(name ${GRADUS_FOLDERS} gradus.h)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${name} ${GRADUS_INCLUDE_ROOT}/gradus/${name} SYMBOLIC)
endforeach()

# Tests and benchmarks share headers as "gradus/tests/cases.h"; the library never sees this root.
set(GRADUS_TEST_INCLUDE_ROOT ${PROJECT_BINARY_DIR}/test_include)
file(MAKE_DIRECTORY ${GRADUS_TEST_INCLUDE_ROOT}/gradus)
foreach(name tests bench)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${name} ${GRADUS_TEST_INCLUDE_ROOT}/gradus/${name} SYMBOLIC)
endforeach()

if(GRADUS_CUDA STREQUAL "OFF")
  set(GRADUS_HAS_CUDA 0)
elseif(GRADUS_CUDA STREQUAL "ON" OR GRADUS_CUDA STREQUAL "SIMULATED")
  set(GRADUS_HAS_CUDA 1)
else()
  message(FATAL_ERROR "GRADUS_CUDA is '${GRADUS_CUDA}'; expected OFF, ON or SIMULATED")
endif()
if(GRADUS_TRAINER)
  set(GRADUS_HAS_TRAINER 1)
else()
  set(GRADUS_HAS_TRAINER 0)
endif()
configure_file(config.h.in ${GRADUS_INCLUDE_ROOT}/gradus/config.h @ONLY)
