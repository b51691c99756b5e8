// The pool behind parallel.h. Each participant owns a contiguous run of the chunks (so that data
// stays in its cache from one operation to the next) and then helps the others, so the caller never
// waits for a worker that has not woken up: only for chunks that are already running.
#include "gradus/tensor/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "gradus/tensor/allocator.h"
#include "gradus/tensor/error.h"

namespace gradus {
namespace {

constexpr int max_threads = 256;

/// How long a waiting thread polls before it sleeps: it bridges the gap between two operations of a
/// step. By the clock, because a pause takes 25 ns on one processor and 60 on another.
constexpr auto spin_time = std::chrono::microseconds(40);
/// After so many polls it offers its processor to others: a loader of data may have none of its
/// own.
constexpr int polls_before_yield = 16;

thread_local bool in_chunk = false;  // this thread is running a chunk of a pool job

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int hardware_threads() {
  const unsigned n = std::thread::hardware_concurrency();  // respects the affinity mask
  return n == 0 ? 1 : n > max_threads ? max_threads : static_cast<int>(n);
}

class ThreadPool {
 public:
  ThreadPool() : cores_(hardware_threads()), threads_(cores_) {}
  ~ThreadPool() {
    stop_workers();
    threads_ = 1;  // operations of later static destructors run inline
  }

  int threads() const { return threads_.load(std::memory_order_relaxed); }

  void set_threads(int threads) {
    std::lock_guard lock(one_job_);
    stop_workers();
    threads_ = threads;
  }

  /// False if the pool is busy with another thread's job, and nothing has been done.
  bool run(std::int64_t chunks, detail::ChunkFunction function, void* context);

 private:
  // state_: bit 0 = the job is open to workers, bit 1 = the caller sleeps until the last worker has
  // left, above them the number of workers inside. Job fields are written only while it is 0.
  static constexpr std::uint32_t open = 1, waiting = 2, one_worker = 4;

  struct alignas(64) Range {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  void start_workers(int wanted);
  void stop_workers();
  void worker(int index);
  static void* worker_entry(void* index);
  void work(int participant);
  std::uint32_t wait_for_epoch(std::uint32_t seen);
  void wait_until_left();
  template <class Ready>
  bool poll(Ready ready) const;

  const int cores_;
  std::atomic<int> threads_;
  std::mutex one_job_;              // held by the thread whose job runs
  pthread_t workers_[max_threads];  // raw handles: nothing on the heap, nothing to leave in a fork
  int started_ = 0;

  alignas(64) std::atomic<std::uint32_t> state_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // grows with every job: look for work
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  std::mutex sleep_;
  std::condition_variable wake_, left_;

  alignas(64) detail::ChunkFunction function_ = nullptr;
  void* context_ = nullptr;
  Allocator* allocator_ = nullptr;  // the caller's: chunks allocate where their caller does
  int participants_ = 0;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
  Range ranges_[max_threads];
};

ThreadPool& pool() {
  static ThreadPool p;
  return p;
}

/// True as soon as ready() is, false if it is not in time.
template <class Ready>
bool ThreadPool::poll(Ready ready) const {
  using Clock = std::chrono::steady_clock;
  if (threads() > cores_) return ready();  // somebody needs this processor
  for (Clock::time_point end{};;) {
    for (int i = 0; i < polls_before_yield; ++i) {
      if (ready()) return true;
      pause();
    }
    sched_yield();
    const Clock::time_point now = Clock::now();
    if (end == Clock::time_point{})
      end = now + spin_time;
    else if (now > end)
      return false;
  }
}

void ThreadPool::work(int participant) {
  for (int k = 0; k < participants_; ++k) {
    Range& range = ranges_[(participant + k) % participants_];
    for (;;) {
      const std::int64_t chunk = range.next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= range.end) break;
      if (failed_.load(std::memory_order_relaxed)) return;
      try {
        function_(context_, chunk);
      } catch (...) {
        if (!failed_.exchange(true)) error_ = std::current_exception();
      }
    }
  }
}

bool ThreadPool::run(std::int64_t chunks, detail::ChunkFunction function, void* context) {
  std::unique_lock lock(one_job_, std::try_to_lock);
  if (!lock) return false;
  const int team = static_cast<int>(chunks < threads() ? chunks : threads());
  start_workers(team - 1);
  function_ = function;
  context_ = context;
  allocator_ = exchange_thread_allocator(nullptr);
  exchange_thread_allocator(allocator_);
  participants_ = team;
  failed_.store(false, std::memory_order_relaxed);
  for (int p = 0; p < team; ++p) {
    ranges_[p].next.store(chunks / team * p + chunks % team * p / team, std::memory_order_relaxed);
    ranges_[p].end = chunks / team * (p + 1) + chunks % team * (p + 1) / team;
  }
  state_.fetch_or(open, std::memory_order_release);
  // A worker announces its sleep before it looks at epoch_, we raise epoch_ before we look for
  // sleepers: one of the two sees the other.
  epoch_.fetch_add(1);
  if (sleepers_.load() > 0) {
    { std::lock_guard sleeping(sleep_); }
    if (team - 1 < started_) {
      for (int i = 1; i < team; ++i) wake_.notify_one();
    } else {
      wake_.notify_all();
    }
  }
  in_chunk = true;
  work(0);
  in_chunk = false;
  wait_until_left();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  return true;
}

void ThreadPool::wait_until_left() {
  if ((state_.fetch_and(~open, std::memory_order_acq_rel) & ~open) == 0) return;
  if (poll([&] { return state_.load(std::memory_order_acquire) == 0; })) return;
  std::unique_lock lock(sleep_);
  state_.fetch_or(waiting, std::memory_order_acq_rel);
  left_.wait(lock, [&] { return state_.load(std::memory_order_acquire) == waiting; });
  state_.fetch_and(~waiting, std::memory_order_acq_rel);
}

/// Returns the first epoch found that is not `seen`: none is skipped without being acted upon.
std::uint32_t ThreadPool::wait_for_epoch(std::uint32_t seen) {
  std::uint32_t now = seen;
  const auto changed = [&] { return (now = epoch_.load()) != seen; };
  if (poll(changed)) return now;
  std::unique_lock lock(sleep_);
  sleepers_.fetch_add(1);
  now = epoch_.load();
  while (now == seen) {
    wake_.wait(lock);
    now = epoch_.load();
  }
  sleepers_.fetch_sub(1);
  return now;
}

void ThreadPool::worker(int index) {
  in_chunk = true;
  // Older than any epoch of this worker's life: a job opened while the thread started is not
  // missed.
  std::uint32_t seen = epoch_.load() - 1;
  for (;;) {
    seen = wait_for_epoch(seen);
    if (stopping_) return;  // set before the epoch that announces it
    if (state_.fetch_add(one_worker, std::memory_order_acq_rel) & open) {
      exchange_thread_allocator(allocator_);
      work(index);
      exchange_thread_allocator(nullptr);
    }
    const std::uint32_t now = state_.fetch_sub(one_worker, std::memory_order_acq_rel) - one_worker;
    if (now == waiting) {
      std::lock_guard lock(sleep_);
      left_.notify_one();
    }
  }
}

void* ThreadPool::worker_entry(void* index) {
  pool().worker(static_cast<int>(reinterpret_cast<std::intptr_t>(index)));
  return nullptr;
}

void ThreadPool::start_workers(int wanted) {
  if (started_ >= wanted) return;
  // Signals are for the program's own threads: handlers never run on a worker.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (started_ < wanted) {
    void* index = reinterpret_cast<void*>(static_cast<std::intptr_t>(started_ + 1));
    // Where the system gives no more threads, the job runs on those there are.
    if (pthread_create(&workers_[started_], nullptr, worker_entry, index) != 0) break;
    ++started_;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  static std::once_flag fork_handler;
  std::call_once(fork_handler, [] {
    // In the child the workers do not exist and locks may be held by threads that are gone:
    // begin anew.
    pthread_atfork(nullptr, nullptr, [] {
      const int threads = pool().threads();
      ThreadPool* fresh = new (static_cast<void*>(&pool())) ThreadPool;
      fresh->threads_ = threads;
      in_chunk = false;
    });
  });
}

void ThreadPool::stop_workers() {
  if (started_ == 0) return;
  stopping_ = true;
  epoch_.fetch_add(1);
  { std::lock_guard lock(sleep_); }
  wake_.notify_all();
  for (; started_ > 0; --started_) pthread_join(workers_[started_ - 1], nullptr);
  stopping_ = false;
}

}  // namespace

void set_num_threads(int threads) {
  check(threads >= 1 && threads <= max_threads, ErrorKind::argument,
        "set_num_threads: expected 1 to ", max_threads, ", got ", threads);
  check(!in_chunk, ErrorKind::argument, "set_num_threads: called inside a parallel section");
  pool().set_threads(threads);
}

int num_threads() { return pool().threads(); }

void detail::run_chunks(std::int64_t chunks, ChunkFunction function, void* context) {
  if (!in_chunk && num_threads() > 1 && pool().run(chunks, function, context)) return;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) function(context, chunk);
}

}  // namespace gradus
