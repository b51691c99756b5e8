// Runs row functions over tensors of any strides and types. An op compiles to one loop over
// contiguous memory for each arithmetic type; strided, broadcast and half-precision rows go through
// blocks on the stack. So an op is small, and its bits do not depend on how the memory lies.
#pragma once

#include "gradus/kernels/by_type.h"
#include "gradus/kernels/cpu/loop.h"

// The output of a row is either apart from its inputs or exactly one of them.
#if defined(__clang__)
#define GRADUS_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define GRADUS_INDEPENDENT _Pragma("GCC ivdep")
#else
#define GRADUS_INDEPENDENT
#endif

namespace gradus::cpu {

/// Computes n elements. at[0] is the output, the others the inputs, all contiguous and in
/// arithmetic types (float for the half types); `p` holds the op's parameters.
using Row = void (*)(const double* p, void* const* at, std::int64_t n);

using Rows = ByType<Row>;

/// Applies `row` to all of `t`: t[0] is the output, the others broadcast to it. An input may be the
/// output itself.
void run_rows(Row row, const double* p, const Tensor* const (&t)[2]);
void run_rows(Row row, const double* p, const Tensor* const (&t)[3]);
void run_rows(Row row, const double* p, const Tensor* const (&t)[4]);

}  // namespace gradus::cpu
