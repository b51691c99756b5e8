// tensor({{1, 2}, {3, 4}}): small tensors written down in a program.
#pragma once

#include <concepts>
#include <initializer_list>
#include <vector>

#include "gradus/tensor/scalar.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// A number, or a braced list of numbers or of such lists, all lists at one depth of one length.
class NestedValues {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> NestedValues(T value) : values_{Scalar(value)} {}
  NestedValues(std::initializer_list<NestedValues> rows);
  template <class T>
  explicit NestedValues(const std::vector<T>& values)
      : shape_{static_cast<std::int64_t>(values.size())}, values_(values.begin(), values.end()) {}

  const Shape& shape() const { return shape_; }
  const std::vector<Scalar>& values() const { return values_; }  // row-major

 private:
  Shape shape_;
  std::vector<Scalar> values_;
};

/// i64 from integers, boolean from truth values, f32 from anything real.
Tensor tensor(const NestedValues& values);
Tensor tensor(const NestedValues& values, TensorOptions options);
template <class T>
Tensor tensor(const std::vector<T>& values) {
  return tensor(NestedValues(values));
}
template <class T>
Tensor tensor(const std::vector<T>& values, TensorOptions options) {
  return tensor(NestedValues(values), options);
}

}  // namespace gradus
