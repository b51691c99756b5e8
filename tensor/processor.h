// Which instruction sets the library was compiled to use, so that a program can check the processor
// before it runs any of them. Two files with different compiler flags share this list:
// processor_needs.cpp has the library's own flags, processor.cpp those of a plain x86-64.
#pragma once

#include <cstdint>

namespace gradus::detail {

enum InstructionSet : std::uint32_t {
  avx = 1 << 0,
  avx2 = 1 << 1,
  fma = 1 << 2,
  bmi = 1 << 3,
  bmi2 = 1 << 4,
  avx512f = 1 << 5,
  avx512cd = 1 << 6,
  avx512bw = 1 << 7,
  avx512dq = 1 << 8,
  avx512vl = 1 << 9,
  avx512ifma = 1 << 10,
  avx512vbmi = 1 << 11,
  avx512vbmi2 = 1 << 12,
  avx512vnni = 1 << 13,
  avx512bitalg = 1 << 14,
  avx512vpopcntdq = 1 << 15,
  avx512bf16 = 1 << 16,
};

/// The sets in use, or-ed together; a constant, so reading it runs no instruction of theirs.
extern const std::uint32_t processor_needs;

}  // namespace gradus::detail
