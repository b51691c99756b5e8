#include "gradus/kernels/accumulate.h"

namespace gradus::cpu {

void accumulate(const Tensor& value, double weight, const Tensor& slots, std::int64_t at) {
  double* slot = slots.data<double>() + 2 * at;
  visit(value.dtype(), [&]<class T> {
    const T* v = static_cast<const T*>(value.data());
    if (value.dim() == 0) {
      slot[0] += weight * static_cast<double>(compute_t<T>(*v));
    } else {
      const std::int64_t n = value.numel(), step = value.strides()[0];
      const double each = weight / static_cast<double>(n);
      double sum = slot[0];
      for (std::int64_t i = 0; i < n; ++i)
        sum += each * static_cast<double>(compute_t<T>(v[i * step]));
      slot[0] = sum;
    }
  });
  slot[1] += weight;
}

}  // namespace gradus::cpu
