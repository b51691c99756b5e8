// Comparing a result with PyTorch's in f64, by the bounds of docs/correctness.md.
#pragma once

#include <string>

#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {

/// Unit roundoff of a dtype: half the distance from 1 to the next number.
double unit_roundoff(Dtype dtype);

/// Distance of `got` from `expected` in units of the last place that `expected` has in `dtype`. 0
/// for equal values and two NaN; infinite where only one is NaN or infinite (or signs of infinity
/// differ), except that a result beyond the dtype's largest number may be infinite.
double units_between(double got, double expected, Dtype dtype);

/// "" if `got` has the shape of `expected` and every element lies within `relative` of the larger
/// of |expected| and `magnitude` (of the element; broadcast from one), or within `units` last
/// places. Otherwise the first element that does not.
struct Tolerance {
  double relative = 0, units = 0;
  std::vector<double> magnitude;  // empty: |expected| alone; one: for all elements
};
std::string difference(const Tensor& got, const Tensor& expected, const Tolerance& tolerance);

/// "" if the two have the same shape, dtype and bits (NaN of any bits are equal).
std::string bit_difference(const Tensor& a, const Tensor& b);

}  // namespace gradus::oracle
