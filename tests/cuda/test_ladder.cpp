// Every rung of bench/ladder gives its task's result at sizes that no tile divides, and asks the
// device for what its table says.
#include "gradus/bench/ladder/ladder.h"
#include "gradus/tensor/stream.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus::ladder {
namespace {

using CudaLadder = testing::CudaTest;

TEST_F(CudaLadder, EveryRungIsRight) {
  for (const Ladder& ladder : {reduction(), softmax_of_rows(), matrix_product(), epilogue()}) {
    const std::vector<Tensor> expected = ladder.expected(ladder.make(true));
    for (const Rung& rung : ladder.rungs) {
      const Work work = ladder.make(true);
      rung.run(work);
      EXPECT_LE(error_of(work, expected), rung.tolerance) << ladder.name << ", " << rung.name;
    }
  }
}

TEST_F(CudaLadder, TheEpiloguesTableCountsLaunchesAndWaits) {
  const Ladder ladder = epilogue();
  const std::int64_t tensors = 3;
  const std::int64_t launched[] = {9 * tensors, 2 * tensors, 2 * tensors + 1, 3, 3};
  const std::int64_t waited[] = {1, 1, 0, 0, 0};
  for (std::size_t r = 0; r < ladder.rungs.size(); ++r) {
    const Work work = ladder.make(true);
    const auto launches_before = launches(Device::cuda());
    const auto waits_before = synchronizations(Device::cuda());
    ladder.rungs[r].run(work);
    EXPECT_EQ(launches(Device::cuda()) - launches_before, launched[r]) << ladder.rungs[r].name;
    EXPECT_EQ(synchronizations(Device::cuda()) - waits_before, waited[r]) << ladder.rungs[r].name;
  }
}

}  // namespace
}  // namespace gradus::ladder
