# GRADUS_CUDA=ON: a CUDA toolkit of 12.4 or newer. Included before add_library, because a target
# takes CMAKE_CUDA_ARCHITECTURES when it is made. SIMULATED needs nothing at all.
if(GRADUS_CUDA STREQUAL "ON")
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    # Code for Turing, Ampere and Hopper, and PTX of the last for what comes after.
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 90)
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit 12.4 REQUIRED)
  # The runtime is linked in below, once, and not by nvcc's own choice for each program.
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)
  # What the library says it was built for; these names stand for lists of numbers.
  set(gradus_architectures ${CMAKE_CUDA_ARCHITECTURES})
  if(gradus_architectures MATCHES "^(all|all-major|native)$")
    string(TOUPPER "${gradus_architectures}" list)
    string(REPLACE "-" "_" list "${list}")
    set(gradus_architectures ${CMAKE_CUDA_ARCHITECTURES_${list}})
  endif()
  list(JOIN gradus_architectures "," gradus_architectures)
endif()

# What every .cu file of `target` is compiled with.
function(gradus_kernel_flags target)
  # CMake 3.25 does not know nvcc's C++20 mode as cuda_std_20. -fmad=false: nvcc contracts a * b + c
  # by default, and f32 would differ from the CPU's; sums of products say otherwise below.
  # 186 is a comparison of an unsigned number with zero, in templates over all types.
  # GRADUS_FLAGS are the host compiler's: inline functions of headers are compiled here too, and the
  # linker keeps any one copy of each.
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;-lineinfo;\
--expt-relaxed-constexpr;-Werror=all-warnings;-diag-suppress=186;${GRADUS_FLAGS}>")
endfunction()

# Adds the CUDA backend to `target`: real kernels, or the same sources for kernels/simt.
function(gradus_add_cuda target)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tensor/cuda/*.cpp
    ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cpp)
  file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu)
  set_source_files_properties(${kernels} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  if(GRADUS_CUDA STREQUAL "SIMULATED")
    file(GLOB simulator CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/simt/*.cpp)
    # What talks to CUDA's own libraries.
    list(FILTER sources EXCLUDE REGEX "/tensor/cuda/runtime\\.cpp$|/kernels/cuda/library_[a-z_]*\\.cpp$")
    set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX)
    target_sources(${target} PRIVATE ${sources} ${simulator} ${kernels})
    set(GRADUS_SIMULATED_FLAGS "" CACHE STRING
      "Compile and link options of the simulated device: its kernels, its memory, and the tests")
    if(GRADUS_SIMULATED_FLAGS)
      set_source_files_properties(${sources} ${simulator} ${kernels} PROPERTIES
        COMPILE_OPTIONS "${GRADUS_SIMULATED_FLAGS}" SKIP_PRECOMPILE_HEADERS ON)
      target_link_options(${target} PUBLIC ${GRADUS_SIMULATED_FLAGS})
    endif()
    # Whatever the kernels are compiled for: it runs at each of their meetings.
    set_property(SOURCE ${simulator} APPEND PROPERTY COMPILE_OPTIONS -O2)
    return()
  endif()
  target_sources(${target} PRIVATE ${sources} ${kernels})
  # Static: a program starts where there is no CUDA at all. Linked by the C++ compiler, so that
  # programs on top of the library need none of CUDA's tools.
  target_link_libraries(${target} PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/tensor/cuda/runtime.cpp PROPERTIES
    COMPILE_DEFINITIONS "GRADUS_CUDA_ARCHITECTURES=\"${gradus_architectures}\"")
  gradus_kernel_flags(${target})
  foreach(kernel ${kernels})
    cmake_path(GET kernel STEM name)
    if(NOT name MATCHES "^(matmul|conv|attention)")
      set_property(SOURCE ${kernel} APPEND PROPERTY COMPILE_OPTIONS -fmad=false)
    endif()
  endforeach()
endfunction()
