// Which directory a run gets, and what signals ask for.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/run/directory.h"
#include "gradus/trainer/run/signals.h"

namespace gradus::trainer {
namespace {

TEST(RunDirectory, takes_the_smallest_without_any_lock) {
  ScratchDirectory scratch;
  RunConfig config;
  config.base = scratch / "runs";
  const auto open = [&](const Job& job = {}) {
    return open_run_directory(Files::system(), config, job);
  };
  RunDirectory zero = open(), one = open();
  EXPECT_EQ(zero.path, scratch / "runs/run_0");
  EXPECT_EQ(one.path, scratch / "runs/run_1");
  zero.locks.reset();
  EXPECT_EQ(open().path, scratch / "runs/run_0") << "nothing was saved in it";
  one.locks->add(LockType::ckpt);
  one.locks.reset();
  Locks(Files::system(), scratch / "runs/run_0").add(LockType::scheduled);
  EXPECT_EQ(open().path, scratch / "runs/run_2");
  config.directory = scratch / "runs/run_1";
  EXPECT_EQ(open().path, scratch / "runs/run_1") << "named: to go on there";
  config.directory = scratch / "runs/run_0";
  EXPECT_EQ(open().path, scratch / "runs/run_0") << "named: the job it was scheduled for";
}

TEST(RunDirectory, a_requeued_job_finds_its_own) {
  ScratchDirectory scratch;
  RunConfig config;
  config.base = scratch.path();
  const auto open = [&](const Job& job) {
    return open_run_directory(Files::system(), config, job);
  };
  RunDirectory other = open({"4", 0, true});
  {
    RunDirectory mine = open({"5", 0, true});
    EXPECT_EQ(mine.path, scratch / "run_1");
    mine.locks->add(LockType::ckpt);
  }
  EXPECT_EQ(open({"5", 1, true}).path, scratch / "run_1");
  EXPECT_EQ(open({"6", 0, true}).path, scratch / "run_2");
}

/// One run after another, as in a job that tries several learning rates.
TEST(RunDirectory, several_runs_of_one_job_have_one_each_and_find_it_again) {
  ScratchDirectory scratch;
  RunConfig config;
  config.base = scratch.path();
  const auto run = [&](const Job& job, bool finishes = true) {
    RunDirectory mine = open_run_directory(Files::system(), config, job);
    mine.locks->add(LockType::ckpt, true);
    if (finishes) mine.locks->renew_ckpt(true);
    return mine.path.filename().string();
  };
  for (int n = 0; n < 11; ++n)
    EXPECT_EQ(run({"7", 0, true}), "run_" + std::to_string(n)) << "no requeue: a new run";
  for (int n = 0; n < 11; ++n) EXPECT_EQ(run({"7", 1, true}), "run_" + std::to_string(n));
  EXPECT_EQ(run({"7", 1, true}, false), "run_11") << "all of its own are taken by this start";
  EXPECT_EQ(run({"7", 2, true}), "run_0");
}

TEST(RunDirectory, where_restarts_are_not_counted_an_unfinished_run_is_the_jobs_own) {
  ScratchDirectory scratch;
  RunConfig config;
  config.base = scratch.path();
  const Job job{"8.server", 0, false};
  {
    RunDirectory first = open_run_directory(Files::system(), config, job);
    first.locks->add(LockType::ckpt);
    EXPECT_EQ(open_run_directory(Files::system(), config, job).path, scratch / "run_1")
        << "the first is at work";
  }
  {
    RunDirectory again = open_run_directory(Files::system(), config, job);
    EXPECT_EQ(again.path, scratch / "run_0");
    again.locks->renew_ckpt(true);
  }
  EXPECT_EQ(open_run_directory(Files::system(), config, job).path, scratch / "run_1");
}

TEST(RunDirectory, goes_past_what_is_not_ours) {
  ScratchDirectory scratch;
  RunConfig config;
  config.base = scratch.path();
  std::ofstream(scratch / "run_0") << "a file";
  std::filesystem::create_symlink("nowhere", scratch / "run_1");
  std::filesystem::create_directory(scratch / "run_2");
  std::ofstream(scratch / "run_2/.lock_ckpt") << std::string(5000, 'x');
  EXPECT_EQ(open_run_directory(Files::system(), config, {"9", 1, true}).path, scratch / "run_3");
  if (getuid() == 0) return;  // who may do everything finds nothing closed
  std::filesystem::create_directory(scratch / "run_4");
  std::filesystem::permissions(scratch / "run_4", std::filesystem::perms::none);
  RunDirectory third = open_run_directory(Files::system(), config);
  EXPECT_EQ(open_run_directory(Files::system(), config).path, scratch / "run_5");
}

TEST(RunDirectory, one_that_cannot_be_made_is_the_machines_fault) {
  RunConfig config;
  config.directory = "/proc/gradus_run";
  try {
    open_run_directory(Files::system(), config);
    FAIL();
  } catch (const FileError& e) {
    EXPECT_TRUE(e.environment());
    EXPECT_NE(std::string(e.what()).find("/proc/gradus_run"), std::string::npos);
  }
}

TEST(Signals, set_flags_and_the_first_one_is_reported) {
  struct sigaction before, after;
  sigaction(SIGHUP, nullptr, &before);
  {
    SignalHandlers handlers{SignalsConfig{}};
    EXPECT_EQ(SignalHandlers::leave_requested(), 0);
    EXPECT_FALSE(SignalHandlers::take_save_request());
    ::raise(SIGUSR2);
    ::raise(SIGUSR2);
    EXPECT_TRUE(SignalHandlers::take_save_request());
    EXPECT_FALSE(SignalHandlers::take_save_request());
    ::raise(SIGUSR1);
    EXPECT_EQ(SignalHandlers::leave_requested(), SIGUSR1);
    ::raise(SIGUSR2);
    EXPECT_EQ(SignalHandlers::leave_requested(), SIGUSR1);
    sigaction(SIGHUP, nullptr, &after);
    EXPECT_EQ(after.sa_handler, before.sa_handler) << "default: left alone";
  }
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(after.sa_handler, SIG_DFL) << "restored";
  SignalHandlers again{SignalsConfig{}};
  EXPECT_EQ(SignalHandlers::leave_requested(), 0) << "a new run starts without requests";
  EXPECT_EQ(exit_status_of(SIGTERM), 75);
  EXPECT_EQ(exit_status_of(SIGUSR1), 75);
  EXPECT_EQ(exit_status_of(SIGINT), 130);
  EXPECT_EQ(signal_name(SIGUSR1), "SIGUSR1");
}

TEST(Signals, a_second_one_exits_at_once) {
  const pid_t child = fork();
  if (child == 0) {
    SignalHandlers handlers{SignalsConfig{}};
    ::raise(SIGINT);
    ::raise(SIGINT);   // the same request, sent twice
    ::raise(SIGUSR2);  // a save is no second request to leave
    ::raise(SIGTERM);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGTERM);
}

TEST(Signals, the_same_one_again_later_exits_too) {
  const pid_t child = fork();
  if (child == 0) {
    SignalHandlers handlers{SignalsConfig{}};
    ::raise(SIGINT);
    ::usleep(150'000);
    ::raise(SIGINT);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
}

}  // namespace
}  // namespace gradus::trainer
