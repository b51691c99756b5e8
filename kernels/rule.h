// What an optimizer rule is (kernels/update.h), and what it may depend on.
//
// A rule is a value: its constants (at most four doubles) are its data members.
//   name, slots        the names of its state tensors, PyTorch's
//   kind               pointwise; needs_norms: reads |p| and |g| of its segment (LARS); two_pass:
//                      needs the norm of its own update (LAMB); matrix: its update goes through
//                      matrix products before it is applied (Muon)
//   at<T>(now)         the factors of this step and segment, computed in f64 and rounded to T once
//   At<T>::operator()(p, g, s...)   moves one element; g is unscaled and clipped, s are the slots
//   At<T>::prepare(p, g, s...)      of two_pass and matrix rules, in a pass before: moves the slots
//                      and returns the element of the update; operator() is given no gradient then
//   scratch            how many of the slots, the last ones, hold nothing between two steps
// The formulas are torch.optim's single-tensor ones, division by sqrt(bias correction) excepted,
// which is a multiplication by its inverse.
#pragma once

#include <array>
#include <cmath>

#include "gradus/kernels/ops/op.h"

namespace gradus::rules {

enum class Kind { pointwise, needs_norms, two_pass, matrix };

/// Rules with a pass before the one that moves the weights.
template <class Rule>
inline constexpr bool prepares = Rule::kind == Kind::two_pass || Rule::kind == Kind::matrix;

/// Slots of a rule that are written anew in every step, and not saved.
template <class Rule>
inline constexpr std::size_t scratch_slots = [] {
  if constexpr (requires { Rule::scratch; })
    return Rule::scratch;
  else
    return 0;
}();

/// What a rule may depend on besides its elements.
struct Now {
  double lr = 0;
  double momentum = 0;     // beta1 of the Adam family
  double decay = 0;        // weight decay; 0 for a segment that does not decay
  double ratio = 1;        // needs_norms, two_pass: what trust() gave
  std::int64_t steps = 1;  // applied steps of this segment, this one included
  bool operator==(const Now&) const = default;
};

/// Bias correction, shared by the Adam family: 1 - beta^steps, the power by squaring, because a
/// library's pow has other bits on a GPU.
GRADUS_HD inline double correction(double beta, std::int64_t steps) {
  double power = 1;
  for (; steps > 0; steps /= 2, beta *= beta) {
    if (steps % 2 == 1) power *= beta;
  }
  return 1 - power;
}

}  // namespace gradus::rules
