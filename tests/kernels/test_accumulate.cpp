// Running sums of metrics: one number, or one a sample, in any memory and dtype.
#include <gtest/gtest.h>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/accumulate.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/literal.h"
#include "gradus/kernels/random.h"

namespace gradus {
namespace {

class Accumulate : public ::testing::TestWithParam<bool> {
 protected:
  Device device() const { return GetParam() ? Device::cuda() : Device::cpu(); }
  Tensor slots() const { return zeros({3, 2}, {Dtype::f64, device()}); }
  void add(const Tensor& value, double weight, const Tensor& to, std::int64_t at) const {
    dispatch<cpu::accumulate, cuda::accumulate>(device(), value.to(device()), weight, to, at);
  }
};

TEST_P(Accumulate, AMeanCountsByItsWeight) {
  const Tensor sums = slots();
  add(full({}, 2.5), 4, sums, 1);
  add(full({}, -1), 2, sums, 1);
  EXPECT_EQ(sums.to_vector<double>(), (std::vector<double>{0, 0, 8, 6, 0, 0}));
}

TEST_P(Accumulate, SamplesAreAddedOneAfterAnother) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16, Dtype::i64}) {
    const Tensor sums = slots();
    const Tensor values = tensor({1.0, -3.0, 4.0, 8.0}).to(dtype);
    add(values, 4, sums, 2);
    add(values.slice(0, 0, 4, 2), 2, sums, 2);  // 1 and 4, every second element
    EXPECT_EQ(sums.to_vector<double>(), (std::vector<double>{0, 0, 0, 0, 15, 6}))
        << to_string(dtype);
  }
}

TEST_P(Accumulate, TheCutIntoBatchesChangesNoBit) {
  const Tensor values = rand({97}, {Dtype::f64});
  const Tensor whole = slots(), parts = slots();
  add(values, 97, whole, 0);
  add(values.slice(0, 0, 13), 13, parts, 0);
  add(values.slice(0, 13, 97), 84, parts, 0);
  EXPECT_EQ(whole.to_vector<double>(), parts.to_vector<double>());
}

INSTANTIATE_TEST_SUITE_P(Devices, Accumulate,
                         ::testing::ValuesIn(cuda_available() ? std::vector{false, true}
                                                              : std::vector{false}),
                         [](const auto& info) { return info.param ? "cuda" : "cpu"; });

}  // namespace
}  // namespace gradus
