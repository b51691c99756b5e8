// Public functions: matrix products.
#pragma once

#include <string_view>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// PyTorch's matmul: vectors, matrices and batches of them; (..., M, K) x (..., K, N) -> (..., M,
/// N) with the leading dimensions broadcast. Throws Error(shape) where the inner sizes differ.
Tensor matmul(const Tensor& a, const Tensor& b);
Tensor mm(const Tensor& a, const Tensor& b);     // (M, K) x (K, N)
Tensor bmm(const Tensor& a, const Tensor& b);    // (B, M, K) x (B, K, N)
Tensor mv(const Tensor& a, const Tensor& x);     // (M, K) x (K)
Tensor dot(const Tensor& a, const Tensor& b);    // (K) x (K) -> ()
Tensor outer(const Tensor& a, const Tensor& b);  // (M) x (N) -> (M, N)
/// beta c + alpha a b, c broadcast; a beta of 0 ignores c. Integers wrap and want integer factors:
/// a real one is an Error(argument), where PyTorch would cut 0.6 to 0.
Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
Tensor baddbmm(const Tensor& c, const Tensor& a, const Tensor& b, Scalar beta = 1,
               Scalar alpha = 1);
/// Einstein's sum: "ij,jk->ik" multiplies, sums over the letters that the result has not, and
/// orders the others; "..." stands for leading dimensions, which broadcast; a letter twice in one
/// operand takes its diagonal; without "->" the result has the letters that occur once, in
/// alphabetical order. Operands are joined from the left.
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);
/// y = x w^T + b: x (..., K), w (N, K), b (N) or undefined -> (..., N).
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b = {});

}  // namespace gradus
