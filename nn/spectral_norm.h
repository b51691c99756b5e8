// Spectral normalisation: a layer whose weight is divided by its largest singular value, which one
// step of the power method per training pass follows. Miyato et al. 2018.
//
//   nn::Sequential critic{nn::utils::spectral_norm(nn::Conv2d(3, 64, 3)), nn::LeakyReLU(), ...};
//   auto fc = nn::utils::spectral_norm(nn::Linear(64, 1));     // a nn::utils::SpectralNorm<Linear>
// Keys of the state dict are those of torch.nn.utils.spectral_norm: weight_orig, which is learned,
// and the vectors weight_u and weight_v, buffers of the role power_iteration.
#pragma once

#include <optional>
#include <string>

#include "gradus/nn/module.h"

namespace gradus::nn::utils {

/// A weight W as a matrix (rows of dimension `dim`, all others), and its singular vectors so far.
class SpectralWeight {
 public:
  /// `weight` is learned from here on; u and v are drawn. Throws (argument) for less than one
  /// iteration.
  SpectralWeight(const Tensor& weight, std::int64_t n_power_iterations, double eps, int dim);

  /// W / (u' W v), recorded with u and v as constants. `training`: after v = W' u / |W' u| and u =
  /// W v / |W v|, n_power_iterations times.
  Tensor normalised(bool training);
  /// The same without training, as a tensor to be learned.
  Tensor settled() const;

  Tensor original, u, v;

 private:
  Tensor matrix() const;
  std::int64_t iterations_;
  double eps_;
  int dim_;
};

/// The tensor and the role that a module lists under a name; throws (argument) if there is none.
struct Member {
  Tensor* tensor = nullptr;
  Role role = Role::weight;
};

/// Collects the member called `name`, and shows all others to `rest` if there is one.
class MemberVisitor final : public Visitor {
 public:
  explicit MemberVisitor(std::string_view name, Visitor* rest = nullptr)
      : name_(name), rest_(rest) {}
  Member found() const;

 private:
  void tensor(const std::string& name, Tensor& t, Role role) override;
  void enter(std::string_view name, Module& module) override;
  void leave(Module& module) override;
  std::string_view name_;
  Visitor* rest_;
  int depth_ = 0;  // below the module's own members
  Member found_;
};

/// A layer M of one forward(x), and everything that M is; its weight is set anew by each forward().
template <std::derived_from<Module> M>
requires requires { &M::forward; }
class SpectralNorm : public M {
 public:
  SpectralNorm(M module, std::string name, std::int64_t n_power_iterations, double eps, int dim)
      : M(std::move(module)),
        name_(std::move(name)),
        weight_(*member().tensor, n_power_iterations, eps, dim),
        role_(member().role) {
    *member().tensor = weight_.original.detach();
  }

  Tensor forward(const Tensor& x) override {
    Tensor& weight = *member().tensor;
    weight = weight_.normalised(this->is_training());
    Tensor y = M::forward(x);
    weight = weight.detach();  // to be read, without the graph
    return y;
  }

  void visit(Visitor& v) override {
    MemberVisitor others(name_, &v);
    M::visit(others);
    v(name_ + "_orig", weight_.original, role_);
    v(name_ + "_u", weight_.u, Role::power_iteration);
    v(name_ + "_v", weight_.v, Role::power_iteration);
  }

  /// M's: a normalised layer prints as one that is not.
  std::string name() const override { return M(static_cast<const M&>(*this)).name(); }

  /// The layer with the weight that eval() uses, learned itself from here on.
  M without() const {
    M plain = static_cast<const M&>(*this);
    MemberVisitor visitor(name_);
    plain.visit(visitor);
    *visitor.found().tensor = weight_.settled();
    return plain;
  }

 private:
  Member member() {
    MemberVisitor visitor(name_);
    M::visit(visitor);
    return visitor.found();
  }
  std::string name_;
  SpectralWeight weight_;
  Role role_;
};

/// `module` with the tensor `name` normalised. `dim`: the dimension of its outputs, 0 if not given,
/// and 1 for transposed convolutions.
template <class M>
SpectralNorm<M> spectral_norm(M module, std::string name = "weight",
                              std::int64_t n_power_iterations = 1, double eps = 1e-12,
                              std::optional<int> dim = {}) {
  int outputs = 0;
  if constexpr (requires { M::transposed; }) outputs = M::transposed ? 1 : 0;
  return {std::move(module), std::move(name), n_power_iterations, eps, dim.value_or(outputs)};
}

template <class M>
M remove_spectral_norm(const SpectralNorm<M>& module) {
  return module.without();
}

}  // namespace gradus::nn::utils
