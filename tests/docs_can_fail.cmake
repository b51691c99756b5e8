# Shows that tests/docs.cmake finds a wrong name in backquotes and a dead link, and accepts right ones.
cmake_minimum_required(VERSION 3.25)

function(expect text pattern)
  file(REMOVE_RECURSE ${SCRATCH})
  file(WRITE ${SCRATCH}/nn/linear.h "")
  file(WRITE ${SCRATCH}/docs/tour.md "${text}\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${SCRATCH} -P ${ROOT}/tests/docs.cmake
    OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT output MATCHES "${pattern}")
    message(SEND_ERROR "'${text}': expected '${pattern}', got: ${output}")
  endif()
endfunction()

expect("see `nn/linear.h`, `nn/`, [it](tour.md) and `cpu/*.cpp`; f(x.h)" "3 names of files are right")
expect("see `nn/linaer.h`" "docs/tour.md: nn/linaer.h does not exist")
expect("[a] `nn/linear.h`, then [gone](gone.md)" "docs/tour.md: docs/gone.md does not exist")
expect("[gone](../nn/gone.cpp)" "nn/gone.cpp does not exist")
