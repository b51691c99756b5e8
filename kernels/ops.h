// Every pointwise op, once: its value and its derivative. The CPU loop, the CUDA kernel, the
// gradient check, the oracle test and the benchmark of an op all come from its struct here. Read
// ops/op.h first: it says what an op is. A new op is a struct and a place in its family's list.
#pragma once

#include "gradus/kernels/ops/activation.h"
#include "gradus/kernels/ops/arithmetic.h"
#include "gradus/kernels/ops/binary.h"
#include "gradus/kernels/ops/compare.h"
#include "gradus/kernels/ops/transcendental.h"

namespace gradus::ops {

/// The order of kernels/cpu/unary.cpp's tables.
using UnaryOps = Join<ArithmeticOps, ExponentialOps, TrigonometricOps, ActivationOps>;

}  // namespace gradus::ops
