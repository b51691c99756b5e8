#include "gradus/tensor/shape.h"

namespace gradus {

void Shape::insert(int at, std::int64_t v) {
  push_back(v);
  for (int i = n_ - 1; i > at; --i) sizes_[i] = sizes_[i - 1];
  sizes_[at] = v;
}

void Shape::erase(int at) {
  for (int i = at; i + 1 < n_; ++i) sizes_[i] = sizes_[i + 1];
  --n_;
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (int i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + ")";
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  std::int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i] > 0 ? shape[i] : 1;
  }
  return strides;
}

Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b) {
  const int dims = a.size() > b.size() ? a.size() : b.size();
  Shape out = Shape::filled(dims, 1);
  for (int i = 1; i <= dims; ++i) {  // from the last dimension to the first
    const std::int64_t m = i <= a.size() ? a[a.size() - i] : 1;
    const std::int64_t n = i <= b.size() ? b[b.size() - i] : 1;
    check(m == n || m == 1 || n == 1, ErrorKind::shape, op, ": shapes do not broadcast: a is ", a,
          ", b is ", b);
    out[dims - i] = m == 1 ? n : m;
  }
  return out;
}

std::int64_t checked_numel(std::string_view op, const Shape& shape) {
  std::int64_t n = 1;
  bool fits = true;
  for (std::int64_t s : shape) {
    check(s >= 0, ErrorKind::shape, op, ": negative size in ", shape);
    std::int64_t next = 0;
    fits = fits && !__builtin_mul_overflow(n, s, &next) && next <= max_numel;
    n = next;
    if (s == 0) return 0;
  }
  check(fits, ErrorKind::shape, op, ": too many elements in ", shape);
  return n;
}

}  // namespace gradus
