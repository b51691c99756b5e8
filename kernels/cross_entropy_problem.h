// The data of a cross-entropy as its kernels read them, for the CPU and CUDA alike.
#pragma once

#include "gradus/kernels/cross_entropy.h"

namespace gradus {

/// Class indices: `q` is null and `t` the classes; else q are probabilities.
template <class T>
struct CrossEntropyProblem {
  using C = compute_t<T>;
  std::int64_t rows, classes;
  const T* x;
  const std::int64_t* t;  // (R), or null
  const T* q;             // (R, C), or null
  const T* weight;        // (C), or null
  C* max;                 // (R) each
  C* log_sum;
  C* loss;
  C* divisor;
  std::int64_t ignore_index;
  C keep, spread;  // 1 - e, e / C

  CrossEntropyProblem(const Tensor& x, const Tensor& target, const Tensor& weight,
                      const CrossEntropy& o, const Tensor& stats)
      : rows(x.numel() / x.shape().back()),
        classes(x.shape().back()),
        x(static_cast<const T*>(x.data())),
        t(is_floating(target.dtype()) ? nullptr : target.data<std::int64_t>()),
        q(t != nullptr ? nullptr : static_cast<const T*>(target.data())),
        weight(weight ? static_cast<const T*>(weight.data()) : nullptr),
        max(static_cast<C*>(stats.data())),
        log_sum(max + rows),
        loss(log_sum + rows),
        divisor(loss + rows),
        ignore_index(o.ignore_index),
        keep(static_cast<C>(1 - o.label_smoothing)),
        spread(static_cast<C>(o.label_smoothing / static_cast<double>(classes))) {}

  GRADUS_HD C weight_of(std::int64_t c) const { return weight != nullptr ? C(weight[c]) : C(1); }
  /// w_c q_c for a target distribution.
  GRADUS_HD C target_of(std::int64_t r, std::int64_t c) const {
    return weight_of(c) * (C(q[r * classes + c]) * keep + spread);
  }
  GRADUS_HD bool ignored(std::int64_t r) const { return t != nullptr && t[r] == ignore_index; }
};

}  // namespace gradus
