// One class an activation; each is its function (autograd/functions/activation.h) with the options
// kept. All are pointwise unless a line says otherwise.
#pragma once

#include <string>

#include "gradus/autograd/functions/activation.h"
#include "gradus/autograd/functions/pointwise.h"
#include "gradus/autograd/functions/softmax.h"
#include "gradus/nn/module.h"

namespace gradus::nn {

class Identity : public Module {
 public:
  Tensor forward(const Tensor& x) override { return x; }
};

class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override { return relu(x); }
};

class ReLU6 : public Module {
 public:
  Tensor forward(const Tensor& x) override { return relu6(x); }
};

class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
};

class LogSigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override { return logsigmoid(x); }
};

class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) override { return tanh(x); }
};

class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) override { return silu(x); }
};

class Mish : public Module {
 public:
  Tensor forward(const Tensor& x) override { return mish(x); }
};

class SELU : public Module {
 public:
  Tensor forward(const Tensor& x) override { return selu(x); }
};

class Softsign : public Module {
 public:
  Tensor forward(const Tensor& x) override { return softsign(x); }
};

class Hardsigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override { return hardsigmoid(x); }
};

class Hardswish : public Module {
 public:
  Tensor forward(const Tensor& x) override { return hardswish(x); }
};

class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(double negative_slope = 0.01) : negative_slope(negative_slope) {}
  Tensor forward(const Tensor& x) override { return leaky_relu(x, negative_slope); }
  std::string extra() const override;
  double negative_slope;
};

class ELU : public Module {
 public:
  explicit ELU(double alpha = 1) : alpha(alpha) {}
  Tensor forward(const Tensor& x) override { return elu(x, alpha); }
  std::string extra() const override;
  double alpha;
};

class CELU : public Module {
 public:
  explicit CELU(double alpha = 1) : alpha(alpha) {}
  Tensor forward(const Tensor& x) override { return celu(x, alpha); }
  std::string extra() const override;
  double alpha;
};

/// approximate: "none" (x Phi(x)) or "tanh".
class GELU : public Module {
 public:
  explicit GELU(std::string approximate = "none") : approximate(std::move(approximate)) {}
  Tensor forward(const Tensor& x) override { return gelu(x, approximate); }
  std::string extra() const override;
  std::string approximate;
};

class Softplus : public Module {
 public:
  explicit Softplus(double beta = 1, double threshold = 20) : beta(beta), threshold(threshold) {}
  Tensor forward(const Tensor& x) override { return softplus(x, beta, threshold); }
  std::string extra() const override;
  double beta, threshold;
};

class Hardtanh : public Module {
 public:
  explicit Hardtanh(double min = -1, double max = 1) : min(min), max(max) {}
  Tensor forward(const Tensor& x) override { return hardtanh(x, min, max); }
  std::string extra() const override;
  double min, max;
};

/// x where x > threshold, else `value`.
class Threshold : public Module {
 public:
  Threshold(double threshold, double value) : threshold(threshold), value(value) {}
  Tensor forward(const Tensor& x) override { return gradus::threshold(x, threshold, value); }
  std::string extra() const override;
  double threshold, value;
};

/// A learned slope for negative values: one, or one for each channel (dimension 1).
class PReLU : public Module {
 public:
  explicit PReLU(std::int64_t num_parameters = 1, double init = 0.25, TensorOptions options = {});
  Tensor forward(const Tensor& x) override { return prelu(x, weight); }
  void visit(Visitor& v) override { v("weight", weight, Role::bias); }
  std::string extra() const override;
  Tensor weight;
};

/// (..., 2 C, ...) -> (..., C, ...): the first half times the sigmoid of the second.
class GLU : public Module {
 public:
  explicit GLU(int dim = -1) : dim(dim) {}
  Tensor forward(const Tensor& x) override { return glu(x, dim); }
  std::string extra() const override { return "dim=" + std::to_string(dim); }
  int dim;
};

/// Positive numbers along `dim` that sum to one.
class Softmax : public Module {
 public:
  explicit Softmax(int dim) : dim(dim) {}
  Tensor forward(const Tensor& x) override { return softmax(x, dim); }
  std::string extra() const override { return "dim=" + std::to_string(dim); }
  int dim;
};

class LogSoftmax : public Module {
 public:
  explicit LogSoftmax(int dim) : dim(dim) {}
  Tensor forward(const Tensor& x) override { return log_softmax(x, dim); }
  std::string extra() const override { return "dim=" + std::to_string(dim); }
  int dim;
};

}  // namespace gradus::nn
