#include "gradus/tensor/cuda/memory.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gradus/tensor/cuda/bins.h"
#include "gradus/tensor/cuda/stream.h"

// In simulation under a sanitizer every tensor is a block of its own: a pool would hide accesses
// beyond its end, and after it was freed.
#if defined(__SANITIZE_ADDRESS__)
#define GRADUS_PASS_THROUGH 1
#else
#define GRADUS_PASS_THROUGH 0
#endif

namespace gradus::cuda {
namespace {

constexpr std::size_t kib = 1024, mib = 1024 * kib;
constexpr std::size_t granule = 512;      // what block sizes are multiples of
constexpr std::size_t small_limit = mib;  // up to here blocks share segments of 2 MiB

thread_local int current_pool = 0;

/// The block at each address in use: open addressing, so that a warm step allocates nothing here.
class BlockTable {
 public:
  void insert(Block* b) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    ++count_;
    put(b);
  }
  Block* find(const void* p) const { return slots_.empty() ? nullptr : slots_[slot_of(p)]; }
  void erase(const void* p) {
    std::size_t hole = slot_of(p);
    slots_[hole] = nullptr;
    --count_;
    // Whatever stood behind the hole may have been pushed there by what is gone now.
    for (std::size_t i = next(hole); slots_[i] != nullptr; i = next(i))
      put(std::exchange(slots_[i], nullptr));
  }
  template <class F>
  void each(F&& f) const {
    for (const Block* b : slots_) {
      if (b != nullptr) f(*b);
    }
  }

 private:
  std::size_t next(std::size_t i) const { return (i + 1) & (slots_.size() - 1); }
  std::size_t slot_of(const void* p) const {
    std::size_t i = (reinterpret_cast<std::uintptr_t>(p) / granule * 0x9e3779b97f4a7c15u) >> 20 &
                    (slots_.size() - 1);
    while (slots_[i] != nullptr && slots_[i]->p != p) i = next(i);
    return i;
  }
  void put(Block* b) { slots_[slot_of(b->p)] = b; }
  void grow() {
    std::vector<Block*> old(std::max<std::size_t>(256, 2 * slots_.size()));
    old.swap(slots_);
    for (Block* b : old) {
      if (b != nullptr) put(b);
    }
  }
  std::vector<Block*> slots_;
  std::size_t count_ = 0;
};

/// Blocks of one stream and pool id. Small ones apart, so that they do not cut large segments up.
struct Pool {
  Stream stream;
  int id;
  Bins small, large;
};

std::string in_units(std::size_t bytes) {
  const double b = static_cast<double>(bytes);
  const auto one_digit = [](double v) {
    std::string text = std::to_string(v);
    return text.substr(0, text.find('.') + 2);
  };
  if (bytes >= 1024 * mib) return one_digit(b / (1024.0 * mib)) + " GiB";
  if (bytes >= mib) return one_digit(b / mib) + " MiB";
  return one_digit(b / kib) + " KiB";
}

class DeviceMemory final : public Allocator {
 public:
  explicit DeviceMemory(int device) : device_(device) {}

  void* allocate(std::size_t bytes) override {
    if (bytes == 0) return nullptr;
    const Stream stream = compute_stream(device_);
    const std::lock_guard lock(mutex_);
    check(bytes < (std::size_t{1} << 47), ErrorKind::memory, "cuda:", device_,
          ": out of memory allocating ", bytes, " bytes");
    // Captured graphs use the memory of their pool when nothing else seems to.
    if (GRADUS_PASS_THROUGH && current_pool == 0) return allocate_exactly(bytes, stream);
    const std::size_t size = (bytes + granule - 1) / granule * granule;
    Pool& pool = pool_of(stream);
    Bins& bins = size <= small_limit ? pool.small : pool.large;
    Block* b = bins.take(size);
    if (b == nullptr) b = new_segment(bins, size);
    cut(b, size, size <= small_limit ? granule : mib);
    return give_out(b);
  }

  void deallocate(void* p, std::size_t) noexcept override {
    if (p == nullptr) return;
    const std::lock_guard lock(mutex_);
    Block* b = used_.find(p);
    used_.erase(p);
    stats_.now -= static_cast<std::int64_t>(b->bytes);
    if (GRADUS_PASS_THROUGH && pool_with(*b).id == 0) {
      given_ -= b->bytes;
      runtime::free(p, pool_with(*b).stream);
      return discard(b);
    }
    b = join(b);
    b->home->insert(b);
  }

  void release_cached() {
    const std::lock_guard lock(mutex_);
    release_segments();
  }

  std::int64_t available() {
    const std::lock_guard lock(mutex_);
    return static_cast<std::int64_t>(runtime::free_memory(device_) + given_) - stats_.now;
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak = stats_.now;
  }

 private:
  Pool& pool_of(Stream stream) {
    for (const auto& pool : pools_) {
      if (pool->stream == stream && pool->id == current_pool) return *pool;
    }
    pools_.push_back(std::make_unique<Pool>(Pool{stream, current_pool, {}, {}}));
    return *pools_.back();
  }
  const Pool& pool_with(const Block& b) const {
    for (const auto& pool : pools_) {
      if (b.home == &pool->small || b.home == &pool->large) return *pool;
    }
    return *pools_.front();
  }

  void* give_out(Block* b) {
    b->used = true;
    used_.insert(b);
    stats_.now += static_cast<std::int64_t>(b->bytes);
    stats_.peak = std::max(stats_.peak, stats_.now);
    return b->p;
  }

  void* allocate_exactly(std::size_t bytes, Stream stream) {
    Block* b = new_block();
    b->home = &pool_of(stream).large;
    b->bytes = bytes;
    b->p = static_cast<char*>(from_runtime(bytes, bytes));
    return give_out(b);
  }

  void* from_runtime(std::size_t bytes, std::size_t wanted) {
    void* p = runtime::allocate(device_, bytes);
    if (p == nullptr) {
      release_segments();
      p = runtime::allocate(device_, bytes);
    }
    if (p == nullptr) raise_out_of_memory(wanted);
    ++stats_.system_calls;
    given_ += bytes;
    return p;
  }

  Block* new_segment(Bins& bins, std::size_t size) {
    std::size_t bytes = (size + 2 * mib - 1) / (2 * mib) * (2 * mib);
    if (size > small_limit && size < 16 * mib) bytes = 32 * mib;
    char* p = static_cast<char*>(from_runtime(bytes, size));
    Block* b = new_block();
    b->home = &bins;
    b->p = p;
    b->bytes = bytes;
    return b;
  }

  /// Leaves `size` in `b`; the rest, if worth keeping, is a free block behind it.
  void cut(Block* b, std::size_t size, std::size_t least) {
    if (b->bytes < size + least) return;
    Block* rest = new_block();
    rest->home = b->home;
    rest->p = b->p + size;
    rest->bytes = b->bytes - size;
    rest->before = b;
    rest->after = b->after;
    if (b->after != nullptr) b->after->before = rest;
    b->after = rest;
    b->bytes = size;
    b->home->insert(rest);
  }

  Block* join(Block* b) {
    if (b->after != nullptr && !b->after->used) {
      b->home->remove(b->after);
      swallow_after(b);
    }
    if (b->before != nullptr && !b->before->used) {
      b = b->before;
      b->home->remove(b);
      swallow_after(b);
    }
    return b;
  }
  void swallow_after(Block* b) {
    Block* gone = b->after;
    b->bytes += gone->bytes;
    b->after = gone->after;
    if (b->after != nullptr) b->after->before = b;
    discard(gone);
  }

  void release_segments() {
    for (const auto& pool : pools_) {
      if (pool->id != 0) continue;  // a graph may write to what looks free
      for (Bins* bins : {&pool->small, &pool->large}) {
        for (auto& row : bins->lists) {
          for (Block* b : row) {
            while (b != nullptr) {
              Block* next = b->next;
              if (b->is_whole_segment()) {
                bins->remove(b);
                given_ -= b->bytes;
                runtime::free(b->p, pool->stream);
                discard(b);
              }
              b = next;
            }
          }
        }
      }
      if (!runtime::is_capturing(pool->stream)) runtime::synchronize(pool->stream);
    }
  }

  [[noreturn]] void raise_out_of_memory(std::size_t bytes) {
    std::map<std::size_t, std::int64_t, std::greater<>> counts;  // blocks in use by size
    used_.each([&](const Block& b) { ++counts[b.bytes]; });
    std::vector<std::pair<std::size_t, std::int64_t>> users(counts.begin(), counts.end());
    std::stable_sort(users.begin(), users.end(), [](const auto& a, const auto& b) {
      return a.first * static_cast<std::size_t>(a.second) >
             b.first * static_cast<std::size_t>(b.second);
    });
    std::string largest;
    for (std::size_t i = 0; i < std::min<std::size_t>(users.size(), 5); ++i) {
      largest += (i == 0 ? "; most of it: " : ", ") + std::to_string(users[i].second) + " x " +
                 in_units(users[i].first);
    }
    raise(ErrorKind::memory,
          {"cuda:", device_, ": out of memory allocating ", in_units(bytes), ": ",
           in_units(runtime::free_memory(device_)), " of ",
           in_units(runtime::properties(device_).memory), " are free, ",
           in_units(static_cast<std::size_t>(stats_.now)), " in use by tensors", largest});
  }

  Block* new_block() {
    if (spare_ == nullptr) {
      chunks_.push_back(std::make_unique<Block[]>(blocks_a_chunk));
      for (int i = 0; i < blocks_a_chunk; ++i)
        discard(&chunks_.back()[static_cast<std::size_t>(i)]);
    }
    Block* b = spare_;
    spare_ = b->next;
    *b = Block{};
    return b;
  }
  void discard(Block* b) {
    b->next = spare_;
    spare_ = b;
  }

  static constexpr int blocks_a_chunk = 256;
  const int device_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Pool>> pools_;
  BlockTable used_;
  std::vector<std::unique_ptr<Block[]>> chunks_;
  Block* spare_ = nullptr;
  MemoryStats stats_;
  std::size_t given_ = 0;  // bytes that the runtime gave, in use or kept
};

DeviceMemory& device_memory(int device) {
  check_device(device);
  // Never destroyed: tensors in static variables outlive everything.
  static std::vector<DeviceMemory*>* const all = [] {
    auto* v = new std::vector<DeviceMemory*>;
    for (int i = 0; i < runtime::device_count(); ++i) v->push_back(new DeviceMemory(i));
    return v;
  }();
  return *(*all)[static_cast<std::size_t>(device)];
}

}  // namespace

Allocator& device_allocator(int device) { return device_memory(device); }
void release_cached(int device) { device_memory(device).release_cached(); }
MemoryStats device_memory_stats(int device) { return device_memory(device).stats(); }
std::int64_t available_device_memory(int device) { return device_memory(device).available(); }
void reset_device_peak_memory_stats(int device) { device_memory(device).reset_peak(); }

PoolScope::PoolScope(int id) : before_(std::exchange(current_pool, id)) {}
PoolScope::~PoolScope() { current_pool = before_; }

}  // namespace gradus::cuda

namespace gradus {

Allocator& allocator(Device device) {
  return device.is_cpu() ? cpu_allocator() : cuda::device_allocator(device.index());
}

MemoryStats memory_stats(Device device) {
  return device.is_cpu() ? cpu_memory_stats() : cuda::device_memory_stats(device.index());
}

std::int64_t available_memory(Device device) {
  return device.is_cpu() ? cpu_available_memory() : cuda::available_device_memory(device.index());
}

void reset_peak_memory_stats(Device device) {
  device.is_cpu() ? reset_cpu_peak_memory_stats()
                  : cuda::reset_device_peak_memory_stats(device.index());
}

}  // namespace gradus
