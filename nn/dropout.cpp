#include "gradus/nn/dropout.h"

#include "gradus/autograd/functions/random.h"
#include "gradus/nn/text.h"

namespace gradus::nn {

Dropout::Dropout(double p) : p(p) {
  check(p >= 0 && p <= 1, ErrorKind::argument, "Dropout: probability ", p, " is not in [0, 1]");
}

Tensor Dropout::forward(const Tensor& x) { return dropout(x, p, is_training()); }

std::string Dropout::extra() const { return "p=" + text_of(p) + ", inplace=False"; }

}  // namespace gradus::nn
