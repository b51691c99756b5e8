// PyTorch's answers replayed through the public functions. A row of a test_*_calls.cpp file says
// how an OpInfo entry is called and how exact its result must be; opinfo.cpp reads what
// export_opinfo.py wrote; test_opinfo.cpp replays every case in every dtype and memory form.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gradus/tensor/scalar.h"
#include "gradus/tensor/tensor.h"

namespace gradus::oracle {

using Tensors = std::vector<Tensor>;

/// Thrown by a row for a sample that ours does not do on purpose.
struct LeftOut {
  std::string reason;
};

/// The arguments of a case by name, its tensors made anew for each replay.
class Args {
 public:
  Args(const nlohmann::json& values, const Tensors& tensors) : values_(&values), given_(&tensors) {}

  bool has(const char* name) const;  // given, and not None
  bool is_tensor(const char* name) const;
  bool is_flag(const char* name) const;
  bool is_text(const char* name) const;
  Tensor t(const char* name = "input") const;
  Tensor optional(const char* name) const;  // undefined for None
  Tensors list(const char* name = "tensors") const;
  /// A number, or a tensor of one element used as one.
  std::int64_t integer(const char* name, std::optional<std::int64_t> fallback = {}) const;
  double real(const char* name, std::optional<double> fallback = {}) const;
  bool flag(const char* name, bool fallback = false) const;
  std::string text(const char* name, const char* fallback) const;
  Scalar scalar(const char* name, std::optional<Scalar> fallback = {}) const;
  std::optional<Scalar> maybe_scalar(const char* name) const;
  std::optional<Dtype> dtype(const char* name = "dtype") const;
  /// A number or a list of them; empty if not given.
  std::vector<std::int64_t> integers(const char* name) const;
  std::vector<std::optional<std::int64_t>> maybe_integers(const char* name) const;  // None: nullopt
  Dims dims(const char* name = "dim") const;
  int dim(const char* name = "dim", int fallback = 0) const;
  Shape shape(const char* name) const;
  const Tensors& tensors() const { return *given_; }
  /// Leaves the sample out if it has one of these arguments.
  const Args& without(std::initializer_list<const char*> names) const;

 private:
  const nlohmann::json* find(const char* name) const;
  const nlohmann::json& at(const char* name) const;
  const nlohmann::json* values_;
  const Tensors* given_;
};

/// How far a result may lie from PyTorch's in f64; docs/correctness.md explains each.
struct Bound {
  enum Kind {
    exact,        // nothing is computed, or exactly
    ulp,          // n units in the last place of each element
    contraction,  // 2 (K + 2) u sum |a| |b|, the sum computed by the op itself
    roundings,    // n u of the largest element of the result
  } kind = exact;
  double n = 0;
};
inline constexpr Bound exact{Bound::exact};
inline constexpr Bound ulp(double n) { return {Bound::ulp, n}; }
inline constexpr Bound contraction{Bound::contraction};
inline constexpr Bound roundings(double n) { return {Bound::roundings, n}; }

struct Call {
  std::string entry;  // OpInfo's name
  Bound bound;
  std::function<Tensors(const Args&)> f;
  /// Why its bad inputs are no errors here, if so.
  std::string takes_bad_input = {};
  /// How many results are compared; 0: all.
  std::size_t compared = 0;
  /// Relative to the largest gradient; more where PyTorch's own constants are rounded to f32.
  double gradient = 1e-10;
};
using Calls = std::vector<Call>;

void add_pointwise_calls(Calls&);
void add_activation_calls(Calls&);
void add_reduce_calls(Calls&);
void add_shape_calls(Calls&);
void add_index_calls(Calls&);
void add_product_calls(Calls&);
void add_conv_calls(Calls&);
void add_norm_calls(Calls&);
void add_loss_calls(Calls&);

/// A stored tensor: its values lie somewhere in a pool.
struct Stored {
  Dtype dtype = Dtype::f64;
  Shape shape;
  std::string pool;
  std::int64_t offset = 0;
  bool differentiable = false;
};

struct Case {
  std::string op;
  Dtype dtype = Dtype::f64;
  nlohmann::json args;         // tensors replaced by {"tensor": i}
  std::vector<Stored> inputs;  // in the order of the arguments' names
  std::vector<Stored> outputs;
  bool has_gradients = false;
  std::vector<std::optional<Stored>> gradients;  // of the differentiable inputs
  bool error = false;                            // every library must refuse it
  std::string line;                              // as stored, for messages
};

/// One family's file.
struct Samples {
  std::vector<Case> cases;
  std::vector<std::pair<std::string, std::int64_t>> left_out;  // by the exporter: reason, count
  Tensor read(const Stored& t) const;                          // row-major, own memory
  std::map<std::string, Tensor> pools;
};
Samples load_samples(const std::string& family);

}  // namespace gradus::oracle
