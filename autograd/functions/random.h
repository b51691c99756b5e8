// Random functions that autograd knows about: dropout, and filling in place. rand, randn and the
// other makers are in kernels/random.h.
#pragma once

#include "gradus/kernels/random.h"

namespace gradus {

/// While training: each element is 0 with probability p, else x / (1 - p). Which ones is a function
/// of the random position and the element's place in the global batch (tensor/random.h), so the
/// backward draws again instead of keeping a mask.
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true);

// In place, refused as every in-place form is while a gradient is wanted; return `t`. The second
// form of each draws from a sequence of its own.
const Tensor& uniform_(const Tensor& t, double low = 0, double high = 1);
const Tensor& uniform_(const Tensor& t, double low, double high, Generator& generator);
const Tensor& normal_(const Tensor& t, double mean = 0, double deviation = 1);
const Tensor& normal_(const Tensor& t, double mean, double deviation, Generator& generator);
/// Normal values on [low, high] (not in deviations).
const Tensor& trunc_normal_(const Tensor& t, double mean = 0, double deviation = 1, double low = -2,
                            double high = 2);
const Tensor& trunc_normal_(const Tensor& t, double mean, double deviation, double low, double high,
                            Generator& generator);

}  // namespace gradus
