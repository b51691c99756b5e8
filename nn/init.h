// Initial values. Each function fills `t` in place from the random stream `init` (or a formula),
// unrecorded, and returns it. Names, arguments and defaults are PyTorch's.
#pragma once

#include <string_view>

#include "gradus/tensor/tensor.h"

namespace gradus::nn::init {

/// Which way a layer keeps variances: the values it takes in, or the gradients it gives back.
enum class FanMode { fan_in, fan_out };

/// Inputs and outputs of one unit of a weight (out, in, kernel...). Throws (shape) below two
/// dimensions.
struct Fans {
  double in, out;
};
Fans fans(const Tensor& weight);
/// The factor by which a nonlinearity ("linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu",
/// "conv2d" ...) shrinks deviations, inverted. `parameter` is leaky_relu's slope.
double calculate_gain(std::string_view nonlinearity, double parameter = 0.01);

const Tensor& uniform_(const Tensor& t, double low = 0, double high = 1);
const Tensor& normal_(const Tensor& t, double mean = 0, double std = 1);
/// Normal values on [a, b]; a and b are values, not deviations.
const Tensor& trunc_normal_(const Tensor& t, double mean = 0, double std = 1, double a = -2,
                            double b = 2);
const Tensor& constant_(const Tensor& t, double value);
const Tensor& ones_(const Tensor& t);
const Tensor& zeros_(const Tensor& t);

/// Variance 2 / (fan_in + fan_out). Glorot and Bengio 2010.
const Tensor& xavier_uniform_(const Tensor& t, double gain = 1);
const Tensor& xavier_normal_(const Tensor& t, double gain = 1);
/// Variance gain^2 / fan. He, Zhang, Ren and Sun 2015. `a` is leaky_relu's slope.
const Tensor& kaiming_uniform_(const Tensor& t, double a = 0, FanMode mode = FanMode::fan_in,
                               std::string_view nonlinearity = "leaky_relu");
const Tensor& kaiming_normal_(const Tensor& t, double a = 0, FanMode mode = FanMode::fan_in,
                              std::string_view nonlinearity = "leaky_relu");
/// Rows (or columns, if there are fewer) of length `gain`, orthogonal to each other, uniformly
/// distributed among all such matrices. Saxe, McClelland and Ganguli 2014.
const Tensor& orthogonal_(const Tensor& t, double gain = 1);

}  // namespace gradus::nn::init
