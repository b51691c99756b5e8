// Memory that runs out, at any moment from the start of a run to its last save: one clear line, the
// status that says so, checkpoints as they were, and the next run goes on to the same bits.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gradus/tests/allocations.h"
#include "gradus/tests/crash/soak.h"
#include "gradus/tests/trainer/train_command.h"

namespace gradus::cli {
namespace {

struct Memory : TrainCommand {
  testing::Chance chance;
  const std::vector<std::string> settings = {"trainer.max_steps=12", "log.every_n_steps=1",
                                             "checkpoint.every_n_steps=4",
                                             "trainer.validate_every_n_steps=6"};

  /// `start` runs the command line in a process of its own, where memory runs out. True if it did.
  bool run_out(const std::string& name, const std::string& whole,
               const std::function<Said(const Words&)>& start, const std::string& where) {
    const std::string before = text_of(scratch / name / "metrics.csv");  // "" where nothing is yet
    const auto [status, out, err] = start(train(name, settings));
    // toml++ takes a number that it has no memory to read for a wrong one, or ends the program.
    // That is before anything is written.
    const bool reading =
        (status == 2 || status == -SIGABRT) && text_of(scratch / name / "metrics.csv") == before;
    EXPECT_TRUE(status == 4 || status == 0 || reading)
        << where << ": status " << status << ": " << err;
    if (status != 0) {
      newest(name);  // whatever is there is whole
      EXPECT_EQ(run_apart(train(name, settings), [] {}), 0) << "the run after " << where;
    }
    EXPECT_EQ(traces(name), whole) << where;
    fs::remove_all(scratch / name);
    return status != 0;
  }

  /// The same in a copy of this process, at its n-th allocation.
  static constexpr int first = 30;  // those before are the test's own
  bool run_out_at(const std::string& name, const std::string& whole, int n, int all) {
    return run_out(
        name, whole,
        [&](const Words& words) {
          return run_apart_and_listen(words, [n] { testing::fail_allocation(n); });
        },
        "allocation " + std::to_string(n) + " of " + std::to_string(all));
  }
};

TEST_F(Memory, any_allocation_may_fail) {
  if (!testing::allocations_are_counted()) GTEST_SKIP() << "a sanitizer has its own operator new";
  const std::int64_t before = testing::allocations_of_all_threads();
  ASSERT_EQ(run(train("whole", settings)).status, 0);
  const auto all = static_cast<int>(testing::allocations_of_all_threads() - before);
  const std::string whole = traces("whole");
  const int count = testing::soak_count(40, all);
  int failed = 0;
  for (int i = 0; i < count; ++i) {
    failed += run_out_at("run", whole, first + (count == all ? i : chance.below(all)), all);
  }
  EXPECT_GT(failed, 0);
}

TEST_F(Memory, any_allocation_of_a_resumed_run_may_fail) {
  if (!testing::allocations_are_counted()) GTEST_SKIP() << "a sanitizer has its own operator new";
  ASSERT_EQ(run(train("whole", settings)).status, 0);
  const std::string whole = traces("whole");
  const fs::path half = scratch / "half";  // as a power cut after step 10 leaves it
  fs::copy(scratch / "whole", half, fs::copy_options::recursive);
  fs::remove_all(half / "checkpoints" / trainer::step_name(12));
  const auto resumed = [&] {
    fs::copy(half, scratch / "run", fs::copy_options::recursive);
    return run(train("run", settings));
  };
  const std::int64_t before = testing::allocations_of_all_threads();
  ASSERT_EQ(resumed().status, 0);
  const auto all = static_cast<int>(testing::allocations_of_all_threads() - before);
  ASSERT_EQ(traces("run"), whole);
  const int count = testing::soak_count(40, all);
  int failed = 0;
  for (int i = 0; i < count; ++i) {
    fs::remove_all(scratch / "run");
    fs::copy(half, scratch / "run", fs::copy_options::recursive);
    failed += run_out_at("run", whole, first + (count == all ? i : chance.below(all)), all);
  }
  EXPECT_GT(failed, 0);
}

/// Until the child's first thread has used so much processor time, or the child has ended. On a
/// busy machine as much real time may not even have loaded it.
void wait_for(pid_t child, int microseconds) {
  const std::string file = "/proc/" + std::to_string(child) + "/schedstat";
  for (std::int64_t used = 0; used < std::int64_t{1000} * microseconds; usleep(200)) {
    if (has_ended(child)) return;
    if (!(std::ifstream(file) >> used)) {  // this kernel does not say
      usleep(static_cast<useconds_t>(microseconds));
      return;
    }
  }
}

/// The command line as a program of its own, whose address space ends `room` bytes above what it
/// has after `wait` microseconds of work.
Said run_limited(Words words, int wait, rlim_t room) {
  words.insert(words.begin(), GRADUS_CLI);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(99);
    execv(GRADUS_CLI, arguments.data());
    _exit(98);
  }
  wait_for(child, wait);
  std::ifstream file("/proc/" + std::to_string(child) + "/statm");
  rlim_t pages = 0;
  if (file >> pages) {
    const rlim_t most = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + room;
    const rlimit limit{most, most};
    prlimit(child, RLIMIT_AS, &limit,
            nullptr);  // fails if the child has ended: then it did not hurt
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), "", ""};
}

TEST_F(Memory, the_system_may_have_no_more) {
  if (!testing::allocations_are_counted())
    GTEST_SKIP() << "a sanitizer needs terabytes of addresses";
  ASSERT_EQ(run_apart(train("whole", settings), [] {}), 0);
  const std::string whole = traces("whole");
  const int count = testing::soak_count(15, 1000);
  for (int i = 0; i < count; ++i) {
    const int wait = 15000 + chance.below(30000);  // a program that is being loaded is not ours yet
    const auto room = static_cast<rlim_t>(chance.below(1 << 20));
    run_out(
        "run", whole, [&](const Words& words) { return run_limited(words, wait, room); },
        std::to_string(room) + " bytes more after " + std::to_string(wait) + " us");
  }
}

}  // namespace
}  // namespace gradus::cli
