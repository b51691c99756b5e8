// What nn hands to optim: a tensor with its name and what it is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

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

constexpr std::string_view to_string(Role role) {
  constexpr std::string_view names[] = {
      "weight", "bias", "norm", "embedding", "running_statistic", "counter", "power_iteration"};
  return names[static_cast<int>(role)];
}

/// True for what is learned by gradient; false for a buffer.
constexpr bool is_learned(Role role) { return role <= Role::embedding; }

/// A handle to a tensor of a module, its full name ("block.0.fc1.weight") and its role.
struct Parameter : Tensor {
  std::string name;
  Role role = Role::weight;
};

/// Lets `for (const auto& [name, tensor] : net.named_parameters())` take one apart.
template <std::size_t i>
const auto& get(const Parameter& p) {
  if constexpr (i == 0)
    return p.name;
  else
    return static_cast<const Tensor&>(p);
}

}  // namespace gradus

template <>
struct std::tuple_size<gradus::Parameter> : std::integral_constant<std::size_t, 2> {};
template <>
struct std::tuple_element<0, gradus::Parameter> {
  using type = const std::string;
};
template <>
struct std::tuple_element<1, gradus::Parameter> {
  using type = const gradus::Tensor;
};
