// A convolution as cuDNN takes it, and the plans made from that. Everything here but the functions
// of `Api` runs anywhere: tests give it functions of their own, which do on the host what cuDNN's
// documentation says.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "gradus/kernels/conv.h"
#include "gradus/kernels/cuda/dnn_abi.h"

namespace gradus::cuda::dnn {

/// What a plan depends on: shapes, layout, type, options, and nothing that changes while a program
/// runs.
struct Problem {
  int dims = 0;                       // of x, w and y: 4, or 5 with three spatial ones
  std::array<int, 5> x = {}, y = {};  // (N, C, ...) and (N, O, ...)
  std::array<int, 5> w = {};          // (O, C / groups, ...)
  std::array<int, 3> padding = {}, stride = {}, dilation = {};
  int groups = 1;
  bool channels_last = false;  // how all three lie in memory: NHWC (or NDHWC), else NCHW
  int type = data_float;
  int math = default_math;
  auto operator<=>(const Problem&) const = default;
};

/// Tensors of the contract kernels/conv.h. None, if one of them is empty or has 2^31 elements, the
/// types differ, they do not all lie dense in one of the two layouts, or one is not aligned to 16
/// bytes. A single spatial dimension becomes two, the first of size 1.
std::optional<Problem> as_problem(const Tensor& x, const Tensor& w, const Tensor& y,
                                  const ConvOptions& options, bool tf32);

/// Does t lie dense in memory, its channels the fastest (or the slowest) but for the batch?
bool is_dense(const Tensor& t, bool channels_last);

/// w as x and y lie: itself, or a copy of it. (Where these two differ, none is made.)
Tensor as_laid_out(const Tensor& w, const Tensor& x, const Tensor& y);
/// (O) shown as (N, O, ...).
Tensor each_channel(const Tensor& bias, const Shape& shape);

enum class Pass { forward, input_gradient, weight_gradient };

/// The library on one device. Not for two threads at a time.
class Convolutions {
 public:
  static constexpr std::size_t most_workspace = std::size_t{256} << 20;

  explicit Convolutions(const Api& api) : api_(api) {}
  Convolutions(const Convolutions&) = delete;
  Convolutions& operator=(const Convolutions&) = delete;

  /// Puts  to = alpha conv(a, b) + beta to  into the stream: (a, b, to) is (x, w, y), (w, dy, dx)
  /// or (x, dy, dw). False, and nothing is done, where the library has no algorithm of ours within
  /// most_workspace. Throws (device) where it fails.
  bool run(Pass pass, const Problem& problem, const void* a, const void* b, void* to, double alpha,
           double beta, void* stream, const std::function<Tensor(std::size_t bytes)>& workspace);

 private:
  struct Plan {
    Descriptor x = nullptr, w = nullptr, y = nullptr, convolution = nullptr;
    int algorithm = -1;  // none: not usable
    std::size_t workspace = 0;
  };
  struct Key {
    Pass pass;
    Problem problem;
    auto operator<=>(const Key&) const = default;
  };
  Plan make_plan(Pass pass, const Problem& p);
  Status workspace_of(Pass pass, const Plan& plan, int algorithm, std::size_t& bytes) const;
  void expect(Status status, const char* call) const;

  const Api& api_;
  Handle handle_ = nullptr;
  std::map<Key, Plan> plans_;
};

}  // namespace gradus::cuda::dnn
