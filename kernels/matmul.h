// Contract: matrix products.
#pragma once

#include "gradus/kernels/activation.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

struct MatmulOptions {
  Tensor bias = {};  // (N), added to every row; or undefined
  Activation activation = Activation::none;
  bool add = false;  // c += ...: the sum over k goes on from what c holds
  double alpha = 1;
};

/// May f32 products on CUDA round their factors to TF32, eight times the speed for 10 bits of
/// mantissa? False until set; on the CPU it changes nothing.
bool matmul_uses_tf32();
void set_matmul_uses_tf32(bool value);

namespace cpu {
/// c = activation(alpha a b + bias). a: (..., M, K), b: (..., K, N), c: (..., M, N), one dtype (or
/// c f32 and a, b of a half type), any strides; the dimensions before the last two are those of c
/// or
/// 1. Half types are summed in float and rounded once, if c is of one. On the CPU every element is
/// one chain over k: bits depend on nothing else (kernels/cpu/gemm.h).
void matmul(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& options = {});
}  // namespace cpu

namespace cuda {
void matmul(const Tensor& a, const Tensor& b, const Tensor& c, const MatmulOptions& options = {});
}  // namespace cuda

}  // namespace gradus
