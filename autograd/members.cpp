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
Tensor Tensor::max() const { return gradus::max(*this); }
Tensor Tensor::min() const { return gradus::min(*this); }
Tensor Tensor::argmax() const { return gradus::argmax(*this); }
Tensor Tensor::argmax(int dim, bool keepdim) const { return gradus::argmax(*this, dim, keepdim); }
Tensor Tensor::exp() const { return gradus::exp(*this); }
Tensor Tensor::log() const { return gradus::log(*this); }
Tensor Tensor::sqrt() const { return gradus::sqrt(*this); }
Tensor Tensor::abs() const { return gradus::abs(*this); }
Tensor Tensor::square() const { return gradus::square(*this); }
Tensor Tensor::pow(Scalar exponent) const { return gradus::pow(*this, exponent); }
Tensor Tensor::tanh() const { return gradus::tanh(*this); }
Tensor Tensor::sigmoid() const { return gradus::sigmoid(*this); }
Tensor Tensor::relu() const { return gradus::relu(*this); }

}  // namespace gradus
