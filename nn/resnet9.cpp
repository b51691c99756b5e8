#include "gradus/nn/resnet9.h"

#include "gradus/autograd/functions.h"
#include "gradus/nn/activation.h"
#include "gradus/nn/conv.h"
#include "gradus/nn/flatten.h"
#include "gradus/nn/linear.h"
#include "gradus/nn/norm.h"
#include "gradus/nn/pool.h"

namespace gradus::nn {
namespace {

/// The norm takes the mean off again, so that the convolution needs no bias.
Sequential block(std::int64_t in, std::int64_t out, bool halve) {
  Sequential s(Conv2d(in, out, 3, {.padding = 1, .bias = false}), BatchNorm2d(out), ReLU());
  if (halve) s.append(MaxPool2d(2));
  return s;
}

Sequential residual(std::int64_t width) {
  Sequential s;
  s.append(block(width, width, false));
  s.append(block(width, width, false));
  return s;
}

}  // namespace

ResNet9::ResNet9(std::int64_t channels, std::int64_t outputs, std::int64_t width)
    : conv1(block(channels, width, false)),
      conv2(block(width, 2 * width, true)),
      res1(residual(2 * width)),
      conv3(block(2 * width, 4 * width, true)),
      conv4(block(4 * width, 8 * width, true)),
      res2(residual(8 * width)),
      classifier(AdaptiveMaxPool2d(1), Flatten(), Linear(8 * width, outputs)) {}

Tensor ResNet9::forward(const Tensor& x) {
  Tensor y = conv2(conv1(x));
  y = conv4(conv3(y + res1(y)));
  return classifier(y + res2(y));
}

void ResNet9::visit(Visitor& v) {
  v("conv1", conv1);
  v("conv2", conv2);
  v("res1", res1);
  v("conv3", conv3);
  v("conv4", conv4);
  v("res2", res2);
  v("classifier", classifier);
}

}  // namespace gradus::nn
