// From one element type to another.
#pragma once

#include <type_traits>

#include "gradus/tensor/dtype.h"

namespace gradus {

/// As a C cast does it, through float for the half types; anything but zero is true.
template <class To, class From>
GRADUS_HD inline To convert(From v) {
  using F = compute_t<From>;
  if constexpr (std::is_same_v<To, bool>)
    return F(v) != F(0);
  else
    return To(compute_t<To>(F(v)));
}

}  // namespace gradus
