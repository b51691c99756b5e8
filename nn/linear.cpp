#include "gradus/nn/linear.h"

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/nn/init.h"
#include "gradus/nn/text.h"

namespace gradus::nn {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias,
               TensorOptions options)
    : in_features(in_features), out_features(out_features) {
  check(in_features >= 0 && out_features >= 0, ErrorKind::argument, "Linear: ", in_features,
        " inputs and ", out_features, " outputs");
  options.requires_grad = true;
  weight = empty({out_features, in_features}, options);
  if (with_bias) bias = empty({out_features}, options);
  reset_parameters();
}

void Linear::reset_parameters() {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  const double bound = in_features > 0 ? 1 / std::sqrt(static_cast<double>(in_features)) : 0;
  if (bias) init::uniform_(bias, -bound, bound);
}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight, bias); }

void Linear::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}

std::string Linear::extra() const {
  return "in_features=" + text_of(in_features) + ", out_features=" + text_of(out_features) +
         ", bias=" + text_of(bias.defined());
}

}  // namespace gradus::nn
