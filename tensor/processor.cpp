// Compares the processor with what the library was compiled for. Compiled for plain x86-64, and
// without any inline function of the standard library: the linker could pick another file's copy.
#include "gradus/tensor/processor.h"

#include "gradus/tensor/build_info.h"

namespace gradus {

const char* missing_instruction_set() noexcept {
#if defined(__x86_64__)
  using namespace detail;
  __builtin_cpu_init();
  // The builtin takes nothing but a literal, so a table of names would not do.
#define GRADUS_NEEDS(set) \
  if ((processor_needs & set) != 0 && !__builtin_cpu_supports(#set)) return #set;
  GRADUS_NEEDS(avx)
  GRADUS_NEEDS(avx2)
  GRADUS_NEEDS(fma)
  GRADUS_NEEDS(bmi)
  GRADUS_NEEDS(bmi2)
  GRADUS_NEEDS(avx512f)
  GRADUS_NEEDS(avx512cd)
  GRADUS_NEEDS(avx512bw)
  GRADUS_NEEDS(avx512dq)
  GRADUS_NEEDS(avx512vl)
  GRADUS_NEEDS(avx512ifma)
  GRADUS_NEEDS(avx512vbmi)
  GRADUS_NEEDS(avx512vbmi2)
  GRADUS_NEEDS(avx512vnni)
  GRADUS_NEEDS(avx512bitalg)
  GRADUS_NEEDS(avx512vpopcntdq)
  GRADUS_NEEDS(avx512bf16)
#undef GRADUS_NEEDS
#endif
  return nullptr;
}

}  // namespace gradus
