// The simulator as a judge: what CUDA leaves undefined is an error that names kernel and thread,
// and a correct kernel gives the same bits in every order of lanes, warps, blocks and streams.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/kernels/cuda/report.cuh"
#include "gradus/kernels/fold.h"
#include "gradus/kernels/simt/memory.h"
#include "gradus/kernels/simt/simt.h"
#include "gradus/tensor/allocator.h"
#include "gradus/tensor/stream.h"

namespace gradus::cuda {
namespace {

/// Device memory with a copy on the host.
template <class T>
struct OnDevice {
  explicit OnDevice(const std::vector<T>& host) : n(host.size()) {
    data = static_cast<T*>(allocator(Device::cuda()).allocate(n * sizeof(T)));
    upload(data, host.data(), n * sizeof(T), 0);
  }
  ~OnDevice() { allocator(Device::cuda()).deallocate(data, n * sizeof(T)); }
  std::vector<T> get() const {
    std::vector<T> host(n);
    download(host.data(), data, n * sizeof(T), 0);
    return host;
  }
  std::size_t n;
  T* data;
};

Stream stream() { return compute_stream(0); }

/// What device memory holds now, whether or not work is waiting and the memory is protected.
float peek(const float* p) {
  const simt::Unlocked access;
  return *p;
}

/// Options for as long as it lives.
struct With {
  explicit With(const simt::Options& options) : before(simt::configure(options)) {}
  ~With() { simt::configure(before); }
  simt::Options before;
};

std::string message(auto&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

__global__ void sums(const float* x, int n, float* y) {
  float sum = 0;
  for (int i = int(blockIdx.x * 256 + threadIdx.x); i < n; i += int(gridDim.x * 256)) sum += x[i];
  sum = block_reduce<256, fold::Sum>(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

std::vector<float> run_sums() {
  std::vector<float> x(5000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i));
  const OnDevice<float> from(x), to(std::vector<float>(3));
  launch<sums>(3, 256, 0, stream(), from.data, 5000, to.data);
  return to.get();
}

TEST(Simt, ReductionsHaveTheSameBitsInEveryOrder) {
  const std::vector<float> natural = run_sums();
  double exact = 0;
  for (int i = 0; i < 5000; ++i) exact += std::sin(double(i));
  EXPECT_NEAR(natural[0] + natural[1] + natural[2], exact, 1e-4);
  for (std::uint64_t seed : {1, 2, 3}) {
    const With order({seed, false, {}});
    EXPECT_EQ(run_sums(), natural) << "seed " << seed;
  }
}

/// Threads write without a barrier what others read: a race, which a seed must show.
__global__ void race(int* y) {
  GRADUS_SHARED(int, box, [64]);
  box[threadIdx.x] = int(threadIdx.x);
  y[threadIdx.x] = box[(threadIdx.x + 1) % 64];
}

TEST(Simt, ARaceShowsAsAResultThatChangesWithTheSeed) {
  std::vector<std::vector<int>> results;
  for (std::uint64_t seed : {0, 1, 2}) {
    const With order({seed, false, {}});
    const OnDevice<int> y(std::vector<int>(64));
    launch<race>(1, 64, 0, stream(), y.data);
    results.push_back(y.get());
  }
  EXPECT_NE(results[0], results[1]);
  EXPECT_NE(results[1], results[2]);
}

__global__ void uninitialised(float* y) {
  GRADUS_SHARED(float, tile, [4][33]);
  y[threadIdx.x] = tile[0][threadIdx.x] + dynamic_shared<float>()[threadIdx.x];
}

TEST(Simt, SharedAndDeviceMemoryBeginAsNaN) {
  const OnDevice<float> y(std::vector<float>(32, 1.0f));
  launch<uninitialised>(1, 32, 32 * sizeof(float), stream(), y.data);
  for (float v : y.get()) EXPECT_TRUE(std::isnan(v));
}

__global__ void uneven_barrier(int) {
  if (threadIdx.x != 7) __syncthreads();
}

TEST(Simt, ABarrierThatNotAllThreadsReachNamesKernelAndThreads) {
  const With natural_order({});
  const std::string text = message([] {
    launch<uneven_barrier>(2, 64, 0, stream(), 0);
    wait_for(0);
  });
  EXPECT_NE(text.find("kernel uneven_barrier, block (0, 0, 0), thread (63, 0, 0)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("waits at __syncthreads, which thread (7, 0, 0) never reaches"),
            std::string::npos)
      << text;
  EXPECT_EQ(run_sums().size(), 3u) << "the device goes on after an error";
}

__global__ void absent_lane(float* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_sync(all_lanes, 1.0f, 20);
}
__global__ void outside_mask(float* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_sync(0xffffu, 1.0f, 20);
}

TEST(Simt, AShuffleWithAnInactiveLaneIsAnError) {
  const OnDevice<float> y(std::vector<float>(32));
  std::string text = message([&] {
    launch<absent_lane>(1, 32, 0, stream(), y.data);
    wait_for(0);
  });
  EXPECT_NE(text.find("kernel absent_lane"), std::string::npos) << text;
  EXPECT_NE(text.find("lane 16, which has ended"), std::string::npos) << text;
  text = message([&] {
    launch<outside_mask>(1, 32, 0, stream(), y.data);
    wait_for(0);
  });
  EXPECT_NE(text.find("reads lane 20, which takes no part"), std::string::npos) << text;
}

__global__ void exchange(int* y) {
  const unsigned lane = threadIdx.x % 32;
  y[threadIdx.x] = __shfl_xor_sync(all_lanes, int(lane), 5) * 1000000 +
                   __shfl_up_sync(all_lanes, int(lane), 3u, 16) * 10000 +
                   __shfl_down_sync(all_lanes, int(lane), 2u, 8) * 100 +
                   __popc(__ballot_sync(all_lanes, lane % 3 == 0)) +
                   __syncthreads_count(threadIdx.x < 5);
}

TEST(Simt, ShufflesAndVotesFollowTheManual) {
  const OnDevice<int> y(std::vector<int>(64));
  launch<exchange>(1, 64, 0, stream(), y.data);
  const std::vector<int> got = y.get();
  for (int t = 0; t < 64; ++t) {
    const int l = t % 32;
    const int up = l % 16 >= 3 ? l - 3 : l, down = l % 8 + 2 < 8 ? l + 2 : l;
    EXPECT_EQ(got[std::size_t(t)], (l ^ 5) * 1000000 + up * 10000 + down * 100 + 11 + 5);
  }
}

__global__ void add(float* x, float value) { x[threadIdx.x] += value; }

TEST(Simt, WorkHappensWhenTheHostWaits) {
  const OnDevice<float> x(std::vector<float>(32, 1.0f));
  wait_for(0);
  const std::int64_t launched = launches(Device::cuda()), waited = synchronizations(Device::cuda());
  launch<add>(1, 32, 0, stream(), x.data, 2.0f);
  EXPECT_EQ(peek(x.data), 1.0f) << "a stream is a queue";
  EXPECT_EQ(launches(Device::cuda()) - launched, 1);
  EXPECT_EQ(synchronizations(Device::cuda()), waited);
  synchronize(Device::cuda());
  EXPECT_EQ(peek(x.data), 3.0f);
  EXPECT_EQ(synchronizations(Device::cuda()) - waited, 1);
}

TEST(Simt, ACaptureIsReplayed) {
  const OnDevice<float> x(std::vector<float>(32, 1.0f));
  wait_for(0);
  runtime::begin_capture(stream());
  launch<add>(1, 32, 0, stream(), x.data, 2.0f);
  launch<add>(1, 32, 0, stream(), x.data, 3.0f);
  EXPECT_NE(message([] { wait_for(0); }).find("recorded"), std::string::npos);
  const Graph graph = runtime::end_capture(stream());
  EXPECT_EQ(x.get()[0], 1.0f) << "recorded, not run";
  runtime::replay(graph, stream());
  runtime::replay(graph, stream());
  EXPECT_EQ(x.get()[31], 11.0f);
  runtime::destroy(graph);
}

TEST(Simt, StreamsAreOrderedByEventsAlone) {
  const OnDevice<float> x(std::vector<float>(32, 1.0f));
  wait_for(0);
  const Event event = runtime::make_event(0);
  const Stream other = copy_stream(0);
  for (std::uint64_t seed : {0, 1, 2, 3}) {
    const With order({seed, false, {}});
    launch<add>(1, 32, 0, other, x.data, 1.0f);
    runtime::record(event, other);
    runtime::wait(stream(), event);
    launch<add>(1, 32, 0, stream(), x.data, 1.0f);
    wait_for(0);
    EXPECT_TRUE(runtime::is_done(event));
  }
  EXPECT_EQ(x.get()[0], 9.0f);
}

TEST(Simt, AKernelIsGivenMemoryOfItsDevice) {
  std::vector<float> host(32);
  const std::string text = message([&] { launch<add>(1, 32, 0, stream(), host.data(), 1.0f); });
  EXPECT_NE(text.find("kernel add, grid (1, 1, 1), block (32, 1, 1)"), std::string::npos) << text;
  EXPECT_NE(text.find("argument 0 points to host memory"), std::string::npos) << text;
  const OnDevice<float> x(host);
  EXPECT_NE(message([&] {
              launch<add>(1, 32, 0, compute_stream(1), x.data, 1.0f);
            }).find("memory of device 0, the stream is device 1's"),
            std::string::npos);
  EXPECT_NE(message([&] {
              launch<add>(1, 2048, 0, stream(), x.data, 1.0f);
            }).find("a block has 1 to 1024 threads"),
            std::string::npos);
}

__global__ void look_up(Reporter out, const std::int64_t* index, int* y) {
  const std::int64_t i = index[threadIdx.x];
  if (out.in_range(i, 10)) y[threadIdx.x] = int(i);
}

TEST(Simt, AnIndexOutOfRangeIsThrownAtTheNextWait) {
  std::vector<std::int64_t> index(32, 3);
  index[20] = 12;
  const OnDevice<std::int64_t> from(index);
  const OnDevice<int> y(std::vector<int>(32));
  launch<look_up>(1, 32, 0, stream(), reporter("look_up", 0), from.data, y.data);
  EXPECT_EQ(message([] { wait_for(0); }), "look_up: index 12 is out of range for size 10");
  EXPECT_EQ(y.get()[0], 3) << "reported once";
}

TEST(SimtDeath, ProtectedMemoryIsNotForTheHost) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        simt::configure({0, true, {}});
        float* p = static_cast<float*>(runtime::allocate(0, 64));
        launch<add>(1, 16, 0, stream(), p, 1.0f);  // kernels may
        wait_for(0);
        p[0] = 1;
      },
      "the host touched device memory outside of a kernel or a copy");
}

TEST(SimtDeath, AStopIsATrapInTheThreadAskedFor) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const OnDevice<float> x(std::vector<float>(32));
  EXPECT_EXIT(
      {
        simt::configure({0, false, "add,0,5"});
        launch<add>(1, 32, 0, stream(), x.data, 1.0f);
        wait_for(0);
      },
      ::testing::KilledBySignal(SIGTRAP), "");
}

#if defined(__SANITIZE_ADDRESS__)
__global__ void past_the_end(float* y) {
  GRADUS_SHARED(float, tile, [31]);
  float* const p = tile;  // else UBSan, which knows the array's type, is the first to say it
  p[threadIdx.x] = 0;
  y[threadIdx.x] = p[threadIdx.x];
}

__global__ void past_the_type(float* y) {
  GRADUS_SHARED(float, tile, [31]);
  tile[threadIdx.x] = 0;
  y[threadIdx.x] = tile[threadIdx.x];
}

TEST(SimtDeath, AnAccessPastSharedMemoryNamesKernelAndThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const OnDevice<float> y(std::vector<float>(32));
  EXPECT_DEATH(
      {
        launch<past_the_end>(1, 32, 0, stream(), y.data);
        wait_for(0);
      },
      "heap-buffer-overflow(.|\n)*kernel past_the_end, block .0, 0, 0., thread .31, 0, 0.");
  EXPECT_DEATH(
      {
        launch<past_the_type>(1, 32, 0, stream(), y.data);
        wait_for(0);
      },
      "in kernel past_the_type, block .0, 0, 0., thread .31, 0, 0.");
}
#endif

TEST(DeviceMemory, AWarmStepAsksTheRuntimeForNothing) {
  Allocator& memory = allocator(Device::cuda(1));
  const auto step = [&] {
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (std::size_t bytes : {100, 5000, 70000, 3000000, 1 << 20, 40 << 20, 512})
      blocks.emplace_back(memory.allocate(bytes), bytes);
    for (const auto& [p, bytes] : blocks) memory.deallocate(p, bytes);
  };
  step();
  const MemoryStats before = memory_stats(Device::cuda(1));
  step();
  const MemoryStats after = memory_stats(Device::cuda(1));
  EXPECT_EQ(after.now, before.now);
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_EQ(after.system_calls, before.system_calls);
#endif
  EXPECT_EQ(memory.allocate(0), nullptr);
}

TEST(DeviceMemory, OutOfMemorySaysWhatIsFreeAndWhoHasTheRest) {
  Allocator& memory = allocator(Device::cuda(1));
  constexpr std::size_t gib = std::size_t{1} << 30;
  void* large = memory.allocate(3 * gib);
  const std::string text = message([&] { memory.allocate(2 * gib); });
  memory.deallocate(large, 3 * gib);
  EXPECT_NE(text.find("cuda:1: out of memory allocating 2.0 GiB: "), std::string::npos) << text;
  EXPECT_NE(text.find("of 4.0 GiB are free, 3.0 GiB in use by tensors; most of it: 1 x 3.0 GiB"),
            std::string::npos)
      << text;
  // What was given back is released to the runtime before anyone is refused.
  void* other = memory.allocate(2 * gib);
  EXPECT_NE(other, nullptr);
  memory.deallocate(other, 2 * gib);
}

TEST(Devices, ThatDoNotExistAreNamed) {
  EXPECT_EQ(cuda_device_count(), 2);
  EXPECT_NE(message([] { allocator(Device::cuda(7)); }).find("cuda:7 does not exist"),
            std::string::npos);
}

}  // namespace
}  // namespace gradus::cuda
