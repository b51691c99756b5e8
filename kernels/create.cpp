// The parts of creation and copying that are the same for every device.
#include "gradus/kernels/create.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "gradus/tensor/views.h"

namespace gradus {

void copy_into(const Tensor& x, const Tensor& y) {
  if (x.device() == y.device()) return dispatch<cpu::copy, cuda::copy>(y.device(), x, y);
  if constexpr (has_cuda) return cuda::copy(x, y);
  check_same_device("copy", x.device(), y.device());
}

Tensor as_contiguous(const Tensor& x) {
  if (x.is_contiguous()) return x;
  Tensor y = empty(x.shape(), x.options());
  copy_into(x, y);
  return y;
}

Tensor as_dtype(const Tensor& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = empty_like(x, dtype);
  copy_into(x, y);
  return y;
}

Tensor full(const Shape& shape, Scalar value, TensorOptions options) {
  Tensor t = empty(shape, {options.dtype, options.device, false});
  dispatch<cpu::fill, cuda::fill>(t.device(), t, value);
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

Tensor full_like(const Tensor& t, Scalar value) {
  Tensor y = empty_like(t);
  dispatch<cpu::fill, cuda::fill>(y.device(), y, value);
  return y;
}

namespace {

/// How many of start, start + step ... lie before end. Integers beyond 2^53 are counted as such.
double count_of_range(Scalar start, Scalar end, Scalar step) {
  if (start.is_real() || end.is_real() || step.is_real())
    return std::max(0.0, std::ceil((end.real() - start.real()) / step.real()));
  using Wide = __int128;
  const Wide by = step.integer(), room = Wide(end.integer()) - start.integer();
  const Wide n = room / by + (room % by != 0 && (room < 0) == (by < 0));
  return n > 0 ? static_cast<double>(n) : 0;
}

}  // namespace

Tensor arange(Scalar start, Scalar end, Scalar step, TensorOptions options) {
  check(step.real() != 0 && std::isfinite(start.real()) && std::isfinite(end.real()),
        ErrorKind::argument, "arange: start ", start.real(), ", end ", end.real(), ", step ",
        step.real());
  const double n = count_of_range(start, end, step);
  check(n < 0x1p62, ErrorKind::argument, "arange: ", n, " elements");
  Tensor t = empty({static_cast<std::int64_t>(n)}, {options.dtype, options.device});
  dispatch<cpu::range, cuda::range>(t.device(), t, start, step);
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

Tensor linspace(double start, double end, std::int64_t count, TensorOptions options) {
  check(count >= 0, ErrorKind::argument, "linspace: a negative count, ", count);
  const double step = count > 1 ? (end - start) / static_cast<double>(count - 1) : 0;
  Tensor t = empty({count}, {options.dtype, options.device});
  const std::int64_t half = count == 1 ? 1 : count / 2;
  const Tensor low = views::slice(t, 0, 0, half, 1), high = views::slice(t, 0, half, count, 1);
  dispatch<cpu::range, cuda::range>(t.device(), low, start, step);
  dispatch<cpu::range, cuda::range>(t.device(), high,
                                    end - step * static_cast<double>(count - half - 1), step);
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

Tensor eye(std::int64_t n, std::int64_t m, TensorOptions options) {
  Tensor t = full({n, m}, 0, {options.dtype, options.device});
  const Tensor diagonal = views::diagonal(t, 0, 0, 1);
  dispatch<cpu::fill, cuda::fill>(t.device(), diagonal, 1);
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

template <class T>
T Tensor::item() const {
  check(numel() == 1, ErrorKind::shape, "item: expected one element, got shape ", shape());
  Tensor value = empty({}, {dtype_of<T>});
  Tensor source = *this;
  if (source.dtype() != dtype_of<T>) source = as_dtype(source.detach(), dtype_of<T>);
  copy_into(as_view(source, {}, {}, source.raw()->offset), value);
  return *value.data<T>();
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  Tensor host = empty(shape(), {dtype()});
  copy_into(*this, host);
  host = as_dtype(host, dtype_of<T>);
  std::vector<T> values(static_cast<std::size_t>(numel()));
  if constexpr (std::is_same_v<T, bool>) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = host.data<bool>()[i];
  } else if (!values.empty()) {
    std::memcpy(static_cast<void*>(values.data()), host.data(), values.size() * sizeof(T));
  }
  return values;
}

#define GRADUS_INSTANTIATE(T)         \
  template T Tensor::item<T>() const; \
  template std::vector<T> Tensor::to_vector<T>() const;
GRADUS_INSTANTIATE(float)
GRADUS_INSTANTIATE(double)
GRADUS_INSTANTIATE(bf16)
GRADUS_INSTANTIATE(f16)
GRADUS_INSTANTIATE(std::int32_t)
GRADUS_INSTANTIATE(std::int64_t)
GRADUS_INSTANTIATE(std::uint8_t)
GRADUS_INSTANTIATE(bool)
#undef GRADUS_INSTANTIATE

}  // namespace gradus
