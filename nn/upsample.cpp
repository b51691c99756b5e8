#include "gradus/nn/upsample.h"

#include "gradus/autograd/functions/resize.h"
#include "gradus/nn/text.h"

namespace gradus::nn {

Upsample::Upsample(std::optional<Sides> size, std::optional<double> scale_factor, std::string mode,
                   bool align_corners)
    : size(size), scale_factor(scale_factor), mode(std::move(mode)), align_corners(align_corners) {
  check(size.has_value() != scale_factor.has_value(), ErrorKind::argument,
        "Upsample: expected a size or a scale_factor, one of the two");
  check(this->mode == "nearest" || this->mode == "bilinear", ErrorKind::argument,
        "Upsample: expected mode nearest or bilinear, got ", this->mode);
}

Tensor Upsample::forward(const Tensor& x) {
  return interpolate(x, size, scale_factor, mode, align_corners);
}

std::string Upsample::extra() const {
  const std::string to = size ? "size=" + text_of(*size) : "scale_factor=" + text_of(*scale_factor);
  return to + ", mode='" + mode + "'";
}

}  // namespace gradus::nn
