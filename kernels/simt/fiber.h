// A fiber: a function on a stack of its own that gives up control where it likes. On x86-64 the
// switch is a dozen instructions; elsewhere POSIX's ucontext does it.
#pragma once

#include <cstddef>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace gradus::simt {

class Fiber {
 public:
  using Function = void (*)(Fiber& self);

  /// `function` is called at the first resume() and must never return.
  explicit Fiber(Function function);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// From the thread's own stack into the fiber, until it suspends.
  void resume();
  /// From the fiber back to whoever resumed it.
  void suspend();

 private:
  static void enter(Fiber* fiber);
#if !defined(__x86_64__)
  static void enter_halves(unsigned high, unsigned low);
#endif
  void finish_switch_to_fiber();

  Function function_;
  char* stack_ = nullptr;  // below it lies a page that nobody may touch
  std::size_t stack_bytes_ = 0;
#if defined(__x86_64__)
  void* own_ = nullptr;  // stack pointers of the side that does not run
  void* caller_ = nullptr;
#else
  ucontext_t own_, caller_;
#endif
  // AddressSanitizer's view of the two stacks.
  void* own_fake_ = nullptr;
  void* caller_fake_ = nullptr;
  const void* caller_bottom_ = nullptr;
  std::size_t caller_bytes_ = 0;
};

}  // namespace gradus::simt
