// Streams, launches and waits, as far as a build without CUDA has them: the CPU is always done.
#include <gtest/gtest.h>

#include <functional>

#include "gradus/kernels/create.h"
#include "gradus/tensor/stream.h"

namespace gradus {
namespace {

ErrorKind kind_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.kind();
  }
  return ErrorKind::internal;
}

TEST(Stream, TheCpuHasNothingToCountAndNothingToWaitFor) {
  const StreamGuard guard(Device::cpu(), nullptr);
  const Tensor t = full({1000}, 2);
  EXPECT_EQ(t.to_vector<float>()[999], 2);
  synchronize(Device::cpu());
  EXPECT_EQ(launches(Device::cpu()), 0);
  EXPECT_EQ(synchronizations(Device::cpu()), 0);
}

TEST(Stream, TheCpuTakesNoStream) {
  int stream = 0;
  EXPECT_EQ(kind_of([&] { const StreamGuard guard(Device::cpu(), &stream); }), ErrorKind::argument);
}

TEST(Stream, WithoutCudaItsDevicesAreUnsupported) {
  if (has_cuda) GTEST_SKIP() << "this build has CUDA";
  const Device device = Device::cuda();
  EXPECT_EQ(kind_of([&] { synchronize(device); }), ErrorKind::unsupported);
  EXPECT_EQ(kind_of([&] { launches(device); }), ErrorKind::unsupported);
  EXPECT_EQ(kind_of([&] { synchronizations(device); }), ErrorKind::unsupported);
  EXPECT_EQ(kind_of([&] { const StreamGuard guard(device, nullptr); }), ErrorKind::unsupported);
}

}  // namespace
}  // namespace gradus
