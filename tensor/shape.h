// Sizes (or strides) of up to eight dimensions, stored in place.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "gradus/tensor/error.h"

namespace gradus {

/// A short list of sizes. `Strides` is the same type: one number a dimension, counted in elements.
class Shape {
 public:
  static constexpr int max_dims = 8;
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes)
      : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const std::int64_t> sizes) {
    check(sizes.size() <= max_dims, ErrorKind::shape, "shape: ", sizes.size(),
          " dimensions, at most 8");
    for (std::int64_t s : sizes) sizes_[n_++] = s;
  }
  static Shape filled(int dims, std::int64_t value) {
    Shape s;
    for (int i = 0; i < dims; ++i) s.push_back(value);
    return s;
  }

  int size() const { return n_; }  // number of dimensions
  bool empty() const { return n_ == 0; }
  std::int64_t operator[](int i) const { return sizes_[i]; }
  std::int64_t& operator[](int i) { return sizes_[i]; }
  std::int64_t back() const { return sizes_[n_ - 1]; }
  const std::int64_t* begin() const { return sizes_; }
  const std::int64_t* end() const { return sizes_ + n_; }
  void push_back(std::int64_t v) {
    check(n_ < max_dims, ErrorKind::shape, "shape: more than 8 dimensions");
    sizes_[n_++] = v;
  }
  void insert(int at, std::int64_t v);  // before dimension `at`
  void erase(int at);

  /// Product of the sizes; 1 for no dimensions.
  std::int64_t numel() const {
    std::int64_t n = 1;
    for (int i = 0; i < n_; ++i) n *= sizes_[i];
    return n;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.n_ != b.n_) return false;
    for (int i = 0; i < a.n_; ++i) {
      if (a.sizes_[i] != b.sizes_[i]) return false;
    }
    return true;
  }

 private:
  int n_ = 0;
  std::int64_t sizes_[max_dims] = {};
};
using Strides = Shape;

std::string to_string(const Shape& shape);  // "(64, 128)", "()"

/// Strides of a row-major array of this shape. A dimension of size 0 counts as 1.
Strides contiguous_strides(const Shape& shape);

/// The shape two arrays have together; throws (shape) naming `op` where they do not fit.
Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b);

/// `dim` counted from the front, for -dims <= dim < dims; throws (argument) naming `op` otherwise.
inline int wrap_dim(std::string_view op, std::int64_t dim, int dims) {
  const std::int64_t range = dims == 0 ? 1 : dims;  // a 0-dim tensor takes 0 and -1, as in PyTorch
  check(dim >= -range && dim < range, ErrorKind::argument, op, ": dimension ", dim,
        " is out of range for ", dims, " dimensions");
  return static_cast<int>(dim < 0 ? dim + range : dim);
}

/// So many elements of any dtype have a number of bytes.
inline constexpr std::int64_t max_numel = std::int64_t{1} << 59;

/// Product with overflow check; throws (shape) naming `op` for negative sizes and more than
/// max_numel.
std::int64_t checked_numel(std::string_view op, const Shape& shape);

}  // namespace gradus
