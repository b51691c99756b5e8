// The gradient of a convolution's bias: the sum of each channel.
#include "gradus/kernels/conv.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/channel_reduce.cuh"

namespace gradus::cuda {
namespace {

template <class T>
struct Store {
  T* to;
  std::int64_t stride;
  bool add;
  double alpha;
  __device__ void operator()(std::int64_t c, const double (&sums)[1]) const {
    using C = compute_t<T>;
    T& place = to[c * stride];
    const double before = add ? static_cast<double>(C(place)) : 0.0;
    place = T(static_cast<C>(before + alpha * sums[0]));
  }
};

}  // namespace

void conv_bias_gradient(const Tensor& input, const Tensor& db, bool add, double alpha) {
  const Tensor dy = as_contiguous(input);
  std::int64_t positions = 1;
  for (int d = 2; d < dy.dim(); ++d) positions *= dy.shape()[d];
  const Channels s{dy.shape()[0], dy.shape()[1], positions, false};
  visit_floating(dy.dtype(), "conv", [&]<class T> {
    const auto sum_to = [&]<class Out> {
      channel_sums<1, compute_t<T>>(s, ElementItself<T>{dy.data<T>()},
                                    Store<Out>{db.data<Out>(), db.strides()[0], add, alpha},
                                    dy.device());
    };
    if (db.dtype() == dy.dtype())
      sum_to.template operator()<T>();
    else
      sum_to.template operator()<compute_t<T>>();  // f32 beside a half type
  });
}

}  // namespace gradus::cuda
