#include "gradus/tensor/arena.h"

#include <cstdint>
#include <new>

namespace gradus {

Arena::Arena(void* buffer, std::size_t bytes) {
  const auto start = reinterpret_cast<std::uintptr_t>(buffer);
  const std::uintptr_t aligned = (start + 63) / 64 * 64;
  const std::size_t lost = aligned - start;
  total_ = bytes > lost ? (bytes - lost) / 64 * 64 : 0;
  if (total_ > 0) holes_ = ::new (reinterpret_cast<void*>(aligned)) Hole{total_, nullptr};
}

void* Arena::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  const std::size_t size = (bytes + 63) / 64 * 64;
  std::lock_guard lock(mutex_);
  Hole** best = nullptr;
  for (Hole** link = &holes_; *link != nullptr; link = &(*link)->next) {
    if ((*link)->bytes >= size && (best == nullptr || (*link)->bytes < (*best)->bytes)) best = link;
  }
  check(best != nullptr, ErrorKind::memory, "MemoryScope: no room for ", bytes, " bytes: ", in_use_,
        " of ", total_, " bytes are in use");
  Hole* hole = *best;
  if (hole->bytes == size) {
    *best = hole->next;
  } else {
    const Hole rest{hole->bytes - size, hole->next};
    *best = ::new (reinterpret_cast<char*>(hole) + size) Hole(rest);
  }
  in_use_ += size;
  if (in_use_ > peak_) peak_ = in_use_;
  return hole;
}

void Arena::deallocate(void* p, std::size_t bytes) noexcept {
  if (p == nullptr) return;
  const std::size_t size = (bytes + 63) / 64 * 64;
  std::lock_guard lock(mutex_);
  in_use_ -= size;
  Hole* before = nullptr;
  Hole* after = holes_;
  while (after != nullptr && static_cast<void*>(after) < p) {
    before = after;
    after = after->next;
  }
  Hole* hole = ::new (p) Hole{size, after};
  if (after != nullptr &&
      reinterpret_cast<char*>(hole) + hole->bytes == reinterpret_cast<char*>(after)) {
    hole->bytes += after->bytes;
    hole->next = after->next;
  }
  if (before == nullptr) {
    holes_ = hole;
  } else if (reinterpret_cast<char*>(before) + before->bytes == reinterpret_cast<char*>(hole)) {
    before->bytes += hole->bytes;
    before->next = hole->next;
  } else {
    before->next = hole;
  }
}

}  // namespace gradus
