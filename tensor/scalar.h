// A number as an argument of an op. It remembers whether it was a truth value, an integer or real,
// because that decides the dtype of the result: an i64 tensor + 1 is i64, + 1.5 is f32.
#pragma once

#include <concepts>
#include <cstdint>

#include "gradus/tensor/dtype.h"

namespace gradus {

class Scalar {
 public:
  Scalar(bool v) : dtype_(Dtype::boolean), real_(v), integer_(v) {}
  template <std::integral T>
  Scalar(T v)
      : dtype_(Dtype::i64), real_(static_cast<double>(v)), integer_(static_cast<std::int64_t>(v)) {}
  template <std::floating_point T>
  Scalar(T v) : dtype_(Dtype::f64), real_(static_cast<double>(v)) {}

  double real() const { return real_; }
  std::int64_t integer() const { return integer_; }  // 0 for a real number
  Dtype dtype() const { return dtype_; }             // boolean, i64 or f64
  bool is_real() const { return dtype_ == Dtype::f64; }
  /// False for integers beyond 2^53, which double would round.
  bool fits_double() const {
    return is_real() || (integer_ >= -(std::int64_t{1} << 53) && integer_ <= std::int64_t{1} << 53);
  }

 private:
  Dtype dtype_;
  double real_;
  std::int64_t integer_ = 0;
};

/// The dtype of an op on a tensor of type `tensor` and a number: the number decides only between
/// categories (boolean < integer < real), and then gives i64 or f32.
constexpr Dtype promote_scalar(Dtype tensor, Dtype scalar) {
  if (is_floating(tensor)) return tensor;
  if (scalar == Dtype::f64) return Dtype::f32;
  if (tensor == Dtype::boolean) return scalar;
  return tensor;
}

}  // namespace gradus
