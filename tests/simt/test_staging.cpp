// Uploads go through pinned memory that all streams share: a slot may be filled again only when the
// copies from it are done, whichever stream they are on.
#include <gtest/gtest.h>

#include <vector>

#include "gradus/kernels/simt/simt.h"
#include "gradus/tensor/cuda/stream.h"
#include "gradus/tensor/stream.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cuda {
namespace {

TEST(Staging, a_copy_pending_on_another_stream_keeps_its_bytes) {
  const TensorOptions on_device{.dtype = Dtype::i32, .device = Device::cuda()};
  const Stream other = runtime::make_stream(0);
  const std::vector<std::int32_t> small(1000, 7), large(4 << 20, -1);  // 16 MiB: twice the ring
  const simt::Options before = simt::options();
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    simt::Options options = before;
    options.seed = seed;
    simt::configure(options);
    Tensor first;
    {
      const StreamGuard guard(Device::cuda(), other.handle);
      first = empty({1000}, on_device);
      upload(first.data(), small.data(), 4000, 0);
    }
    const Tensor second = empty({4 << 20}, on_device);
    upload(second.data(), large.data(), large.size() * 4, 0);
    const StreamGuard guard(Device::cuda(), other.handle);
    EXPECT_EQ(first.to_vector<std::int32_t>(), small) << "seed " << seed;
  }
  simt::configure(before);
}

}  // namespace
}  // namespace gradus::cuda
