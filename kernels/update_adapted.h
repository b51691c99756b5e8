// Optimizer rules that look at more than one element: norms of a parameter (LARS, LAMB), and its
// matrix (Muon). kernels/update.h has all others.
#pragma once

#include "gradus/kernels/rule.h"

namespace gradus::rules {

/// LARS (You et al. 2017, arXiv:1708.03888): momentum, with a rate for each parameter that follows
/// the size of its weights against that of its gradient.
struct Lars {
  static constexpr auto name = "lars";
  static constexpr std::array slots{"momentum_buffer"};
  static constexpr Kind kind = Kind::needs_norms;
  double eta = 1e-3;
  double eps = 1e-8;
  /// The rate's factor, from |p| and |g|.
  GRADUS_HD double trust(double p, double g, double decay) const {
    return p > 0 && g > 0 ? eta * p / (g + decay * p + eps) : 1;
  }
  template <class T>
  struct At {
    T lr, decay, momentum, ratio;
    GRADUS_HD void operator()(T& p, T g, T& buffer) const {
      buffer = momentum * buffer + ratio * (g + decay * p);
      p -= lr * buffer;
    }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    return {T(now.lr), T(now.decay), T(now.momentum), T(now.ratio)};
  }
};

/// LAMB (You et al. 2019, arXiv:1904.00962): AdamW's update with a rate for each parameter, the
/// size of its weights against that of the update.
struct Lamb {
  static constexpr auto name = "lamb";
  static constexpr std::array slots{"exp_avg", "exp_avg_sq"};
  static constexpr Kind kind = Kind::two_pass;
  double beta2 = 0.999;
  double eps = 1e-6;
  /// The rate's factor, from |p| and |update|.
  GRADUS_HD double trust(double p, double update) const {
    return p > 0 && update > 0 ? p / update : 1;
  }
  template <class T>
  struct At {
    T decay, b1, c1, b2, c2, unbias, root, eps, lr;
    GRADUS_HD T update(T p, T m, T v) const {
      return unbias * m / (math::sqrt(v) * root + eps) + decay * p;
    }
    GRADUS_HD T prepare(T p, T g, T& m, T& v) const {
      m = b1 * m + c1 * g;
      v = b2 * v + c2 * g * g;
      return update(p, m, v);
    }
    GRADUS_HD void operator()(T& p, T, T& m, T& v) const { p -= lr * update(p, m, v); }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    return {T(now.decay),
            T(now.momentum),
            T(1 - now.momentum),
            T(beta2),
            T(1 - beta2),
            T(1 / correction(now.momentum, now.steps)),
            T(1 / std::sqrt(correction(beta2, now.steps))),
            T(eps),
            T(now.lr * now.ratio)};
  }
};

/// Muon (Jordan et al. 2024): momentum whose matrix is made orthogonal (optim/muon.cpp, between the
/// two passes) before it is applied.
struct Muon {
  static constexpr auto name = "muon";
  static constexpr std::array slots{"momentum_buffer", "update"};
  static constexpr std::size_t scratch = 1;
  static constexpr Kind kind = Kind::matrix;
  double nesterov = 1;  // 0 or 1
  template <class T>
  struct At {
    T keep, lr, fresh, ahead;
    GRADUS_HD T prepare(T, T g, T& buffer, T& update) const {
      buffer += fresh * (g - buffer);
      return update = g + ahead * (buffer - g);
    }
    GRADUS_HD void operator()(T& p, T, T&, T& update) const { p = keep * p - lr * update; }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    return {T(1 - now.lr * now.decay), T(now.lr), T(1 - now.momentum),
            nesterov != 0 ? T(now.momentum) : T(1)};
  }
};

}  // namespace gradus::rules
