#include "gradus/nn/unet.h"

#include "gradus/autograd/functions.h"
#include "gradus/nn/activation.h"
#include "gradus/nn/conv.h"
#include "gradus/nn/norm.h"
#include "gradus/nn/pool.h"

namespace gradus::nn {
namespace {

/// Two 3x3 convolutions, each with batch norm and ReLU.
Sequential double_conv(std::int64_t in, std::int64_t middle, std::int64_t out) {
  const Conv2dOptions same{.padding = 1, .bias = false};
  return Sequential(Conv2d(in, middle, 3, same), BatchNorm2d(middle), ReLU(),
                    Conv2d(middle, out, 3, same), BatchNorm2d(out), ReLU());
}

}  // namespace

UNet::UNet(std::int64_t channels, std::int64_t outputs, UNetOptions o) : options(o) {
  check(o.depth >= 1 && o.depth <= 16 && o.width >= 2 && o.width % 2 == 0, ErrorKind::argument,
        "UNet: expected depth 1 to 16 and an even width, got ", o.depth, " and ", o.width);
  inc_ = double_conv(channels, o.width, o.width);
  // Channels at each size; the smallest keeps its neighbour's number, because what comes up from
  // there is not narrowed by a convolution of its own.
  const auto at = [&](std::int64_t level) {
    return (o.width << level) / (level == o.depth ? 2 : 1);
  };
  for (std::int64_t i = 1; i <= o.depth; ++i)
    down_.append(double_conv(o.width << (i - 1), at(i), at(i)));
  for (std::int64_t i = o.depth; i >= 1; --i) {
    const std::int64_t in = o.width << i, out = i == 1 ? o.width : (o.width << (i - 1)) / 2;
    up_.append(double_conv(in, in / 2, out));
  }
  out_ = Sequential(Conv2d(o.width, outputs, 1));
}

Tensor UNet::forward(const Tensor& x) {
  const std::int64_t unit = std::int64_t{1} << options.depth;
  check(x.dim() == 4 && x.size(2) % unit == 0 && x.size(3) % unit == 0, ErrorKind::shape,
        "UNet: expected images (N, C, H, W) with H and W multiples of ", unit, ", got ", x.shape());
  std::vector<Tensor> seen = {inc_(x)};
  for (std::int64_t i = 0; i < options.depth; ++i)
    seen.push_back(down_[i](max_pool2d(seen.back(), 2)));
  Tensor y = seen.back();
  for (std::int64_t i = 0; i < options.depth; ++i) {
    seen.pop_back();
    const Tensor& beside = seen.back();
    const Pair size(beside.size(2), beside.size(3));
    y = up_[i](cat({beside, interpolate(y, size, {}, "bilinear", true)}, 1));
  }
  return out_(y);
}

void UNet::visit(Visitor& v) {
  v("inc.double_conv", inc_);
  for (std::int64_t i = 0; i < options.depth; ++i)
    v("down" + std::to_string(i + 1) + ".maxpool_conv.1.double_conv", down_[i]);
  for (std::int64_t i = 0; i < options.depth; ++i)
    v("up" + std::to_string(i + 1) + ".conv.double_conv", up_[i]);
  v("outc.conv", out_[0]);
}

}  // namespace gradus::nn
