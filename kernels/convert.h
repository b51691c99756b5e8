// From one element type to another.
#pragma once

#include <cstdint>
#include <type_traits>

#include "gradus/tensor/dtype.h"
#include "gradus/tensor/scalar.h"

namespace gradus {

/// As a C cast does it, through float for the half types; anything but zero is true.
template <class To, class From>
GRADUS_HD inline To convert(From v) {
  using F = compute_t<From>;
  if constexpr (std::is_same_v<To, bool>)
    return F(v) != F(0);
  else
    return To(compute_t<To>(F(v)));
}

/// A number; an integer as it is where the element holds all of them.
template <class To>
To convert_scalar(Scalar v) {
  if constexpr (std::is_same_v<To, std::int64_t>)
    if (!v.is_real()) return v.integer();
  return convert<To>(v.real());
}

/// start + i step of a range: in integers where the elements and both numbers are, else in f64.
template <class T>
GRADUS_HD inline T range_value(double start, double step, std::int64_t i) {
  return convert<T>(start + static_cast<double>(i) * step);
}
template <class T>
GRADUS_HD inline T range_value(std::int64_t start, std::int64_t step, std::int64_t i) {
  using U = std::uint64_t;  // a step beyond the last value may leave the type
  return static_cast<T>(static_cast<U>(start) + static_cast<U>(i) * static_cast<U>(step));
}

/// Calls f(start, step) with the two as the values of a range of T are computed from.
template <class T, class F>
void with_range(Scalar start, Scalar step, F&& f) {
  if constexpr (std::is_same_v<T, std::int64_t>)
    if (!start.is_real() && !step.is_real()) return f(start.integer(), step.integer());
  f(start.real(), step.real());
}

}  // namespace gradus
