// A list of dimensions as an argument: one number, a braced list or a vector, stored in place.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "gradus/tensor/shape.h"

namespace gradus {

class Dims {
 public:
  Dims() = default;
  Dims(int dim) : n_(1) { dims_[0] = dim; }
  Dims(std::initializer_list<int> dims) : Dims(std::span(dims.begin(), dims.size())) {}
  Dims(const std::vector<int>& dims) : Dims(std::span(dims)) {}
  explicit Dims(std::span<const int> dims) {
    check(dims.size() <= Shape::max_dims, ErrorKind::argument, "dims: ", dims.size(),
          " dimensions given, at most 8");
    for (int d : dims) dims_[n_++] = d;
  }

  bool empty() const { return n_ == 0; }
  int size() const { return n_; }
  int operator[](int i) const { return dims_[i]; }
  int& operator[](int i) { return dims_[i]; }
  const int* begin() const { return dims_; }
  const int* end() const { return dims_ + n_; }
  operator std::span<const int>() const { return {dims_, static_cast<std::size_t>(n_)}; }

 private:
  int n_ = 0;
  int dims_[Shape::max_dims] = {};
};

}  // namespace gradus
