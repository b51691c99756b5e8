#include "gradus/nn/spectral_norm.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/graph.h"
#include "gradus/autograd/node.h"

namespace gradus::nn::utils {

SpectralWeight::SpectralWeight(const Tensor& weight, std::int64_t n_power_iterations, double eps,
                               int dim)
    : original(weight), iterations_(n_power_iterations), eps_(eps), dim_(dim) {
  check(n_power_iterations > 0, ErrorKind::argument,
        "spectral_norm: n_power_iterations must be positive, got ", n_power_iterations);
  check(weight.dim() > 0 && dim >= -weight.dim() && dim < weight.dim(), ErrorKind::argument,
        "spectral_norm: dimension ", dim, " of a weight of shape ", weight.shape());
  const NoGrad guard;
  const Shape sizes = matrix().shape();
  const TensorOptions options{weight.dtype(), weight.device()};
  u = normalize(randn({sizes[0]}, options), 2, 0, eps);
  v = normalize(randn({sizes[1]}, options), 2, 0, eps);
}

Tensor SpectralWeight::matrix() const {
  const Tensor rows_first = original.movedim(dim_, 0);
  return rows_first.reshape({rows_first.size(0), -1});
}

Tensor SpectralWeight::normalised(bool training) {
  const Autocast in_full(Dtype::f32);  // the norm of a rounded weight would be another one
  const Tensor w = matrix();
  if (training && !is_recomputing()) {  // what a checkpoint's forward came to is used again
    const NoGrad guard;
    for (std::int64_t i = 0; i < iterations_; ++i) {
      v.copy_(normalize(mv(w.t(), u), 2, 0, eps_));
      u.copy_(normalize(mv(w, v), 2, 0, eps_));
    }
  }
  // The graph has copies: the next pass writes u and v.
  return original / dot(u.clone(), mv(w, v.clone()));
}

Tensor SpectralWeight::settled() const {
  const NoGrad guard;
  return SpectralWeight(*this).normalised(false).detach().set_requires_grad(true);
}

Member MemberVisitor::found() const {
  check(found_.tensor != nullptr, ErrorKind::argument, "spectral_norm: the module has no tensor \"",
        name_, "\" of its own");
  return found_;
}

void MemberVisitor::tensor(const std::string& name, Tensor& t, Role role) {
  if (depth_ > 0) return;
  if (name == name_)
    found_ = {&t, role};
  else if (rest_ != nullptr)
    (*rest_)(name, t, role);
}

// A child goes to `rest_` as a whole; what this visitor then meets below it is passed over.
void MemberVisitor::enter(std::string_view name, Module& module) {
  if (depth_++ == 0 && rest_ != nullptr) (*rest_)(name, module);
}

void MemberVisitor::leave(Module&) { --depth_; }

}  // namespace gradus::nn::utils
