// Half-precision parameters with f32 masters, half-precision shadows of f32 weights, and gradients
// of every floating type.
#include "gradus/kernels/create.h"
#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;
using optim::AdamW;
using optim::SGD;

TEST(Precision, AHalfParameterMovesThroughItsMaster) {
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    const Tensor half = leaf({1, -2, 0.5}, dtype), full = leaf({1, -2, 0.5}, Dtype::f32);
    AdamW low({half}, {.lr = 1e-4, .ema_decay = 0.9}), high({full}, {.lr = 1e-4, .ema_decay = 0.9});
    for (int s = 0; s < 50; ++s) {
      set_gradient(half, {1, 0.5, -1});
      set_gradient(full, {1, 0.5, -1});
      low.step();
      high.step();
    }
    // Steps far below one unit in the last place of the half type add up in the master.
    EXPECT_EQ(low.state_dict().at("state.0.master").to_vector<double>(), full.to_vector<double>());
    EXPECT_EQ(half.to_vector<double>(), full.detach().to(dtype).to_vector<double>());
    EXPECT_NE(half.to_vector<double>()[0], 1);
    const std::vector<double> before = half.to_vector<double>();
    {
      const optim::AverageGuard guard = low.ema(), other = high.ema();
      EXPECT_EQ(half.to_vector<double>(), full.detach().to(dtype).to_vector<double>());
    }
    EXPECT_EQ(half.to_vector<double>(), before);
    EXPECT_EQ(low.state_dict().at("state.0.master").to_vector<double>(), full.to_vector<double>());
  }
}

TEST(Precision, AMasterFollowsAWrittenParameter) {
  const Tensor half = leaf({1}, Dtype::bf16);
  SGD opt({half}, {.lr = 1});
  {
    const NoGrad guard;
    half.fill_(4);
  }
  set_gradient(half, {1});
  opt.step();
  EXPECT_EQ(half.to_vector<double>()[0], 3);
  half.set_data(full({1}, 9, {Dtype::bf16}));
  set_gradient(half, {1});
  opt.step();
  EXPECT_EQ(half.to_vector<double>()[0], 8);
}

TEST(Precision, GradientsOfEveryFloatingType) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16}) {
    for (const Dtype weights : {Dtype::f32, Dtype::f64}) {
      const Tensor w = zeros({300}, {weights}).set_requires_grad(true);
      w.set_grad(full({300}, 0.25, {dtype}));  // taken as it is
      SGD opt({w}, {.lr = 2, .max_grad_value = 0.125});
      opt.step();
      EXPECT_EQ(w.to_vector<double>(), std::vector<double>(300, -0.25));
    }
  }
}

/// Gives the storage of `t` a low-precision shadow, as autocast does.
void make_shadow(const Tensor& t, Dtype dtype) {
  Storage& storage = *t.raw()->storage;
  const Tensor low = t.detach().to(dtype);
  storage.shadow = Ref<Storage>(low.raw()->storage).get();
  retain(storage.shadow);
  storage.shadow_dtype = dtype;
  storage.shadow_version = storage.version.load();
}

std::vector<double> shadow_values(const Tensor& t, Dtype dtype) {
  const Storage& storage = *t.raw()->storage;
  return from_data(storage.shadow->data, t.shape(), {dtype}).to_vector<double>();
}

TEST(Precision, AShadowIsRewrittenWithItsWeights) {
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    const Tensor w = leaf({1, 2, 3}, Dtype::f32);
    SGD opt({w}, {.lr = 0.001, .ema_decay = 0.5});
    make_shadow(w, dtype);
    const Storage& storage = *w.raw()->storage;
    for (int s = 0; s < 2; ++s) {
      set_gradient(w, {1, 10, 100});
      opt.step();
      EXPECT_EQ(storage.shadow_version, storage.version.load());
      EXPECT_EQ(shadow_values(w, dtype), w.detach().to(dtype).to_vector<double>());
    }
    {
      const optim::AverageGuard guard = opt.ema();
      EXPECT_EQ(storage.shadow_version, storage.version.load());
      EXPECT_EQ(shadow_values(w, dtype), w.detach().to(dtype).to_vector<double>());
    }
    EXPECT_EQ(shadow_values(w, dtype), w.detach().to(dtype).to_vector<double>());
    {
      const NoGrad guard;
      w.fill_(5);  // the shadow is stale now, and a step does not hide that
    }
    opt.step();
    EXPECT_NE(storage.shadow_version, storage.version.load());
  }
}

}  // namespace
}  // namespace gradus
