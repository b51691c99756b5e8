// Every optimizer rule, once: how one element of a parameter moves. The CPU loop and the CUDA
// kernel of an update both come from its struct here, as ops come from kernels/ops.h.
//
// A rule is a value: its constants (at most four doubles) are its data members.
//   name, slots        the names of its state tensors, PyTorch's
//   kind               pointwise; needs_norms: reads |p| and |g| of its segment (LARS)
//   at<T>(now)         the factors of this step and segment, computed in f64 and rounded to T once
//   At<T>::operator()(p, g, s...)   moves one element; g is unscaled and clipped, s are the slots
// The formulas are torch.optim's single-tensor ones, division by sqrt(bias correction) excepted,
// which is a multiplication by its inverse.
#pragma once

#include <array>
#include <cmath>

#include "gradus/kernels/ops.h"

namespace gradus::rules {

enum class Kind { pointwise, needs_norms };

/// What a rule may depend on besides its elements.
struct Now {
  double lr = 0;
  double momentum = 0;     // beta1 of the Adam family
  double decay = 0;        // weight decay; 0 for a segment that does not decay
  double ratio = 1;        // needs_norms: trust(|p|, |g|)
  std::int64_t steps = 1;  // applied steps of this segment, this one included
};

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

/// Bias correction, shared by the Adam family.
GRADUS_HD inline double correction(double beta, std::int64_t steps) {
  return 1 - std::pow(beta, static_cast<double>(steps));
}

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

using All = ops::List<Sgd, SgdMomentum, Adam, AdamW>;

}  // namespace gradus::rules
