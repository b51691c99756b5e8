// Casts, copies and views, recorded.
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus {

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == this->dtype()) return *this;
  return record(
      "to", as_dtype(*this, dtype), on(*this), keep(),
      [from = this->dtype()](const Tensor& dy, GradOut dx) { dx.give(as_dtype(dy, from)); });
}

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  Tensor y = empty(shape(), {dtype(), device});
  copy_into(*this, y);
  return record("to", y, on(*this), keep(), [from = this->device()](const Tensor& dy, GradOut dx) {
    Tensor d = empty(dy.shape(), {dy.dtype(), from});
    copy_into(dy, d);
    dx.give(d);
  });
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  Tensor y = empty(shape(), options());
  copy_into(*this, y);
  return record("clone", y, on(*this), keep(), [](const Tensor& dy, GradOut dx) { dx.give(dy); });
}

}  // namespace gradus
