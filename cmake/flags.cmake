# Compiler flags of everything built here; none of them reaches a program that uses the library.

# g++ and clang contract a * b + c by default, which would make bits depend on the optimizer.
set(GRADUS_FLAGS -ffp-contract=off)
# Change no value, and without them g++ leaves loops with square roots or comparisons scalar.
list(APPEND GRADUS_FLAGS -fno-math-errno -fno-trapping-math)

# Without FMA our vector math is eight times slower than libm, so x86-64-v3 is the least we build for.
# missing_instruction_set() compares what was compiled for with the processor found at start.
if(GRADUS_NATIVE)
  list(APPEND GRADUS_FLAGS -march=native)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND GRADUS_FLAGS -march=x86-64-v3)
endif()

# g++ 12.0 to 12.2 (Debian 12 has 12.2) writes a constant like the doubles {1, 1, 0, 0} as {1, 1, 1, 1}
# with one wide store where AVX-512 is enabled (GCC PR 108599). Copying blocks of constants by 128
# bits avoids it; loops are not concerned. tests/tensor/test_compiler.cpp shows whether it is needed.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12
   AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12.3
   AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND GRADUS_FLAGS -mmove-max=128 -mstore-max=128)
endif()

set(warning_flags)
if(PROJECT_IS_TOP_LEVEL)
  set(warning_flags -Wall -Wextra)
  # Vectors wider than the processor's are passed inside one file only, never across an ABI.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND warning_flags -Wno-psabi)
  endif()
  # g++ 12 sees overlapping and endless copies in `"literal" + std::string` (GCC PR 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND warning_flags -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
  endif()
endif()

# Who asks for ccache (CMAKE_CXX_COMPILER_LAUNCHER) wants files found again, which it cannot do where a
# precompiled header is used. The project never asks: with and without ccache it builds the same way.
if(PROJECT_IS_TOP_LEVEL AND CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache"
   AND NOT DEFINED CMAKE_DISABLE_PRECOMPILE_HEADERS)
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()

# Code that runs before the processor is known to be good enough.
set(GRADUS_PLAIN_FLAGS)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(GRADUS_PLAIN_FLAGS -march=x86-64)
endif()

function(gradus_flags target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:${warning_flags};${GRADUS_FLAGS}>")
endfunction()
