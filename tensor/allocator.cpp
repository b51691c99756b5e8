#include "gradus/tensor/allocator.h"

#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include "gradus/tensor/arena.h"

// A free list hides use-after-free from the sanitizer: under one, every block is malloc's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // g++
#define GRADUS_PASS_THROUGH 1
#elif defined(__has_feature)  // clang
#define GRADUS_PASS_THROUGH (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define GRADUS_PASS_THROUGH 0
#endif

namespace gradus {
namespace {

// Size classes: 64-byte steps up to 1 KiB, then eight steps for each power of two (at most 12 %
// waste).
constexpr std::size_t small_limit = 1024, thread_limit = 32768;
constexpr int class_count = 16 + 8 * 38;

int class_of(std::size_t bytes) {
  if (bytes <= small_limit) return static_cast<int>((bytes + 63) / 64) - 1;
  const int power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power + 1)
  const std::size_t step = std::size_t{1} << (power - 3);
  const std::size_t k = (bytes - (std::size_t{1} << power) + step - 1) / step;  // 1..8
  return 16 + (power - 10) * 8 + static_cast<int>(k) - 1;
}

std::size_t class_bytes(int c) {
  if (c < 16) return static_cast<std::size_t>(c + 1) * 64;
  const int power = 10 + (c - 16) / 8;
  return (std::size_t{1} << power) +
         static_cast<std::size_t>((c - 16) % 8 + 1) * (std::size_t{1} << (power - 3));
}

struct Block {
  Block* next;
};

struct Statistics {
  std::atomic<std::int64_t> now{0}, system_calls{0};
  std::atomic<std::int64_t> most{0}, peak{0};  // of `now`: ever, and since it was asked to forget

  void add(std::int64_t bytes) {
    const std::int64_t value = now.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    raise(most, value);
    raise(peak, value);
  }
  static void raise(std::atomic<std::int64_t>& to, std::int64_t value) {
    std::int64_t highest = to.load(std::memory_order_relaxed);
    while (value > highest &&
           !to.compare_exchange_weak(highest, value, std::memory_order_relaxed)) {
    }
  }
};

void* from_system(std::size_t bytes, Statistics& statistics) {
  void* p = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  check(p != nullptr, ErrorKind::memory, "cpu: out of memory allocating ", bytes, " bytes (",
        statistics.now.load(), " in use)");
  statistics.system_calls.fetch_add(1, std::memory_order_relaxed);
  return p;
}

/// The lists all threads share. Never destroyed: tensors in static variables outlive everything.
struct Central {
  std::mutex mutex;
  Block* lists[class_count] = {};
  std::int64_t bytes[class_count] = {};  // in each list
  std::int64_t cached = 0;               // in all lists
  Statistics statistics;

  Block* take(int c) {
    std::lock_guard lock(mutex);
    return lists[c] == nullptr ? nullptr : pop(c);
  }

  /// What is kept for reuse never exceeds what was once needed: blocks beyond that go back to the
  /// system, and not the one that comes now but those of the class with most bytes waiting, which
  /// an earlier phase of the program left behind. Else a step whose blocks have other sizes would
  /// go to the system each time.
  void put(int c, Block* block) {
    Block* excess = nullptr;
    {
      std::lock_guard lock(mutex);
      block->next = lists[c];
      lists[c] = block;
      bytes[c] += static_cast<std::int64_t>(class_bytes(c));
      cached += static_cast<std::int64_t>(class_bytes(c));
      while (over_limit()) {
        const int victim = fullest_but(c);
        do {
          Block* gone = pop(victim);
          gone->next = excess;
          excess = gone;
        } while (lists[victim] != nullptr && over_limit());
      }
    }
    while (excess != nullptr) std::free(std::exchange(excess, excess->next));
  }

 private:
  Block* pop(int c) {
    Block* block = lists[c];
    lists[c] = block->next;
    bytes[c] -= static_cast<std::int64_t>(class_bytes(c));
    cached -= static_cast<std::int64_t>(class_bytes(c));
    return block;
  }

  bool over_limit() const {
    return cached > 0 && cached + statistics.now.load(std::memory_order_relaxed) >
                             statistics.most.load(std::memory_order_relaxed) + spare;
  }

  /// The class with most bytes; `c` only if it is the only one with any.
  int fullest_but(int c) const {
    int best = c;
    for (int k = 0; k < class_count; ++k) {
      if (k != c && bytes[k] > 0 && (best == c || bytes[k] > bytes[best])) best = k;
    }
    return best;
  }

  static constexpr std::int64_t spare = std::int64_t{64} << 20;
};

Central& central() {
  static Central* const instance = new Central;
  return *instance;
}

/// This thread's free blocks of up to 32 KiB: no lock, no atomic. Without constructor and
/// destructor, so that reaching it costs no check; `Farewell` below empties it at thread exit.
struct ThreadCache {
  static constexpr std::size_t keep_bytes = std::size_t{256} << 10;  // a class
  static constexpr int classes = 16 + 8 * 5;
  enum class State { unused, open, gone };  // gone: blocks go straight to the shared lists
  struct Kept {
    Block* first;
    std::size_t bytes;
  } kept[classes];
  std::int64_t pending;  // not yet in the statistics
  State state;

  void count(std::int64_t n) {
    pending += n;
    if (pending > 65536 || pending < -65536) flush();
  }
  void flush() {
    central().statistics.add(pending);
    pending = 0;
  }
};

constinit thread_local ThreadCache cache{};
constinit thread_local Allocator* current = nullptr;

struct Farewell {
  Farewell() { cache.state = ThreadCache::State::open; }
  ~Farewell() {
    cache.state = ThreadCache::State::gone;
    cache.flush();
    for (int c = 0; c < ThreadCache::classes; ++c) {
      while (Block* block = cache.kept[c].first) {
        cache.kept[c].first = block->next;
        central().put(c, block);
      }
    }
  }
};

/// May this thread's lists be used? The first call makes sure that they are emptied in the end.
bool cache_open() {
  if (cache.state == ThreadCache::State::unused) [[unlikely]] {
    static thread_local Farewell farewell;
    (void)farewell;
  }
  return cache.state == ThreadCache::State::open;
}

class Pool final : public Allocator {
 public:
  void* allocate(std::size_t bytes) override {
    // Most blocks are small and were here before. Kept short: a small op asks for memory twice.
    if (is_small(bytes)) {
      const std::size_t c = (bytes - 1) / 64, rounded = (c + 1) * 64;
      ThreadCache::Kept& kept = cache.kept[c];
      if (Block* own = kept.first) [[likely]] {
        kept.first = own->next;
        kept.bytes -= rounded;
        cache.count(static_cast<std::int64_t>(rounded));
        return own;
      }
    }
    return allocate_any(bytes);
  }

  void deallocate(void* p, std::size_t bytes) noexcept override {
    if (p == nullptr) return;
    if (is_small(bytes)) {
      const std::size_t c = (bytes - 1) / 64, rounded = (c + 1) * 64;
      ThreadCache::Kept& kept = cache.kept[c];
      if (kept.bytes + rounded <= ThreadCache::keep_bytes) [[likely]] {
        cache.count(-static_cast<std::int64_t>(rounded));
        kept.bytes += rounded;
        kept.first = ::new (p) Block{kept.first};
        return;
      }
    }
    deallocate_any(p, bytes);
  }

 private:
  /// A class of 64-byte steps, in this thread's open lists.
  static bool is_small(std::size_t bytes) {
    return !GRADUS_PASS_THROUGH && bytes - 1 < small_limit &&
           cache.state == ThreadCache::State::open;
  }

  [[gnu::noinline]] static void* allocate_any(std::size_t bytes) {
    if (bytes == 0) return nullptr;
    if (GRADUS_PASS_THROUGH) {
      central().statistics.add(static_cast<std::int64_t>(bytes));
      return from_system(bytes, central().statistics);
    }
    check(bytes < (std::size_t{1} << 47), ErrorKind::memory, "cpu: out of memory allocating ",
          bytes, " bytes");
    const int c = class_of(bytes);
    const auto rounded = static_cast<std::int64_t>(class_bytes(c));
    const bool cached = bytes <= thread_limit && cache_open();
    if (cached) {
      ThreadCache::Kept& kept = cache.kept[c];
      if (Block* own = kept.first) {
        kept.first = own->next;
        kept.bytes -= static_cast<std::size_t>(rounded);
        cache.count(rounded);
        return own;
      }
    }
    void* block = central().take(c);
    if (block == nullptr)
      block = from_system(static_cast<std::size_t>(rounded), central().statistics);
    if (cached) {
      cache.count(rounded);
    } else {
      central().statistics.add(rounded);
    }
    return block;
  }

  [[gnu::noinline]] static void deallocate_any(void* p, std::size_t bytes) noexcept {
    if (GRADUS_PASS_THROUGH) {
      central().statistics.add(-static_cast<std::int64_t>(bytes));
      std::free(p);
      return;
    }
    const int c = class_of(bytes);
    const std::size_t rounded = class_bytes(c);
    Block* block = static_cast<Block*>(p);
    if (bytes <= thread_limit && cache_open()) {
      cache.count(-static_cast<std::int64_t>(rounded));
      ThreadCache::Kept& kept = cache.kept[c];
      if (kept.bytes + rounded <= ThreadCache::keep_bytes) {
        block->next = kept.first;
        kept.first = block;
        kept.bytes += rounded;
        return;
      }
    } else {
      central().statistics.add(-static_cast<std::int64_t>(rounded));
    }
    central().put(c, block);
  }
};

/// Never destroyed, and there before any other static object.
union Forever {
  Pool pool;
  constexpr Forever() : pool() {}
  ~Forever() {}
};
constinit Forever forever;

}  // namespace

Allocator* exchange_thread_allocator(Allocator* a) { return std::exchange(current, a); }

Allocator& cpu_allocator() { return current != nullptr ? *current : forever.pool; }

MemoryStats cpu_memory_stats() {
  if (cache_open()) cache.flush();
  const Statistics& s = central().statistics;
  return {s.now.load(), s.peak.load(), s.system_calls.load()};
}

void reset_cpu_peak_memory_stats() {
  if (cache_open()) cache.flush();
  Statistics& s = central().statistics;
  s.peak = s.now.load();
}

#if !GRADUS_HAS_CUDA
Allocator& allocator(Device device) {
  check(device.is_cpu(), ErrorKind::unsupported,
        "this build has no CUDA (configure with -DGRADUS_CUDA=ON or SIMULATED)");
  return cpu_allocator();
}

MemoryStats memory_stats(Device device) {
  check(device.is_cpu(), ErrorKind::unsupported, "memory_stats: this build has no CUDA");
  return cpu_memory_stats();
}

std::int64_t available_memory(Device device) {
  check(device.is_cpu(), ErrorKind::unsupported, "available_memory: this build has no CUDA");
  return cpu_available_memory();
}

void reset_peak_memory_stats(Device device) {
  check(device.is_cpu(), ErrorKind::unsupported, "memory_stats: this build has no CUDA");
  reset_cpu_peak_memory_stats();
}
#endif

MemoryScope::MemoryScope(void* buffer, std::size_t bytes)
    : arena_(new Arena(buffer, bytes)), outer_(current) {
  current = arena_;
}

MemoryScope::~MemoryScope() {
  current = outer_;
  if (!empty())
    log_message(
        {"MemoryScope: tensors made inside it are still alive; their memory is about to go"});
  delete arena_;
}

std::size_t MemoryScope::peak() const { return static_cast<Arena*>(arena_)->peak(); }
bool MemoryScope::empty() const { return static_cast<Arena*>(arena_)->in_use() == 0; }

}  // namespace gradus
