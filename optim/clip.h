// Clipping by hand, for loops that need clipped gradients outside an optimizer. An optimizer's own
// options max_grad_norm and max_grad_value cost nothing and leave the gradients as they are.
#pragma once

#include "gradus/optim/options.h"

namespace gradus::optim {

/// Multiplies all gradients by min(1, max_norm / (norm + 1e-6)) and returns the norm before, (),
/// f64. norm_type: any p > 0, or infinity. Parameters without a gradient are left out.
Tensor clip_grad_norm_(const Parameters& parameters, double max_norm, double norm_type = 2);

/// Moves every element of the gradients into [-clip_value, clip_value].
void clip_grad_value_(const Parameters& parameters, double clip_value);

}  // namespace gradus::optim

namespace gradus {
using optim::clip_grad_norm_;
using optim::clip_grad_value_;
}  // namespace gradus
