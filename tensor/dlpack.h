// Tensors exchanged with other libraries of one process (NumPy, PyTorch, JAX ...) without a copy,
// through DLPack's `DLManagedTensor`.
#pragma once

#include "gradus/tensor/tensor.h"

struct DLManagedTensor;  // DLPack's; include its dlpack.h to look inside

namespace gradus {

/// The memory of `t` (any strides) for another library, which must call the structure's deleter
/// once; the memory lives until then. It is shared: what one side writes the other reads. The
/// version that guards saved tensors does not see the other side's writes. Throws (argument) for a
/// tensor that requires a gradient (detach() first) or is undefined.
DLManagedTensor* to_dlpack(const Tensor& t);

/// A tensor over another library's memory. Takes `managed` over: its deleter is called once, when
/// the last tensor over the memory goes, or here if this throws. Data, strides (null: row-major)
/// and device stay as they are. Throws (argument) for null or more than 8 dimensions, (dtype) for a
/// type that Gradus has not (complex, 8- and 16-bit integers but u8, vectors), (unsupported) for a
/// device it cannot use, (shape) for negative sizes or strides.
Tensor from_dlpack(DLManagedTensor* managed);

}  // namespace gradus
