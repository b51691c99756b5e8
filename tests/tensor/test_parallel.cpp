// The thread pool: every chunk once, fixed boundaries, exceptions, nesting, callers, fork, threads.
#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "gradus/tensor/error.h"
#include "gradus/tensor/parallel.h"

namespace gradus {
namespace {

struct Parallel : ::testing::Test {
  const int before = num_threads();
  ~Parallel() override { set_num_threads(before); }
};

int threads_of_process() {
  int n = 0;
  DIR* tasks = opendir("/proc/self/task");
  while (tasks != nullptr) {
    const dirent* entry = readdir(tasks);
    if (entry == nullptr) break;
    n += entry->d_name[0] != '.';
  }
  if (tasks != nullptr) closedir(tasks);
  return n;
}

/// A joined thread stays listed for a moment until the system has taken it apart.
int threads_after_joining(int expected) {
  for (int i = 0; i < 1000 && threads_of_process() != expected; ++i) usleep(1000);
  return threads_of_process();
}

TEST_F(Parallel, every_chunk_runs_once_for_any_thread_count) {
  for (int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    for (std::int64_t chunks : {0, 1, 2, 3, 7, 8, 9, 1000}) {
      std::vector<int> hits(chunks, 0);  // plain ints: a chunk run twice at once is a TSan report
      parallel_chunks(chunks, [&](std::int64_t c) { ++hits[c]; });
      for (int h : hits) ASSERT_EQ(h, 1) << threads << " threads, " << chunks << " chunks";
    }
  }
}

TEST_F(Parallel, boundaries_depend_on_size_and_grain_only) {
  using Pieces = std::vector<std::int64_t>;  // end of the chunk that begins at i, else 0
  auto pieces = [](std::int64_t n, std::int64_t grain) {
    Pieces ends(n, 0);
    parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) { ends[begin] = end; });
    return ends;
  };
  for (std::int64_t n : {1, 63, 64, 65, 1000}) {
    set_num_threads(1);
    const Pieces one = pieces(n, 64);
    for (std::int64_t i = 0; i < n; i += 64) ASSERT_EQ(one[i], std::min<std::int64_t>(n, i + 64));
    for (int threads : {2, 5}) {
      set_num_threads(threads);
      EXPECT_EQ(pieces(n, 64), one);
    }
  }
  int calls = 0;
  parallel_for(0, 64, [&](std::int64_t, std::int64_t) { ++calls; });
  EXPECT_EQ(calls, 0);
}

TEST_F(Parallel, writes_are_visible_and_jobs_do_not_mix) {
  set_num_threads(4);
  std::vector<std::int64_t> v(4096, 0);
  for (int round = 0; round < 300; ++round) {
    parallel_for(4096, 100, [&](std::int64_t b, std::int64_t e) {
      for (std::int64_t i = b; i < e; ++i) v[i] += i;
    });
  }
  for (std::int64_t i = 0; i < 4096; ++i) ASSERT_EQ(v[i], 300 * i);
}

TEST_F(Parallel, an_exception_reaches_the_caller_and_the_pool_lives_on) {
  for (int threads : {1, 4}) {
    set_num_threads(threads);
    for (int round = 0; round < 20; ++round) {
      EXPECT_THROW(parallel_chunks(64,
                                   [](std::int64_t c) {
                                     if (c % 7 == 3) throw std::runtime_error("chunk");
                                   }),
                   std::runtime_error);
      std::atomic<int> sum = 0;
      parallel_chunks(64, [&](std::int64_t) { ++sum; });
      EXPECT_EQ(sum, 64);
    }
  }
}

TEST_F(Parallel, a_nested_call_runs_inline_on_the_same_thread) {
  set_num_threads(4);
  std::atomic<int> wrong = 0, total = 0;
  parallel_chunks(8, [&](std::int64_t) {
    const auto me = std::this_thread::get_id();
    parallel_chunks(16, [&](std::int64_t) {
      wrong += std::this_thread::get_id() != me;
      ++total;
    });
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(total, 8 * 16);
  std::atomic<int> refused = 0;
  parallel_chunks(2, [&](std::int64_t) {
    try {
      set_num_threads(2);
    } catch (const Error& e) {
      refused += e.kind() == ErrorKind::argument;
    }
  });
  EXPECT_EQ(refused, 2);
}

TEST_F(Parallel, several_threads_may_call_at_the_same_time) {
  set_num_threads(3);
  std::vector<std::thread> callers;
  std::vector<std::int64_t> sums(4, 0);
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      for (int round = 0; round < 100; ++round) {
        std::vector<std::int64_t> part(32);
        parallel_chunks(32, [&](std::int64_t c) { part[c] = c; });
        sums[t] += std::accumulate(part.begin(), part.end(), std::int64_t{0});
      }
    });
  }
  for (std::thread& c : callers) c.join();
  for (std::int64_t s : sums) EXPECT_EQ(s, 100 * 31 * 16);
}

TEST_F(Parallel, many_more_threads_than_cores_finish) {
  set_num_threads(16);
  std::atomic<std::int64_t> sum = 0;
  for (int round = 0; round < 1000; ++round) {
    parallel_chunks(16, [&](std::int64_t c) { sum.fetch_add(c, std::memory_order_relaxed); });
  }
  EXPECT_EQ(sum, 1000 * 120);
}

TEST_F(Parallel, one_thread_starts_none_and_two_start_one_when_needed) {
  set_num_threads(1);
  const int alone = threads_after_joining(1);
  parallel_chunks(100, [](std::int64_t) {});
  EXPECT_EQ(threads_of_process(), alone);
  set_num_threads(2);
  parallel_chunks(1, [](std::int64_t) {});
  EXPECT_EQ(threads_of_process(), alone);
  parallel_chunks(2, [](std::int64_t) {});
  EXPECT_EQ(threads_of_process(), alone + 1);
  set_num_threads(1);
  EXPECT_EQ(threads_after_joining(alone), alone);
  for (int bad : {0, -1, 257}) EXPECT_THROW(set_num_threads(bad), Error);
}

TEST_F(Parallel, a_forked_child_makes_its_own_workers) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer starts no threads in a forked child";
#endif
  set_num_threads(3);
  parallel_chunks(8, [](std::int64_t) {});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::atomic<int> sum = 0;
    parallel_chunks(8, [&](std::int64_t) { ++sum; });
    _exit(sum == 8 && num_threads() == 3 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  parallel_chunks(8, [](std::int64_t) {});
}

}  // namespace
}  // namespace gradus
