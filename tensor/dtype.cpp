#include "gradus/tensor/dtype.h"

namespace gradus {

std::string_view to_string(Dtype dtype) {
  constexpr std::string_view names[dtype_count] = {"f32", "f64", "bf16", "f16",
                                                   "i32", "i64", "u8",   "boolean"};
  const int i = static_cast<int>(dtype);
  return i < dtype_count ? names[i] : "invalid";
}

Dtype promote(Dtype a, Dtype b) {
  if (a == b) return a;
  if (is_floating(a) && is_floating(b)) {
    if (a == Dtype::f64 || b == Dtype::f64) return Dtype::f64;
    return Dtype::f32;  // also bf16 with f16: neither holds the other
  }
  if (is_floating(a)) return a;
  if (is_floating(b)) return b;
  // Integers: boolean < u8 < i32 < i64, and each holds all below it.
  auto rank = [](Dtype d) {
    return d == Dtype::boolean ? 0 : d == Dtype::u8 ? 1 : d == Dtype::i32 ? 2 : 3;
  };
  return rank(a) > rank(b) ? a : b;
}

}  // namespace gradus
