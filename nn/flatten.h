// Layers that only change the shape.
#pragma once

#include "gradus/nn/module.h"

namespace gradus::nn {

/// (N, C, H, W) -> (N, C H W): joins dimensions start_dim to end_dim.
class Flatten : public Module {
 public:
  explicit Flatten(int start_dim = 1, int end_dim = -1) : start_dim(start_dim), end_dim(end_dim) {}
  Tensor forward(const Tensor& x) override { return x.flatten(start_dim, end_dim); }
  std::string extra() const override {
    return "start_dim=" + std::to_string(start_dim) + ", end_dim=" + std::to_string(end_dim);
  }
  int start_dim, end_dim;
};

/// Splits dimension `dim` into `sizes`.
class Unflatten : public Module {
 public:
  Unflatten(int dim, Shape sizes) : dim(dim), sizes(sizes) {}
  Tensor forward(const Tensor& x) override { return x.unflatten(dim, sizes); }
  std::string extra() const override {
    return "dim=" + std::to_string(dim) + ", unflattened_size=" + to_string(sizes);
  }
  int dim;
  Shape sizes;
};

}  // namespace gradus::nn
