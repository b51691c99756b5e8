// Functions that are also members of Tensor.
#include "gradus/autograd/functions.h"

namespace gradus {

Tensor Tensor::sum() const { return gradus::sum(*this); }
Tensor Tensor::sum(const Dims& dims, bool keepdim) const {
  return gradus::sum(*this, dims, keepdim);
}
Tensor Tensor::mean() const { return gradus::mean(*this); }
Tensor Tensor::mean(const Dims& dims, bool keepdim) const {
  return gradus::mean(*this, dims, keepdim);
}
Tensor Tensor::prod() const { return gradus::prod(*this); }
Tensor Tensor::var(const Dims& dims, double correction, bool keepdim) const {
  return gradus::var(*this, dims, correction, keepdim);
}
Tensor Tensor::std(const Dims& dims, double correction, bool keepdim) const {
  return gradus::std(*this, dims, correction, keepdim);
}
Tensor Tensor::norm(double p, const Dims& dims, bool keepdim) const {
  return gradus::norm(*this, p, dims, keepdim);
}
Tensor Tensor::amax(const Dims& dims, bool keepdim) const {
  return gradus::amax(*this, dims, keepdim);
}
Tensor Tensor::amin(const Dims& dims, bool keepdim) const {
  return gradus::amin(*this, dims, keepdim);
}
Tensor Tensor::max() const { return gradus::max(*this); }
Tensor Tensor::min() const { return gradus::min(*this); }
ValuesIndices Tensor::max(int dim, bool keepdim) const { return gradus::max(*this, dim, keepdim); }
ValuesIndices Tensor::min(int dim, bool keepdim) const { return gradus::min(*this, dim, keepdim); }
Tensor Tensor::argmax() const { return gradus::argmax(*this); }
Tensor Tensor::argmax(int dim, bool keepdim) const { return gradus::argmax(*this, dim, keepdim); }
Tensor Tensor::argmin() const { return gradus::argmin(*this); }
Tensor Tensor::argmin(int dim, bool keepdim) const { return gradus::argmin(*this, dim, keepdim); }
Tensor Tensor::all() const { return gradus::all(*this); }
Tensor Tensor::any() const { return gradus::any(*this); }
Tensor Tensor::cumsum(int dim) const { return gradus::cumsum(*this, dim); }
Tensor Tensor::matmul(const Tensor& other) const { return gradus::matmul(*this, other); }
Tensor Tensor::softmax(int dim) const { return gradus::softmax(*this, dim); }
Tensor Tensor::log_softmax(int dim) const { return gradus::log_softmax(*this, dim); }
Tensor Tensor::add(const Tensor& other, Scalar alpha) const {
  return gradus::add(*this, other, alpha);
}
Tensor Tensor::sub(const Tensor& other, Scalar alpha) const {
  return gradus::sub(*this, other, alpha);
}
Tensor Tensor::mul(const Tensor& other) const { return gradus::mul(*this, other); }
Tensor Tensor::div(const Tensor& other) const { return gradus::div(*this, other); }
Tensor Tensor::exp() const { return gradus::exp(*this); }
Tensor Tensor::log() const { return gradus::log(*this); }
Tensor Tensor::sqrt() const { return gradus::sqrt(*this); }
Tensor Tensor::rsqrt() const { return gradus::rsqrt(*this); }
Tensor Tensor::abs() const { return gradus::abs(*this); }
Tensor Tensor::neg() const { return gradus::neg(*this); }
Tensor Tensor::square() const { return gradus::square(*this); }
Tensor Tensor::reciprocal() const { return gradus::reciprocal(*this); }
Tensor Tensor::pow(Scalar exponent) const { return gradus::pow(*this, exponent); }
Tensor Tensor::sin() const { return gradus::sin(*this); }
Tensor Tensor::cos() const { return gradus::cos(*this); }
Tensor Tensor::floor() const { return gradus::floor(*this); }
Tensor Tensor::ceil() const { return gradus::ceil(*this); }
Tensor Tensor::round() const { return gradus::round(*this); }
Tensor Tensor::isnan() const { return gradus::isnan(*this); }
Tensor Tensor::tanh() const { return gradus::tanh(*this); }
Tensor Tensor::sigmoid() const { return gradus::sigmoid(*this); }
Tensor Tensor::relu() const { return gradus::relu(*this); }
Tensor Tensor::clamp(std::optional<Scalar> min, std::optional<Scalar> max) const {
  return gradus::clamp(*this, min, max);
}
Tensor Tensor::eq(const Tensor& other) const { return gradus::eq(*this, other); }
Tensor Tensor::ne(const Tensor& other) const { return gradus::ne(*this, other); }
Tensor Tensor::lt(const Tensor& other) const { return gradus::lt(*this, other); }
Tensor Tensor::le(const Tensor& other) const { return gradus::le(*this, other); }
Tensor Tensor::gt(const Tensor& other) const { return gradus::gt(*this, other); }
Tensor Tensor::ge(const Tensor& other) const { return gradus::ge(*this, other); }
Tensor Tensor::eq(Scalar other) const { return gradus::eq(*this, other); }
Tensor Tensor::ne(Scalar other) const { return gradus::ne(*this, other); }
Tensor Tensor::lt(Scalar other) const { return gradus::lt(*this, other); }
Tensor Tensor::le(Scalar other) const { return gradus::le(*this, other); }
Tensor Tensor::gt(Scalar other) const { return gradus::gt(*this, other); }
Tensor Tensor::ge(Scalar other) const { return gradus::ge(*this, other); }
Tensor Tensor::masked_fill(const Tensor& mask, Scalar value) const {
  return gradus::masked_fill(*this, mask, value);
}
Tensor Tensor::gather(int dim, const Tensor& index) const {
  return gradus::gather(*this, dim, index);
}
Tensor Tensor::index_select(int dim, const Tensor& index) const {
  return gradus::index_select(*this, dim, index);
}
std::vector<Tensor> Tensor::split(std::int64_t size, int dim) const {
  return gradus::split(*this, size, dim);
}
std::vector<Tensor> Tensor::chunk(std::int64_t chunks, int dim) const {
  return gradus::chunk(*this, chunks, dim);
}

}  // namespace gradus
