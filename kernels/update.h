// Every optimizer rule, once: how one element of a parameter moves. The CPU loop and the CUDA
// kernel of an update both come from its struct here, as ops come from kernels/ops.h. What a rule
// is made of stands in kernels/rule.h; those that look at more than one element are in
// kernels/update_adapted.h. The formulas are torch.optim's single-tensor ones, division by
// sqrt(bias correction) excepted, which is a multiplication by its inverse.
#pragma once

#include "gradus/kernels/rule.h"
#include "gradus/kernels/update_adapted.h"

namespace gradus::rules {

/// Plain gradient descent: p -= lr (g + decay p).
struct Sgd {
  static constexpr auto name = "sgd";
  static constexpr std::array<const char*, 0> slots{};
  static constexpr Kind kind = Kind::pointwise;
  template <class T>
  struct At {
    T lr, decay;
    GRADUS_HD void operator()(T& p, T g) const { p -= lr * (g + decay * p); }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    return {T(now.lr), T(now.decay)};
  }
};

/// With momentum: buf = momentum buf + (1 - dampening) d, buf = d at first; p -= lr buf, or with
/// Nesterov p -= lr (d + momentum buf).
struct SgdMomentum {
  static constexpr auto name = "sgd_momentum";
  static constexpr std::array slots{"momentum_buffer"};
  static constexpr Kind kind = Kind::pointwise;
  double dampening = 0;
  double nesterov = 0;  // 0 or 1
  template <class T>
  struct At {
    T lr, decay, momentum, fresh, ahead, behind;
    GRADUS_HD void operator()(T& p, T g, T& buffer) const {
      const T d = g + decay * p;
      buffer = momentum * buffer + fresh * d;
      p -= lr * (ahead * d + behind * buffer);
    }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    const bool first = now.steps == 1;  // the buffer holds zeros then
    const bool n = nesterov != 0;
    return {T(now.lr),
            T(now.decay),
            first ? T(0) : T(now.momentum),
            first ? T(1) : T(1 - dampening),
            n ? T(1) : T(0),
            n ? T(now.momentum) : T(1)};
  }
};

/// Adam: weight decay joins the gradient.
struct Adam {
  static constexpr auto name = "adam";
  static constexpr std::array slots{"exp_avg", "exp_avg_sq"};
  static constexpr Kind kind = Kind::pointwise;
  double beta2 = 0.999;
  double eps = 1e-8;
  template <class T>
  struct At {
    T decay, b1, c1, b2, c2, root, eps, step;
    GRADUS_HD void operator()(T& p, T g, T& m, T& v) const {
      g += decay * p;
      m = b1 * m + c1 * g;
      v = b2 * v + c2 * g * g;
      p -= step * m / (math::sqrt(v) * root + eps);
    }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    return {T(now.decay),
            T(now.momentum),
            T(1 - now.momentum),
            T(beta2),
            T(1 - beta2),
            T(1 / std::sqrt(correction(beta2, now.steps))),
            T(eps),
            T(now.lr / correction(now.momentum, now.steps))};
  }
};

/// AdamW: weight decay shrinks the weight itself.
struct AdamW {
  static constexpr auto name = "adamw";
  static constexpr std::array slots{"exp_avg", "exp_avg_sq"};
  static constexpr Kind kind = Kind::pointwise;
  double beta2 = 0.999;
  double eps = 1e-8;
  template <class T>
  struct At {
    T keep, b1, c1, b2, c2, root, eps, step;
    GRADUS_HD void operator()(T& p, T g, T& m, T& v) const {
      m = b1 * m + c1 * g;
      v = b2 * v + c2 * g * g;
      p = keep * p - step * m / (math::sqrt(v) * root + eps);
    }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    return {T(1 - now.lr * now.decay),
            T(now.momentum),
            T(1 - now.momentum),
            T(beta2),
            T(1 - beta2),
            T(1 / std::sqrt(correction(beta2, now.steps))),
            T(eps),
            T(now.lr / correction(now.momentum, now.steps))};
  }
};

/// RMSprop: g over the root of its mean square, optionally of its variance (centered), optionally
/// with momentum.
template <bool centered, bool with_momentum>
struct RmsProp {
  static constexpr auto name = "rmsprop";
  static constexpr auto slots = [] {
    if constexpr (centered && with_momentum)
      return std::array{"square_avg", "grad_avg", "momentum_buffer"};
    else if constexpr (centered)
      return std::array{"square_avg", "grad_avg"};
    else if constexpr (with_momentum)
      return std::array{"square_avg", "momentum_buffer"};
    else
      return std::array{"square_avg"};
  }();
  static constexpr Kind kind = Kind::pointwise;
  double alpha = 0.99;
  double eps = 1e-8;
  template <class T>
  struct At {
    T lr, decay, momentum, alpha, fresh, eps;
    GRADUS_HD T mean_square(T g, T& square) const {
      return square = alpha * square + fresh * g * g;
    }
    GRADUS_HD T variance(T g, T& square, T& mean) const {
      mean = alpha * mean + fresh * g;
      return mean_square(g, square) - mean * mean;
    }
    GRADUS_HD T whiten(T g, T power) const { return g / (math::sqrt(power) + eps); }
    GRADUS_HD void operator()(T& p, T g, T& square) const {
      g += decay * p;
      p -= lr * whiten(g, mean_square(g, square));
    }
    GRADUS_HD void operator()(T& p, T g, T& square, T& other) const {
      g += decay * p;
      if constexpr (centered) {
        p -= lr * whiten(g, variance(g, square, other));
      } else {
        other = momentum * other + whiten(g, mean_square(g, square));
        p -= lr * other;
      }
    }
    GRADUS_HD void operator()(T& p, T g, T& square, T& mean, T& buffer) const {
      g += decay * p;
      buffer = momentum * buffer + whiten(g, variance(g, square, mean));
      p -= lr * buffer;
    }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    return {T(now.lr), T(now.decay), T(now.momentum), T(alpha), T(1 - alpha), T(eps)};
  }
};

/// Adagrad: g over the root of the sum of its squares.
struct Adagrad {
  static constexpr auto name = "adagrad";
  static constexpr std::array slots{"sum"};
  static constexpr Kind kind = Kind::pointwise;
  double lr_decay = 0;
  double eps = 1e-10;
  double initial = 0;  // of the sum
  template <class T>
  struct At {
    T lr, decay, start, eps;
    GRADUS_HD void operator()(T& p, T g, T& sum) const {
      g += decay * p;
      sum += start + g * g;
      p -= lr * (g / (math::sqrt(sum) + eps));
    }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    const double before = static_cast<double>(now.steps - 1);
    return {T(now.lr / (1 + before * lr_decay)), T(now.decay), T(now.steps == 1 ? initial : 0),
            T(eps)};
  }
};

/// Lion (Chen et al. 2023, arXiv:2302.06675): the sign of an interpolated gradient.
struct Lion {
  static constexpr auto name = "lion";
  static constexpr std::array slots{"exp_avg"};
  static constexpr Kind kind = Kind::pointwise;
  double beta2 = 0.99;
  template <class T>
  struct At {
    T keep, lr, b1, c1, b2, c2;
    GRADUS_HD void operator()(T& p, T g, T& m) const {
      const T u = b1 * m + c1 * g;
      const T sign = u > 0 ? T(1) : u < 0 ? T(-1) : u;  // NaN stays NaN
      p = keep * p - lr * sign;
      m = b2 * m + c2 * g;
    }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    return {T(1 - now.lr * now.decay), T(now.lr), T(now.momentum),
            T(1 - now.momentum),       T(beta2),  T(1 - beta2)};
  }
};

/// Adan (Xie et al. 2022, arXiv:2208.06677): Nesterov momentum from the difference of gradients;
/// decay divides by 1 + lr decay, or with no_prox multiplies by 1 - lr decay first.
struct Adan {
  static constexpr auto name = "adan";
  static constexpr std::array slots{"exp_avg", "exp_avg_sq", "exp_avg_diff", "neg_pre_grad"};
  static constexpr Kind kind = Kind::pointwise;
  double beta2 = 0.92;
  double beta3 = 0.99;
  double eps = 1e-8;
  double no_prox = 0;  // 0 or 1
  template <class T>
  struct At {
    T keep, prox, b1, c1, b2, c2, b3, c3, root, eps, step, step_diff, later;
    GRADUS_HD void operator()(T& p, T g, T& m, T& v, T& n, T& before) const {
      const T diff = later * (before + g);  // 0 at first
      m = b1 * m + c1 * g;
      n = b2 * n + c2 * diff;
      const T u = b2 * diff + g;
      v = b3 * v + c3 * u * u;
      p = (keep * p - (step * m + step_diff * n) / (math::sqrt(v) * root + eps)) / prox;
      before = -g;
    }
  };
  template <class T>
  GRADUS_HD At<T> at(const Now& now) const {
    const double shrink = now.lr * now.decay;
    const bool outside = no_prox != 0;
    return {outside ? T(1 - shrink) : T(1),
            outside ? T(1) : T(1 + shrink),
            T(now.momentum),
            T(1 - now.momentum),
            T(beta2),
            T(1 - beta2),
            T(beta3),
            T(1 - beta3),
            T(1 / std::sqrt(correction(beta3, now.steps))),
            T(eps),
            T(now.lr / correction(now.momentum, now.steps)),
            T(now.lr * beta2 / correction(beta2, now.steps)),
            now.steps == 1 ? T(0) : T(1)};
  }
};

using All =
    ops::List<Sgd, SgdMomentum, Adam, AdamW, RmsProp<false, false>, RmsProp<false, true>,
              RmsProp<true, false>, RmsProp<true, true>, Adagrad, Lion, Adan, Lars, Lamb, Muon>;

}  // namespace gradus::rules
