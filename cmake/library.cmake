# The library: one target, gradus::gradus, static or shared by BUILD_SHARED_LIBS.
find_package(Threads REQUIRED)
find_package(fmt 9.1...<10 REQUIRED)  # headers only: tensor/fmt.cpp compiles it, see there
find_package(nlohmann_json REQUIRED)


set(patterns)
foreach(folder ${GRADUS_FOLDERS})
  list(APPEND patterns ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
endforeach()
file(GLOB cpu_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cpu/*.cpp)
if(GRADUS_TRAINER)
  list(APPEND patterns ${PROJECT_SOURCE_DIR}/trainer/*/*.cpp)
endif()
file(GLOB sources CONFIGURE_DEPENDS ${patterns})
list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/trainer/cli/main.cpp)

# Text, files and options are small code, not fast code, and have a target with its own level; the
# trainer's loader and the sums of checkpoints stay fast.
set(small_sources ${sources})
list(FILTER small_sources INCLUDE REGEX
  "/trainer/([a-z_]+\\.cpp|(cli|config|log|plot|run)/)|/trainer/checkpoint/saved_state|/tensor/safetensors")
list(REMOVE_ITEM sources ${small_sources})

# The commit this is built from, in a source file of its own: a new commit compiles only that.
set(revision_source ${PROJECT_BINARY_DIR}/generated/revision.cpp)
add_custom_target(gradus_revision BYPRODUCTS ${revision_source}
  COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DOUTPUT=${revision_source}
          -P ${PROJECT_SOURCE_DIR}/cmake/revision.cmake
  COMMENT "" VERBATIM)

# fmt under a namespace of our own, so that a program may use another fmt beside it.
add_library(gradus_fmt INTERFACE)
target_include_directories(gradus_fmt SYSTEM INTERFACE
  $<TARGET_PROPERTY:fmt::fmt,INTERFACE_INCLUDE_DIRECTORIES>)
set(fmt_definitions "FMT_STATIC_THOUSANDS_SEPARATOR=','"
  "FMT_BEGIN_NAMESPACE=namespace fmt { inline namespace gradus_own {" "FMT_END_NAMESPACE=}}")
# Not for nvcc: no kernel uses fmt, and quotes do not survive its driver.
target_compile_definitions(gradus_fmt INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${fmt_definitions}>")

# What all of the library's sources need to compile.
add_library(gradus_needs INTERFACE)
target_compile_features(gradus_needs INTERFACE cxx_std_20)
target_include_directories(gradus_needs INTERFACE ${GRADUS_INCLUDE_ROOT})
target_link_libraries(gradus_needs INTERFACE gradus_fmt nlohmann_json::nlohmann_json Threads::Threads)
if(GRADUS_TRAINER)
  find_package(ZLIB REQUIRED)
  find_package(JPEG REQUIRED)
  target_link_libraries(gradus_needs INTERFACE ZLIB::ZLIB JPEG::JPEG)
  foreach(header CLI/CLI.hpp toml++/toml.h xxhash.h stb/stb_image_write.h)  # not all of these come with CMake files
    string(MAKE_C_IDENTIFIER "GRADUS_FOLDER_OF_${header}" folder)
    find_path(${folder} ${header} REQUIRED)
    mark_as_advanced(${folder})
    target_include_directories(gradus_needs SYSTEM INTERFACE ${${folder}})
  endforeach()
endif()
# What nearly every source file includes, parsed once. Files include what they use all the same: a
# build with -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON must pass.
set(common_headers <algorithm> <atomic> <cmath> <cstring> <filesystem> <fmt/format.h> <functional>
  <map> <memory> <optional> <string> <utility> <vector>
  ${GRADUS_INCLUDE_ROOT}/gradus/tensor/parallel.h ${GRADUS_INCLUDE_ROOT}/gradus/tensor/tensor.h)

add_library(gradus_small OBJECT ${small_sources})
gradus_flags(gradus_small)
target_compile_options(gradus_small PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1>)
target_link_libraries(gradus_small PRIVATE gradus_needs)
target_precompile_headers(gradus_small PRIVATE ${common_headers})
if(BUILD_SHARED_LIBS)
  set_target_properties(gradus_small PROPERTIES POSITION_INDEPENDENT_CODE ON)
endif()

add_library(gradus ${sources} ${cpu_kernels} ${revision_source} $<TARGET_OBJECTS:gradus_small>)
add_library(gradus::gradus ALIAS gradus)
add_dependencies(gradus gradus_revision)
gradus_flags(gradus)
target_compile_features(gradus PUBLIC cxx_std_20)
if(NOT GRADUS_CUDA STREQUAL "OFF")
  gradus_add_cuda(gradus)
endif()
target_include_directories(gradus PUBLIC $<BUILD_INTERFACE:${GRADUS_INCLUDE_ROOT}>)
target_link_libraries(gradus PUBLIC Threads::Threads PRIVATE $<BUILD_INTERFACE:gradus_needs>)
if(GRADUS_TRAINER)
  target_link_libraries(gradus PRIVATE ZLIB::ZLIB JPEG::JPEG)
endif()
target_precompile_headers(gradus PRIVATE ${common_headers})
set_target_properties(gradus PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
if(BUILD_SHARED_LIBS)
  target_link_options(gradus PRIVATE -Wl,--no-undefined)
endif()

# Compilers take 256-bit vectors unless told; kernels/math is a third faster on 512 where there are.
if(GRADUS_NATIVE AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  target_compile_options(gradus PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-mprefer-vector-width=512>)
endif()

# In a unity build (a preset's CMAKE_UNITY_BUILD), which halves the time of a whole build, kernels stay
# alone: to optimize them takes the time, not to parse them.
set_source_files_properties(${cpu_kernels} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
set_source_files_properties(${PROJECT_SOURCE_DIR}/trainer/cli/record.cpp
  ${PROJECT_SOURCE_DIR}/trainer/run/command.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
set_source_files_properties(${revision_source} ${PROJECT_SOURCE_DIR}/tensor/build_info.cpp
  ${PROJECT_SOURCE_DIR}/tensor/fmt.cpp ${PROJECT_SOURCE_DIR}/tensor/processor.cpp
  PROPERTIES SKIP_PRECOMPILE_HEADERS ON SKIP_UNITY_BUILD_INCLUSION ON)  # flags or macros of their own
set_source_files_properties(${PROJECT_SOURCE_DIR}/tensor/processor.cpp PROPERTIES
  COMPILE_OPTIONS "${GRADUS_PLAIN_FLAGS}")
# stb_image copies the no bytes of an empty PNG chunk to a null pointer, which is harmless.
set_source_files_properties(${PROJECT_SOURCE_DIR}/trainer/data/images.cpp PROPERTIES
  COMPILE_OPTIONS -fno-sanitize=nonnull-attribute SKIP_PRECOMPILE_HEADERS ON)
string(TOUPPER "CMAKE_CXX_FLAGS_${CMAKE_BUILD_TYPE}" flags_of_type)
list(JOIN GRADUS_FLAGS " " flags)
string(STRIP "${CMAKE_CXX_FLAGS} ${${flags_of_type}} ${flags}" flags)
set_source_files_properties(${PROJECT_SOURCE_DIR}/tensor/build_info.cpp PROPERTIES
  COMPILE_DEFINITIONS "GRADUS_BUILD_FLAGS=\"${flags}\"")
