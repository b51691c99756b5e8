// A table from a dtype to what computes in it.
#pragma once

#include "gradus/tensor/dtype.h"

namespace gradus {

/// By arithmetic type (float for the half types); null where an op is not defined.
template <class F>
struct ByType {
  F f32 = nullptr, f64 = nullptr, i32 = nullptr, i64 = nullptr, u8 = nullptr, boolean = nullptr;
  constexpr F of(Dtype dtype) const {
    switch (dtype) {
      case Dtype::f64: return f64;
      case Dtype::i32: return i32;
      case Dtype::i64: return i64;
      case Dtype::u8: return u8;
      case Dtype::boolean: return boolean;
      default: return f32;
    }
  }
};

}  // namespace gradus
