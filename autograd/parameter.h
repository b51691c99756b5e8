// What nn hands to optim: a tensor with its name and what it is for.
#pragma once

#include <cstdint>
#include <string>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// What a state entry is for. Weight decay, LARS adaptation and averaging go by role, never by
/// name.
enum class Role : std::uint8_t {
  weight,
  bias,
  norm,
  embedding,
  running_statistic,
  counter,
  power_iteration
};

/// A handle to a tensor of a module, its full name ("block.0.fc1.weight") and its role.
struct Parameter : Tensor {
  std::string name;
  Role role = Role::weight;
};

}  // namespace gradus
