// One table of op cases for every test that goes over all ops: gradients, views, threads, devices.
// A new op is one row in its family's file.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus::testing {

/// Images (N, C, H, W) of the same values in channels-last memory. Recorded.
inline Tensor channels_last(const Tensor& x) {
  return x.permute({0, 2, 3, 1}).clone().permute({0, 3, 1, 2});
}

/// One input of a case: values drawn uniformly from [low, high], or class indices for integer
/// dtypes.
struct Input {
  Shape shape;
  double low = -2, high = 2;
  Dtype dtype = Dtype::f64;  // f64 inputs are differentiated, all others are not
  bool differentiable = true;
};

struct OpCase {
  std::string name;
  std::function<Tensor(const std::vector<Tensor>&)> f;
  std::vector<Input> inputs;
  /// False where the bits may depend on how the memory lies (none of our own CPU kernels).
  bool same_bits_for_views = true;
  bool differentiable = true;
};
using Cases = std::vector<OpCase>;

void add_pointwise_cases(Cases&);
void add_reduce_cases(Cases&);
void add_shape_cases(Cases&);
void add_index_cases(Cases&);
void add_matmul_cases(Cases&);
void add_conv_cases(Cases&);
void add_embedding_cases(Cases&);
void add_norm_cases(Cases&);
void add_pool_cases(Cases&);
void add_loss_cases(Cases&);
void add_attention_cases(Cases&);

/// Every case, in a fixed order.
inline const Cases& op_cases() {
  static const Cases cases = [] {
    Cases all;
    add_pointwise_cases(all);
    add_reduce_cases(all);
    add_shape_cases(all);
    add_index_cases(all);
    add_matmul_cases(all);
    add_conv_cases(all);
    add_embedding_cases(all);
    add_norm_cases(all);
    add_pool_cases(all);
    add_loss_cases(all);
    add_attention_cases(all);
    return all;
  }();
  return cases;
}

/// Inputs of a case, the same for the same seed. Row-major; made to require a gradient where
/// wanted.
std::vector<Tensor> make_inputs(const OpCase& c, std::uint64_t seed);

/// The same values in other memory: `form` 0 row-major, 1 transposed, 2 every second element of a
/// larger block, 3 at an offset. Leaves that require a gradient where the original does.
Tensor in_other_memory(const Tensor& t, int form);

}  // namespace gradus::testing
