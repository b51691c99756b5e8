#include "gradus/nn/activation.h"

#include "gradus/nn/text.h"

namespace gradus::nn {

std::string LeakyReLU::extra() const { return "negative_slope=" + text_of(negative_slope); }

}  // namespace gradus::nn
