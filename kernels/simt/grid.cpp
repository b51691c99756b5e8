#include "gradus/kernels/simt/grid.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <numeric>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gradus/kernels/simt/block.h"
#include "gradus/tensor/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
/// Called by UBSan where there is something to report.
extern "C" __attribute__((visibility("default"))) void __ubsan_on_report();
void __ubsan_on_report() {
  if (const std::string at = gradus::simt::running_thread(); !at.empty())
    std::fprintf(stderr, "simulated cuda: in %s:\n", at.c_str());
}
#endif

namespace gradus::simt {

Index3 thread_index, block_index, block_size, grid_size;
Now now;

namespace {

using cuda::KernelCall;
using cuda::Size3;

/// A small generator for orders (splitmix64); numbers that tests see come from Philox.
struct Shuffler {
  std::uint64_t state;
  std::uint64_t next() {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  void shuffle(std::vector<unsigned>& v) {
    for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[next() % i]);
  }
};

std::vector<std::unique_ptr<Fiber>> fibers;  // all, kept for the next block
std::vector<Fiber*> idle;

std::string place(const Thread& t) {
  return "kernel " + kernel_name(now.kernel->name) + ", block " + to_text(block_index) +
         ", thread " + to_text(index_of(number_of(t), block_size));
}

void set_running(Thread& t) {
  now.thread = &t;
  thread_index = index_of(number_of(t), block_size);
}

/// The next thread of this round that has not begun, if it is its turn.
Thread* next_fresh() {
  while (now.cursor < now.order.size()) {
    Thread& t = now.threads[now.order[now.cursor]];
    if (t.state == Thread::ready) return nullptr;  // it has a fiber: the scheduler's business
    ++now.cursor;
    if (t.state == Thread::fresh) return &t;
  }
  return nullptr;
}

/// A fiber runs one thread after another for as long as none waits: a kernel without barriers
/// needs a single one, and no switch.
void run_threads(Fiber& fiber) {
  for (;;) {
    Thread& t = *now.thread;
    t.fiber = &fiber;
    if (now.stop_thread == static_cast<long>(number_of(t))) std::raise(SIGTRAP);
    try {
      now.kernel->invoke(now.kernel->values);
    } catch (const std::exception& e) {
      now.failure = e.what();
    }
    t.state = Thread::done;
    t.fiber = nullptr;
    Thread* next = now.failure.empty() ? next_fresh() : nullptr;
    if (next != nullptr) {
      set_running(*next);
      continue;
    }
    idle.push_back(&fiber);
    fiber.suspend();  // resumed with another thread in `now`
  }
}

Fiber& idle_fiber() {
  if (idle.empty()) {
    fibers.push_back(std::make_unique<Fiber>(run_threads));
    idle.push_back(fibers.back().get());
  }
  Fiber* fiber = idle.back();
  idle.pop_back();
  return *fiber;
}

/// Gives up control until the scheduler has changed this thread's state back to ready.
void pause(Thread& t, Thread::State state) {
  t.state = state;
  t.fiber->suspend();
}

/// Every thread that can run runs until it waits or ends, in the round's order.
void run_round() {
  for (now.cursor = 0; now.cursor < now.order.size();) {
    Thread& t = now.threads[now.order[now.cursor++]];
    if (t.state != Thread::fresh && t.state != Thread::ready) continue;
    Fiber& fiber = t.state == Thread::fresh ? idle_fiber() : *t.fiber;
    set_running(t);
    fiber.resume();
    const Thread& last = *now.thread;
    now.thread = nullptr;
    if (!now.failure.empty()) fail(last, std::exchange(now.failure, {}));
  }
}

/// Warps in any order, and the lanes of each in any order.
void make_order(std::uint64_t seed, std::uint64_t round) {
  const unsigned n = static_cast<unsigned>(now.threads.size());
  if (now.order.size() != n) {
    now.order.resize(n);
    std::iota(now.order.begin(), now.order.end(), 0u);
  }
  if (seed == 0) return;
  Shuffler random{seed ^ round * 0xd1342543de82ef95u};
  std::vector<unsigned> warps((n + warp - 1) / warp), lanes;
  std::iota(warps.begin(), warps.end(), 0u);
  random.shuffle(warps);
  std::size_t at = 0;
  for (const unsigned w : warps) {
    lanes.resize(std::min(warp, n - w * warp));
    std::iota(lanes.begin(), lanes.end(), w * warp);
    random.shuffle(lanes);
    at = static_cast<std::size_t>(
        std::copy(lanes.begin(), lanes.end(), now.order.begin() + static_cast<long>(at)) -
        now.order.begin());
  }
}

void run_block(std::size_t dynamic, std::uint64_t seed) {
  now.shared.clear();
  now.shared_bytes = dynamic;
  now.dynamic = dynamic > 0 ? std::make_unique<SharedArray>(dynamic, 16) : nullptr;
  std::fill(now.threads.begin(), now.threads.end(), Thread{});
  for (std::uint64_t round = 0;; ++round) {
    make_order(seed, round);
    run_round();
    if (resolve_meetings()) continue;
    if (!resolve_barrier()) return;
  }
}

/// After an error: threads are left where they stand, and their stacks with them.
void abandon() {
  for (Thread& t : now.threads) t.fiber = nullptr;
  now.thread = nullptr;
  now.kernel = nullptr;
  now.failure.clear();
}

struct Stop {
  long block = -1, thread = -1;
};

Stop stop_in(const std::string& stop, const char* kernel) {
  const std::size_t last = stop.rfind(',');
  const std::size_t middle = last == std::string::npos ? last : stop.rfind(',', last - 1);
  if (middle == std::string::npos) return {};
  if (kernel_name(kernel).find(stop.substr(0, middle)) == std::string::npos) return {};
  return {std::atol(stop.c_str() + middle + 1), std::atol(stop.c_str() + last + 1)};
}

}  // namespace

std::string to_text(Index3 i) {
  return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}

Index3 index_of(unsigned linear, Index3 size) {
  return {linear % size.x, linear / size.x % size.y, linear / size.x / size.y};
}

void fail(const Thread& t, const std::string& what) {
  raise(ErrorKind::internal, {"simulated cuda: ", place(t), ": ", what});
}

std::string kernel_name(const char* spelled) {
  std::string name = spelled;
  const std::size_t begin = name.find("kernel = ");
  if (begin != std::string::npos) name = name.substr(begin + 9, name.rfind(']') - begin - 9);
  for (const char* noise : {"gradus::cuda::", "{anonymous}::", "(anonymous namespace)::", "&"}) {
    for (std::size_t at; (at = name.find(noise)) != std::string::npos;)
      name.erase(at, std::strlen(noise));
  }
  return name;
}

std::string running_thread() { return now.thread != nullptr ? place(*now.thread) : std::string(); }

std::uint64_t meet(Meeting kind, std::uint32_t mask, std::uint64_t value, int argument, int width) {
  Thread& t = *now.thread;
  t.kind = kind;
  t.mask = mask;
  t.value = value;
  t.argument = argument;
  t.width = width;
  pause(t, Thread::in_meeting);
  return t.result;
}

int block_barrier(bool vote) {
  Thread& t = *now.thread;
  t.vote = vote;
  pause(t, Thread::at_barrier);
  return static_cast<int>(t.result);
}

void* shared_bytes(const void* key, std::size_t bytes, std::size_t alignment) {
  const auto found = now.shared.find(key);
  if (found != now.shared.end()) return found->second.data;
  now.shared_bytes += bytes;
  check(now.shared_bytes <= most_shared, ErrorKind::internal, "needs ", now.shared_bytes,
        " bytes of shared memory; a block has ", most_shared);
  return now.shared.emplace(key, SharedArray(bytes, std::max(alignment, std::size_t{16})))
      .first->second.data;
}

void* dynamic_bytes() {
  check(now.dynamic != nullptr, ErrorKind::internal,
        "asks for dynamic shared memory, but was launched with none");
  return now.dynamic->data;
}

void run_grid(const KernelCall& kernel, Size3 grid, Size3 block, std::size_t shared,
              std::uint64_t seed, const std::string& stop) {
  const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
#if defined(__SANITIZE_ADDRESS__)
  // The sanitizer's report ends with the kernel and the thread that it is about.
  __sanitizer_set_death_callback([] {
    if (const std::string at = running_thread(); !at.empty())
      std::fprintf(stderr, "simulated cuda: this was in %s\n", at.c_str());
  });
#endif
  grid_size = {grid.x, grid.y, grid.z};
  block_size = {block.x, block.y, block.z};
  now.kernel = &kernel;
  now.threads.resize(std::size_t{block.x} * block.y * block.z);
  const Stop trap = stop.empty() ? Stop{} : stop_in(stop, kernel.name);
  // i -> (a i + b) mod blocks goes through every block once if a and blocks have no common factor.
  Shuffler random{seed};
  std::uint64_t a = 1, b = 0;
  if (seed != 0) {
    b = random.next() % blocks;
    do a = random.next() % blocks + (blocks == 1);
    while (std::gcd(a, blocks) != 1);
  }
  try {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const auto k =
          static_cast<std::uint64_t>((static_cast<unsigned __int128>(a) * i + b) % blocks);
      block_index = {static_cast<unsigned>(k % grid.x), static_cast<unsigned>(k / grid.x % grid.y),
                     static_cast<unsigned>(k / grid.x / grid.y)};
      now.stop_thread = trap.block == static_cast<long>(k) ? trap.thread : -1;
      run_block(shared, seed == 0 ? 0 : random.next() | 1);
    }
  } catch (...) {
    abandon();
    throw;
  }
  now.kernel = nullptr;
  now.thread = nullptr;
}

}  // namespace gradus::simt
