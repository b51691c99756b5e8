// An owning pointer to an object that counts its own references.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace gradus {

/// Gives back one reference; true if it was the last. Nobody can add one to an object that only the
/// caller holds, so that case needs no locked instruction.
inline bool let_go(std::atomic<std::int32_t>& references) noexcept {
  return references.load(std::memory_order_acquire) == 1 ||
         references.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

/// T has `retain(T*)` and `release(T*)`, found by argument lookup; release destroys at zero.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(const Ref& other) : p_(other.p_) {
    if (p_) retain(p_);
  }
  Ref(Ref&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(p_, other.p_);
    return *this;
  }
  ~Ref() {
    if (p_) release(p_);
  }

  /// Takes over one reference that the caller holds.
  static Ref adopt(T* p) {
    Ref r;
    r.p_ = p;
    return r;
  }
  /// Adds a reference of its own.
  static Ref share(T* p) {
    if (p) retain(p);
    return adopt(p);
  }

  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;

 private:
  T* p_ = nullptr;
};

}  // namespace gradus
