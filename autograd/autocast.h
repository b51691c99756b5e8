// Mixed precision as a guard. While an Autocast lives, the operations that are bound by arithmetic
// (matmul and its kin, linear, convolutions, attention) read their f32 operands in a half type and
// give results of that type; sums inside are in float as ever. Norms, softmax and losses take half
// inputs as float and give float. Everything else follows the dtypes it meets (bf16 + f32 is f32).
// Leaves stay f32, and so do their gradients: a weight's gradient is summed in float, never
// rounded (q, k and v of attention, which are no weights, get theirs in the half type).
//
// A weight is converted once for as long as it does not change: its storage keeps the copy (the
// shadow), which the optimizer's step rewrites together with the weight and which is made anew
// where somebody else wrote. Views of one storage (slices, tied weights) share it. Only writes
// through a raw pointer are not seen: say bump_version() after those.
#pragma once

#include "gradus/tensor/tensor.h"

namespace gradus {

/// On this thread, until the end of the scope; the innermost guard counts. Backward passes run
/// without it: they use the types that the forward chose. f64 operands are left as they are.
///   { Autocast low(Dtype::bf16); loss = cross_entropy(net(x), y); }
///   loss.backward();
class Autocast {
 public:
  /// bf16 or f16, or f32 to compute in float again inside another guard; else throws (argument).
  explicit Autocast(Dtype dtype);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  Dtype before_;
};

/// The type that operands are read in on this thread: bf16 or f16, f32 without a guard.
Dtype autocast_dtype();

// For ops.

/// An operand as an op should read it: `t` itself, or its low-precision copy while an Autocast
/// lives. Not recorded: the op records `t`, and gives gradients of t's dtype.
class Operand {
 public:
  explicit Operand(const Tensor& t) : tensor_(&t) {
    if (autocast_dtype() != Dtype::f32) [[unlikely]]
      lower();
  }
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;
  const Tensor& operator*() const { return *tensor_; }
  const Tensor* operator->() const { return tensor_; }

 private:
  void lower();
  const Tensor* tensor_;
  Tensor low_;
};

/// `t` as f32 if it is of a half type and an Autocast lives, else itself. Recorded.
Tensor widened(const Tensor& t);

}  // namespace gradus
