#include "gradus/kernels/simt/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>

#include "gradus/kernels/simt/grid.h"

namespace gradus::simt {
namespace {

constexpr std::align_val_t alignment{256};
constexpr std::size_t fence_bytes = std::size_t{16} << 30;  // addresses, not memory

struct Block {
  std::size_t bytes;
  int owner;  // device, or -1 for pinned memory of the host
  bool fenced;
};

struct Memory {
  std::map<std::uintptr_t, Block> blocks;
  std::size_t used[device_count] = {};
  // Protected blocks lie one after another in one range, so that one call locks them all. They are
  // never used twice: an address that was freed stays forbidden.
  char* fence = nullptr;
  std::size_t fenced = 0;  // bytes of it ever handed out
  bool protect = false;
  int unlocked = 0;
};
Memory& memory() {
  static Memory* const instance = new Memory;  // outlives every static tensor
  return *instance;
}

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

void say(const char* text) {
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text));
}

/// A write to standard error, and then the signal once more without this handler.
void on_fault(int signal, siginfo_t* info, void*) {
  const Memory& m = memory();
  const char* at = static_cast<const char*>(info->si_addr);
  if (m.fence != nullptr && at >= m.fence && at < m.fence + m.fenced && m.unlocked == 0)
    say("simulated cuda: the host touched device memory outside of a kernel or a copy\n");
  std::signal(signal, SIG_DFL);
}

void* take_fenced(std::size_t bytes) {
  Memory& m = memory();
  if (m.fence == nullptr) {
    void* p =
        mmap(nullptr, fence_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return nullptr;
    m.fence = static_cast<char*>(p);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
  }
  const std::size_t pages = whole_pages(bytes);
  if (m.fenced + pages > fence_bytes) return nullptr;
  char* p = m.fence + m.fenced;
  m.fenced += pages;
  return p;
}

void lock_fence(bool locked) {
  const Memory& m = memory();
  if (m.fenced > 0) mprotect(m.fence, m.fenced, locked ? PROT_NONE : PROT_READ | PROT_WRITE);
}

}  // namespace

void* allocate_device(int device, std::size_t bytes) {
  Memory& m = memory();
  std::size_t& used = m.used[device];
  if (bytes > device_bytes - used) return nullptr;
  void* p = m.protect ? take_fenced(bytes) : ::operator new(bytes, alignment, std::nothrow);
  if (p == nullptr) return nullptr;
  used += bytes;
  m.blocks[reinterpret_cast<std::uintptr_t>(p)] = {bytes, device, m.protect};
  const Unlocked access;
  constexpr std::size_t most_filled = std::size_t{64} << 20;  // filling would use the pages
  std::memset(p, 0xff, std::min(bytes, most_filled));         // what was never written is NaN
  return p;
}

void free_device(void* p) {
  Memory& m = memory();
  const auto found = m.blocks.find(reinterpret_cast<std::uintptr_t>(p));
  if (found == m.blocks.end()) return;
  m.used[found->second.owner] -= found->second.bytes;
  if (found->second.fenced)
    madvise(p, whole_pages(found->second.bytes), MADV_DONTNEED);
  else
    ::operator delete(p, alignment);
  m.blocks.erase(found);
}

std::size_t free_bytes(int device) { return device_bytes - memory().used[device]; }

void* allocate_host(std::size_t bytes) {
  void* p = ::operator new(bytes, alignment);
  memory().blocks[reinterpret_cast<std::uintptr_t>(p)] = {bytes, -1, false};
  return p;
}

void free_host(void* p) {
  if (memory().blocks.erase(reinterpret_cast<std::uintptr_t>(p)) > 0)
    ::operator delete(p, alignment);
}

int owner_of(const void* p, std::size_t bytes) {
  const Memory& m = memory();
  const auto at = reinterpret_cast<std::uintptr_t>(p);
  auto next = m.blocks.upper_bound(at);
  if (next == m.blocks.begin()) return -2;
  const auto& [begin, block] = *--next;
  return at + bytes <= begin + block.bytes ? block.owner : -2;
}

Unlocked::Unlocked() {
  if (memory().unlocked++ == 0) lock_fence(false);
}
Unlocked::~Unlocked() {
  if (--memory().unlocked == 0) lock_fence(true);
}

void set_protect(bool on) { memory().protect = on; }

}  // namespace gradus::simt
