// What a user can do with the graph itself: look at it, put an operation of their own into it, and
// trade memory for computing a part of it twice.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// The graph behind `t` in Graphviz' language: operations as ellipses, leaves as boxes.
std::string to_dot(const Tensor& t);

/// y = forward(inputs), recorded under `name`. `forward` runs unrecorded. `backward(dy, inputs, y)`
/// returns one gradient an input, undefined where there is none. Inputs and y are kept until then.
Tensor custom(const std::string& name, const std::vector<Tensor>& inputs,
              std::function<Tensor(const std::vector<Tensor>&)> forward,
              std::function<std::vector<Tensor>(const Tensor& dy, const std::vector<Tensor>& inputs,
                                                const Tensor& y)>
                  backward);

/// y = f(inputs), keeping only the inputs: the backward computes f again, with the same random
/// numbers, and goes through it. Tensors that f captures get their gradients, too (into the leaves;
/// grad() of a captured tensor does not see the region).
Tensor checkpoint(std::function<Tensor(const std::vector<Tensor>&)> f,
                  const std::vector<Tensor>& inputs);

/// True while a checkpointed region is computed again: running statistics stay as they are then.
bool is_recomputing();

}  // namespace gradus
