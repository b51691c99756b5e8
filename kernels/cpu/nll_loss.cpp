#include "gradus/kernels/nll_loss.h"

#include "gradus/kernels/cpu/lanes.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {

void nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, const NllLoss& options,
              const Tensor& y, const Tensor& divisor) {
  const std::int64_t n = x.shape().back(), rows = target.numel();
  const std::int64_t* t = target.data<std::int64_t>();
  visit_floating(x.dtype(), "nll_loss", [&]<class T> {
    using C = compute_t<T>;
    const T* from = static_cast<const T*>(x.data());
    const T* w = weight ? static_cast<const T*>(weight.data()) : nullptr;
    T* to = static_cast<T*>(y.data());
    const auto weight_of = [&](std::int64_t r) {
      return t[r] == options.ignore_index ? C(0) : w != nullptr ? C(w[t[r]]) : C(1);
    };
    const auto loss_of = [&](std::int64_t r) {
      return t[r] == options.ignore_index ? C(0) : -weight_of(r) * C(from[r * n + t[r]]);
    };
    for (std::int64_t r = 0; r < rows; ++r) {
      check(t[r] == options.ignore_index || (t[r] >= 0 && t[r] < n), ErrorKind::argument,
            "nll_loss: class ", t[r], " in row ", r, " is out of range for ", n, " classes");
    }
    if (options.reduction == Reduction::none) {
      for (std::int64_t r = 0; r < rows; ++r) to[r] = T(loss_of(r));
      return;
    }
    const double total = sum_row<double>(rows, [&](std::int64_t r) { return weight_of(r); });
    const double sum = sum_row<double>(rows, [&](std::int64_t r) { return loss_of(r); });
    *static_cast<C*>(divisor.data()) = static_cast<C>(total);
    *to = T(static_cast<C>(options.reduction == Reduction::mean ? sum / total : sum));
  });
}

void nll_loss_backward(const Tensor& target, const Tensor& weight, const NllLoss& options,
                       const Tensor& divisor, const Tensor& dy, const Tensor& dx) {
  const std::int64_t n = dx.shape().back(), rows = target.numel();
  const std::int64_t* t = target.data<std::int64_t>();
  visit_floating(dx.dtype(), "nll_loss", [&]<class T> {
    using C = compute_t<T>;
    const T* d = static_cast<const T*>(dy.data());
    const T* w = weight ? static_cast<const T*>(weight.data()) : nullptr;
    T* to = static_cast<T*>(dx.data());
    const bool each = options.reduction == Reduction::none;
    const C by = options.reduction == Reduction::mean ? *static_cast<C*>(divisor.data()) : C(1);
    parallel_for(rows, pointwise_grain / n + 1, [&](std::int64_t begin, std::int64_t end) {
      std::fill(to + begin * n, to + end * n, T(C(0)));
      for (std::int64_t r = begin; r < end; ++r) {
        if (t[r] == options.ignore_index) continue;
        const C g = C(each ? d[r] : *d) / by;
        to[r * n + t[r]] = T(-(w != nullptr ? C(w[t[r]]) : C(1)) * g);
      }
    });
  });
}

}  // namespace gradus::cpu
