// The counting operator new behind tests/allocations.h, and a proof that it counts.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "gradus/tensor/pooled.h"
#include "gradus/tensor/tensor.h"
#include "gradus/tests/allocations.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GRADUS_COUNTS_NEW 0
#elif defined(__has_feature)
#define GRADUS_COUNTS_NEW !(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define GRADUS_COUNTS_NEW 1
#endif

namespace {

constinit std::atomic<std::int64_t> all_threads{0};
constinit thread_local std::int64_t this_thread = 0;
constinit std::atomic<std::int64_t> until_failure{0};

}  // namespace

#if GRADUS_COUNTS_NEW
namespace {

void* counted(std::size_t bytes, std::size_t alignment) {
  all_threads.fetch_add(1, std::memory_order_relaxed);
  ++this_thread;
  if (until_failure.load(std::memory_order_relaxed) > 0 && until_failure.fetch_sub(1) == 1)
    throw std::bad_alloc();
  if (bytes == 0) bytes = 1;
  void* p = alignment <= alignof(std::max_align_t)
                ? std::malloc(bytes)
                : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t n) { return counted(n, 0); }
void* operator new[](std::size_t n) { return counted(n, 0); }
void* operator new(std::size_t n, std::align_val_t a) { return counted(n, std::size_t(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted(n, std::size_t(a)); }
// Not inlined: compilers that see std::free beside a new they did not inline warn of a mismatch.
#define GRADUS_APART __attribute__((noinline))
GRADUS_APART void operator delete(void* p) noexcept { std::free(p); }
GRADUS_APART void operator delete[](void* p) noexcept { std::free(p); }
GRADUS_APART void operator delete(void* p, std::size_t) noexcept { std::free(p); }
GRADUS_APART void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
GRADUS_APART void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
GRADUS_APART void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
GRADUS_APART void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
GRADUS_APART void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
#endif

namespace gradus::testing {

bool allocations_are_counted() { return GRADUS_COUNTS_NEW != 0; }
std::int64_t allocations_of_this_thread() { return this_thread; }
std::int64_t allocations_of_all_threads() { return all_threads.load(); }
void fail_allocation(std::int64_t n) { until_failure = n; }

namespace {

TEST(Allocations, AreCountedByThread) {
  if (!allocations_are_counted()) GTEST_SKIP() << "a sanitizer has its own operator new";
  const std::int64_t before = allocations_of_this_thread(), all = allocations_of_all_threads();
  const auto one = std::make_unique<std::vector<int>>(100);  // the vector and its elements
  EXPECT_EQ(allocations_of_this_thread(), before + 2);
  // Calls, not a new expression: of that a compiler may leave out both halves.
  std::thread([] { ::operator delete(::operator new(4)); }).join();
  EXPECT_EQ(allocations_of_this_thread(), before + 3);  // the thread's state
  EXPECT_EQ(allocations_of_all_threads(), all + 4);
}

TEST(Allocations, PooledVectorsComeFromTheAllocator) {
  empty({1});  // the first block of a thread sets up its free lists
  const std::int64_t before = allocations_of_all_threads();
  const MemoryStats outside = memory_stats(Device::cpu());
  {
    PooledVector<int> v(1000, 7);
    v.push_back(8);
    EXPECT_GE(memory_stats(Device::cpu()).now - outside.now, 4004);
    alignas(64) static char buffer[1 << 16];
    const MemoryScope scope(buffer, sizeof buffer);
    {
      PooledVector<int> inside;
      inside.push_back(1);
      EXPECT_FALSE(scope.empty());
      inside = v;  // a copy stays where its container was made
      EXPECT_GE(scope.peak(), 4004u);
      const PooledVector<int> copy = v;
      EXPECT_GE(scope.peak(), 8008u);
      v.resize(2000);  // grows where it was made
      EXPECT_EQ(inside[1000], 8);
    }
    EXPECT_TRUE(scope.empty());
  }
  EXPECT_EQ(memory_stats(Device::cpu()).now, outside.now);
  if (allocations_are_counted()) {
    EXPECT_EQ(allocations_of_all_threads(), before + 1);  // the scope's own
  }
}

TEST(Allocations, BlocksOfAnEarlierPhaseDoNotCrowdOutThoseOfTheNextOne) {
  if (!allocations_are_counted()) GTEST_SKIP() << "under a sanitizer nothing is kept for reuse";
  // 200 MB of small blocks, then none of them: they wait for reuse.
  {
    std::vector<Tensor> small;
    for (int i = 0; i < 100'000; ++i) small.push_back(empty({400}));
  }
  // A phase of other sizes, in all more than what may wait beside them.
  const auto step = [] {
    std::vector<Tensor> large;
    for (int i = 1; i <= 40; ++i) large.push_back(empty({i * 25'000}));
  };
  for (int s = 0; s < 3; ++s) step();
  const std::int64_t before = memory_stats(Device::cpu()).system_calls;
  for (int s = 0; s < 10; ++s) step();
  EXPECT_EQ(memory_stats(Device::cpu()).system_calls, before);
}

}  // namespace
}  // namespace gradus::testing
