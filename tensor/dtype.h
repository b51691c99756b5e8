// The element types, their promotion, and visit(): the only switch over them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gradus/tensor/error.h"
#include "gradus/tensor/half.h"

namespace gradus {

enum class Dtype : std::uint8_t { f32, f64, bf16, f16, i32, i64, u8, boolean };
inline constexpr int dtype_count = 8;

constexpr std::size_t size_of(Dtype dtype) {
  constexpr std::uint8_t sizes[dtype_count] = {4, 8, 2, 2, 4, 8, 1, 1};
  return sizes[static_cast<int>(dtype)];
}
constexpr bool is_floating(Dtype dtype) { return dtype <= Dtype::f16; }
constexpr bool is_half(Dtype dtype) { return dtype == Dtype::bf16 || dtype == Dtype::f16; }

std::string_view to_string(Dtype dtype);  // "f32"

/// The smallest type that holds both, by PyTorch's rules (bf16 and f16 give f32; u8 and i32 give
/// i32).
Dtype promote(Dtype a, Dtype b);

template <class T>
inline constexpr Dtype dtype_of = [] { static_assert(sizeof(T) == 0, "no Dtype for this type"); }();
template <>
inline constexpr Dtype dtype_of<float> = Dtype::f32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::f64;
template <>
inline constexpr Dtype dtype_of<bf16> = Dtype::bf16;
template <>
inline constexpr Dtype dtype_of<f16> = Dtype::f16;
template <>
inline constexpr Dtype dtype_of<std::int32_t> = Dtype::i32;
template <>
inline constexpr Dtype dtype_of<std::int64_t> = Dtype::i64;
template <>
inline constexpr Dtype dtype_of<std::uint8_t> = Dtype::u8;
template <>
inline constexpr Dtype dtype_of<bool> = Dtype::boolean;

/// The type in which arithmetic on T is done: float for the half types, T for all others.
template <class T>
struct ComputeType {
  using type = T;
};
template <>
struct ComputeType<bf16> {
  using type = float;
};
template <>
struct ComputeType<f16> {
  using type = float;
};
template <class T>
using compute_t = typename ComputeType<T>::type;

/// Calls `f.template operator()<T>()` with the C++ type of `dtype`.
template <class F>
decltype(auto) visit(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::f32: return f.template operator()<float>();
    case Dtype::f64: return f.template operator()<double>();
    case Dtype::bf16: return f.template operator()<bf16>();
    case Dtype::f16: return f.template operator()<f16>();
    case Dtype::i32: return f.template operator()<std::int32_t>();
    case Dtype::i64: return f.template operator()<std::int64_t>();
    case Dtype::u8: return f.template operator()<std::uint8_t>();
    case Dtype::boolean: return f.template operator()<bool>();
  }
  raise(ErrorKind::internal, {"visit: unknown dtype ", static_cast<int>(dtype)});
}

/// visit() over the floating types alone; `op` names the caller in the error.
template <class F>
decltype(auto) visit_floating(Dtype dtype, std::string_view op, F&& f) {
  switch (dtype) {
    case Dtype::f32: return f.template operator()<float>();
    case Dtype::f64: return f.template operator()<double>();
    case Dtype::bf16: return f.template operator()<bf16>();
    case Dtype::f16: return f.template operator()<f16>();
    default: raise(ErrorKind::dtype, {op, ": expected a floating dtype, got ", dtype});
  }
}

/// visit() over all types but booleans; `op` names the caller in the error.
template <class F>
decltype(auto) visit_numbers(Dtype dtype, std::string_view op, F&& f) {
  switch (dtype) {
    case Dtype::i32: return f.template operator()<std::int32_t>();
    case Dtype::i64: return f.template operator()<std::int64_t>();
    case Dtype::u8: return f.template operator()<std::uint8_t>();
    case Dtype::boolean: raise(ErrorKind::dtype, {op, ": not defined for ", dtype});
    default: return visit_floating(dtype, op, f);
  }
}

}  // namespace gradus
