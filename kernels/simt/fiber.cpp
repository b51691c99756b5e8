#include "gradus/kernels/simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "gradus/tensor/error.h"

#if defined(__SANITIZE_ADDRESS__)
#define GRADUS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRADUS_ASAN 1
#endif
#endif
#if defined(GRADUS_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// switch(from, to): keeps what the ABI says a call keeps, on the old stack, and takes the same from
// the new one. `ret` then goes on where that one left, or for a new fiber at begin.
extern "C" void gradus_simt_switch(void** from, void* to);
extern "C" void gradus_simt_begin();
asm(R"(
.text
.p2align 4
.type gradus_simt_switch, @function
gradus_simt_switch:
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size gradus_simt_switch, . - gradus_simt_switch
.p2align 4
.type gradus_simt_begin, @function
gradus_simt_begin:
  endbr64
  movq %r12, %rdi
  call *%r13
  ud2
.size gradus_simt_begin, . - gradus_simt_begin
)");
#endif

namespace gradus::simt {
namespace {

std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

Fiber::Fiber(Function function) : function_(function) {
#if defined(GRADUS_ASAN)
  stack_bytes_ = std::size_t{1} << 20;  // red zones make frames several times larger
#else
  stack_bytes_ = std::size_t{256} << 10;
#endif
  void* p = mmap(nullptr, stack_bytes_ + page(), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  check(p != MAP_FAILED, ErrorKind::memory, "simulated cuda: no memory for a thread's stack");
  mprotect(p, page(), PROT_NONE);
  stack_ = static_cast<char*>(p) + page();
#if defined(__x86_64__)
  void** top = reinterpret_cast<void**>(stack_ + stack_bytes_);
  *--top = nullptr;  // keeps the stack 16-byte aligned at the call in begin
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(gradus_simt_begin);
  *--top = nullptr;                                 // rbp
  *--top = nullptr;                                 // rbx
  *--top = static_cast<void*>(this);                // r12
  *--top = reinterpret_cast<void*>(&Fiber::enter);  // r13
  *--top = nullptr;                                 // r14
  *--top = nullptr;                                 // r15
  own_ = top;
#else
  getcontext(&own_);
  own_.uc_stack.ss_sp = stack_;
  own_.uc_stack.ss_size = stack_bytes_;
  own_.uc_link = nullptr;
  const auto bits = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::enter_halves), 2,
              static_cast<unsigned>(static_cast<std::uint64_t>(bits) >> 32),
              static_cast<unsigned>(bits));
#endif
}

Fiber::~Fiber() { munmap(stack_ - page(), stack_bytes_ + page()); }

void Fiber::enter(Fiber* fiber) {
  fiber->finish_switch_to_fiber();
  fiber->function_(*fiber);
}

#if !defined(__x86_64__)
void Fiber::enter_halves(unsigned high, unsigned low) {
  enter(reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>(std::uint64_t{high} << 32 | low)));
}
#endif

void Fiber::finish_switch_to_fiber() {
#if defined(GRADUS_ASAN)
  __sanitizer_finish_switch_fiber(own_fake_, &caller_bottom_, &caller_bytes_);
#endif
}

void Fiber::resume() {
#if defined(GRADUS_ASAN)
  __sanitizer_start_switch_fiber(&caller_fake_, stack_, stack_bytes_);
#endif
#if defined(__x86_64__)
  gradus_simt_switch(&caller_, own_);
#else
  swapcontext(&caller_, &own_);
#endif
#if defined(GRADUS_ASAN)
  __sanitizer_finish_switch_fiber(caller_fake_, nullptr, nullptr);
#endif
}

void Fiber::suspend() {
#if defined(GRADUS_ASAN)
  __sanitizer_start_switch_fiber(&own_fake_, caller_bottom_, caller_bytes_);
#endif
#if defined(__x86_64__)
  gradus_simt_switch(&own_, caller_);
#else
  swapcontext(&own_, &caller_);
#endif
  finish_switch_to_fiber();
}

}  // namespace gradus::simt
