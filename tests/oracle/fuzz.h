// A fuzzer of ops: a random op on random shapes, dtypes and memory, against loops in double that
// know nothing of strides. test_fuzz.cpp draws and compares; test_fuzz_ops.cpp and
// test_fuzz_structured.cpp have the ops.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus::oracle::fuzz {

class Random {  // splitmix64
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits();
  /// An integer of [low, high].
  std::int64_t range(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool flip() { return (bits() & 1) != 0; }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
  }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(range(0, static_cast<std::int64_t>(list.size()) - 1))];
  }

 private:
  std::uint64_t state_;
};

/// Values in row-major order: what the loops work on.
struct Plain {
  Shape shape;
  std::vector<double> v;

  Plain() = default;
  explicit Plain(const Shape& s, double value = 0)
      : shape(s), v(static_cast<std::size_t>(s.numel()), value) {}
  double& at(const std::vector<std::int64_t>& index);
  double at(const std::vector<std::int64_t>& index) const;
};

/// Calls f with every index of a shape, in row-major order.
void every(const Shape& shape, const std::function<void(const std::vector<std::int64_t>&)>& f);
/// The element that broadcasting puts at `index` of the result.
double broadcast(const Plain& x, const std::vector<std::int64_t>& index);

/// A drawn tensor in some memory, and its values.
struct Drawn {
  Tensor t;
  Plain p;
};

/// What one case did.
struct Outcome {
  std::string what;  // the op with its arguments, for messages
  Tensor got;
  Plain expected;
  double roundings = 0;  // in units of the dtype's roundoff, times `size`
  double size = 1;       // of the terms; at least the largest result is taken
};

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random(seed) {}
  Shape shape(int dims, std::int64_t most = 5);
  Shape shape() { return shape(static_cast<int>(random.range(0, 4))); }
  Dtype floating() {
    return random.of(std::vector{Dtype::f64, Dtype::f32, Dtype::bf16, Dtype::f16});
  }
  /// Values uniform on [low, high] in random memory: row-major, transposed, strided, at an offset
  /// or expanded.
  Drawn tensor(const Shape& shape, Dtype dtype, double low = -2, double high = 2);
  /// Integers of [0, size).
  Drawn index(const Shape& shape, std::int64_t size);
  int dim(const Shape& shape) { return static_cast<int>(random.range(0, shape.size() - 1)); }
  Random random;
};

using Op = std::function<Outcome(Draw&)>;
using Ops = std::vector<std::pair<std::string, Op>>;
void add_simple_ops(Ops&);
void add_structured_ops(Ops&);

}  // namespace gradus::oracle::fuzz
