// gradcheck(): backward against central differences, element by element.
#pragma once

#include <functional>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// Compares the full Jacobian of `f` at `inputs` (f64) with central differences of step `eps`:
/// every element must agree within atol + rtol |numeric|. Throws Error(internal) naming the worst
/// element otherwise. Inputs that do not require a gradient are left alone.
void gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f,
               const std::vector<Tensor>& inputs, double eps = 1e-6, double atol = 1e-7,
               double rtol = 1e-6);

}  // namespace gradus
