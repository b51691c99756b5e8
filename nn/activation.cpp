#include "gradus/nn/activation.h"

#include "gradus/kernels/create.h"
#include "gradus/nn/text.h"

namespace gradus::nn {

std::string LeakyReLU::extra() const { return "negative_slope=" + text_of(negative_slope); }
std::string ELU::extra() const { return "alpha=" + text_of(alpha); }
std::string CELU::extra() const { return "alpha=" + text_of(alpha); }
std::string GELU::extra() const { return "approximate='" + approximate + "'"; }
std::string Softplus::extra() const {
  return "beta=" + text_of(beta) + ", threshold=" + text_of(threshold);
}
std::string Hardtanh::extra() const {
  return "min_val=" + text_of(min) + ", max_val=" + text_of(max);
}
std::string Threshold::extra() const {
  return "threshold=" + text_of(threshold) + ", value=" + text_of(value);
}

PReLU::PReLU(std::int64_t num_parameters, double init, TensorOptions options) {
  options.requires_grad = true;
  weight = full({num_parameters}, init, options);
}
std::string PReLU::extra() const { return "num_parameters=" + text_of(weight.numel()); }

}  // namespace gradus::nn
