// The library's own thread pool: fixed chunks, so that results never depend on the thread count.
//
// Which elements form a chunk follows from the arguments alone; threads only decide who runs it.
// One job runs at a time: a nested call, and a call from a second thread while the pool is busy,
// runs inline. After fork() the child starts with an empty pool and makes its own threads.
#pragma once

#include <cstdint>
#include <type_traits>

namespace gradus {

/// Threads used for one operation, the caller included. Default: the cores this process may use.
/// Joins the present workers; new ones start when first needed, and none with 1.
/// Throws (argument) unless 1 <= threads <= 256, or inside a parallel section.
void set_num_threads(int threads);
int num_threads();

/// A chunk of this many simple element operations is worth handing to another thread (some 10 us).
inline constexpr std::int64_t pointwise_grain = 32768;

namespace detail {
using ChunkFunction = void (*)(void* context, std::int64_t chunk);
void run_chunks(std::int64_t chunks, ChunkFunction function, void* context);

/// The one place where a body is compiled: callers with a single chunk come here too, instead of
/// each having the loops of the body inlined once more.
template <class Body>
#if defined(__GNUC__)
[[gnu::noinline]]
#endif
void run_chunk(void* context, std::int64_t chunk) {
  (*static_cast<Body*>(context))(chunk);
}
}  // namespace detail

/// Calls f(chunk) once for every chunk in [0, chunks), in any order, on up to num_threads()
/// threads. The first exception thrown by a chunk is rethrown here; chunks not yet begun are then
/// skipped. Everything the chunks wrote is visible on return. No allocation once the workers have
/// started.
template <class F>
void parallel_chunks(std::int64_t chunks, F&& f) {
  using Body = std::remove_reference_t<F>;
  void* context = const_cast<void*>(static_cast<const void*>(__builtin_addressof(f)));
  if (chunks == 1)
    detail::run_chunk<Body>(context, 0);
  else if (chunks > 1)
    detail::run_chunks(chunks, detail::run_chunk<Body>, context);
}

/// Calls f(begin, end) on [0, grain), [grain, 2 grain) ... up to n. `grain` is how much work one
/// chunk has: up to `grain` elements run on the caller, and a chunk should take 5 us or more.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& f) {
  if (n <= 0) return;
  const std::int64_t step = grain > 0 ? grain : 1;
  parallel_chunks((n - 1) / step + 1, [&f, n, step](std::int64_t chunk) {
    const std::int64_t begin = chunk * step;
    f(begin, n - begin < step ? n : begin + step);
  });
}

}  // namespace gradus
