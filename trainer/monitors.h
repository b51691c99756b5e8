// How many directions a representation uses: for logging steps, on the host.
#pragma once

#include "gradus/tensor/tensor.h"

namespace gradus::trainer {

/// exp of the entropy of the singular values of embeddings (N, K) as shares of their sum: 1 if all
/// lie on a line, K if they fill the space evenly. Garrido et al. 2023.
double rankme(const Tensor& embeddings);

/// The same for the directions that tell samples apart: of the eigenvalues of W^-1/2 B W^-1/2,
/// where B is the covariance of the samples' means and W that of the views about them (plus delta).
/// views (N, V, K): V views of N samples. Thilak et al. 2023.
double lidar(const Tensor& views, double delta = 1e-4);

}  // namespace gradus::trainer
