// The instruction sets the compiler was told it may use, by the macros it defines for them.
#include "gradus/tensor/processor.h"

namespace gradus::detail {

constinit const std::uint32_t processor_needs = 0
#ifdef __AVX__
                                                | avx
#endif
#ifdef __AVX2__
                                                | avx2
#endif
#ifdef __FMA__
                                                | fma
#endif
#ifdef __BMI__
                                                | bmi
#endif
#ifdef __BMI2__
                                                | bmi2
#endif
#ifdef __AVX512F__
                                                | avx512f
#endif
#ifdef __AVX512CD__
                                                | avx512cd
#endif
#ifdef __AVX512BW__
                                                | avx512bw
#endif
#ifdef __AVX512DQ__
                                                | avx512dq
#endif
#ifdef __AVX512VL__
                                                | avx512vl
#endif
#ifdef __AVX512IFMA__
                                                | avx512ifma
#endif
#ifdef __AVX512VBMI__
                                                | avx512vbmi
#endif
#ifdef __AVX512VBMI2__
                                                | avx512vbmi2
#endif
#ifdef __AVX512VNNI__
                                                | avx512vnni
#endif
#ifdef __AVX512BITALG__
                                                | avx512bitalg
#endif
#ifdef __AVX512VPOPCNTDQ__
                                                | avx512vpopcntdq
#endif
#ifdef __AVX512BF16__
                                                | avx512bf16
#endif
    ;

}  // namespace gradus::detail
