// Who may work in a run directory, alone and beside others.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/run/directory.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

/// More of them with `./run soak`.
int rounds_of_race(int usual, int full) {
  const char* const asked = std::getenv("GRADUS_SOAK");
  return asked != nullptr && std::string_view(asked) == "full" ? full : usual;
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

/// A child process that does something, tells the result, and lives until it is told to end.
class Child {
 public:
  explicit Child(const std::function<std::string()>& work) {
    int up[2], down[2];
    if (pipe(up) || pipe(down)) throw FileError("pipe", "", errno, true);
    id = fork();
    if (id == 0) {
      close(up[0]);
      close(down[1]);
      std::string said;
      try {
        said = work();
      } catch (const std::exception& e) {
        said = std::string("error: ") + e.what();
      }
      char byte;
      const bool told = write(up[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
      close(up[1]);
      if (!told || read(down[0], &byte, 1) < 0) _exit(1);
      _exit(0);
    }
    close(up[1]);
    close(down[0]);
    from_ = up[0];
    to_ = down[1];
  }
  ~Child() {
    close(to_);
    close(from_);
    if (id > 0) waitpid(id, nullptr, 0);
  }
  std::string said() {
    std::string text;
    char buffer[256];
    for (ssize_t n; (n = read(from_, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(n));
    return text;
  }
  void kill_now() {
    ::kill(id, SIGKILL);
    waitpid(id, nullptr, 0);
    id = 0;
  }
  pid_t id;

 private:
  int from_, to_;
};

TEST(Locks, one_holder_and_the_refused_is_told_who) {
  ScratchDirectory scratch;
  Locks mine(Files::system(), scratch / "run", {"17", 0});
  Locks other(Files::system(), scratch / "run");
  EXPECT_FALSE(mine.has_any());
  EXPECT_THROW(mine.verify(), Error);
  mine.add(LockType::running);
  mine.verify();
  EXPECT_TRUE(other.has(LockType::running));
  EXPECT_EQ(other.holder(LockType::running)->pid, getpid());
  const std::string refused = message_of([&] { other.add(LockType::running); });
  EXPECT_NE(refused.find("the run directory is running: held by process " +
                         std::to_string(getpid()) + " on "),
            std::string::npos)
      << refused;
  EXPECT_NE(refused.find("(job 17)"), std::string::npos) << refused;
  other.add(LockType::running, true);
  EXPECT_THROW(other.verify(), Error) << "exists_ok does not make it ours";
  mine.remove(LockType::running);
  EXPECT_FALSE(fs::exists(scratch / "run/.lock_running"));
  other.add(LockType::running);
  other.verify();
}

TEST(Locks, scheduled_and_ckpt_are_plain_files) {
  ScratchDirectory scratch;
  Locks locks(Files::system(), scratch.path());
  locks.add(LockType::scheduled);
  EXPECT_NE(message_of([&] { locks.add(LockType::scheduled); }).find("is scheduled: held by"),
            std::string::npos);
  locks.add(LockType::scheduled, true);
  locks.add(LockType::running);
  EXPECT_FALSE(locks.has(LockType::scheduled)) << "the job has started";
  locks.add(LockType::ckpt);
  locks.add(LockType::ckpt, true);
  locks.remove(LockType::running);
  EXPECT_TRUE(locks.has(LockType::ckpt));
  EXPECT_TRUE(locks.has_any());
  EXPECT_THROW(locks.remove(LockType::scheduled), FileError);
  locks.remove(LockType::scheduled, true);
  EXPECT_THROW(locks.remove(LockType::running), Error);
  locks.remove(LockType::running, true);
}

TEST(Locks, a_killed_holder_frees_and_a_stopped_one_does_not) {
  ScratchDirectory scratch;
  Locks mine(Files::system(), scratch.path());
  std::unique_ptr<Locks> theirs;
  Child child([&] {
    theirs = std::make_unique<Locks>(Files::system(), scratch.path());
    theirs->add(LockType::running);
    return std::string("held");
  });
  ASSERT_EQ(child.said(), "held");
  kill(child.id, SIGSTOP);
  EXPECT_THROW(mine.add(LockType::running), Error);
  child.kill_now();
  EXPECT_TRUE(fs::exists(scratch / ".lock_running"));
  EXPECT_FALSE(mine.has(LockType::running));
  mine.add(LockType::running);
  mine.verify();
}

TEST(Locks, of_eight_racing_processes_exactly_one_wins) {
  ScratchDirectory scratch;
  const int rounds = rounds_of_race(50, 1000);
  for (int round = 0; round < rounds; ++round) {
    const fs::path directory = scratch / ("run_" + std::to_string(round % 2));
    int start[2];
    ASSERT_EQ(pipe(start), 0);
    std::unique_ptr<Locks> locks;
    const auto race = [&] {
      char byte;
      close(start[1]);
      if (read(start[0], &byte, 1) < 0) return std::string("no start");
      locks = std::make_unique<Locks>(Files::system(), directory);
      locks->add(LockType::running);
      return std::string("won");
    };
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 8; ++i) children.push_back(std::make_unique<Child>(race));
    close(start[0]);
    close(start[1]);  // all of them start
    int won = 0;
    for (auto& child : children) {
      const std::string said = child->said();
      won += said == "won";
      EXPECT_TRUE(said == "won" || said.find("the run directory is running") != said.npos) << said;
    }
    EXPECT_EQ(won, 1) << "round " << round;
    for (auto& child : children) child->kill_now();  // the next round finds a dead holder's lock
  }
}

/// Writes a lock as a process of another machine would have left it.
void forge(const fs::path& directory, const std::string& job, std::int64_t restarts, int age) {
  Holder holder = this_process({job, restarts});
  holder.host = "elsewhere";
  holder.boot = "another-boot";
  std::ofstream(directory / ".lock_running") << holder_text(holder) << "\n";
  timespec times[2];
  clock_gettime(CLOCK_REALTIME, &times[0]);
  times[0].tv_sec -= age;
  times[1] = times[0];
  ASSERT_EQ(utimensat(AT_FDCWD, (directory / ".lock_running").c_str(), times, 0), 0);
}

TEST(Locks, a_holder_on_another_host_lives_while_it_is_refreshed) {
  ScratchDirectory scratch;
  forge(scratch.path(), "17", 1, 5);
  Locks stranger(Files::system(), scratch.path(), {"18", 7});
  const std::string refused = message_of([&] { stranger.add(LockType::running); });
  EXPECT_NE(refused.find("on elsewhere"), std::string::npos) << refused;
  EXPECT_TRUE(stranger.has(LockType::running));
  Locks same(Files::system(), scratch.path(), {"17", 1});
  EXPECT_THROW(same.add(LockType::running), Error) << "the same start of the same job";
  {
    Locks again(Files::system(), scratch.path(), {"17", 2});
    again.add(LockType::running);  // restarted by the scheduler: the former start is dead
    again.verify();
  }
  forge(scratch.path(), "17", 1, 61);
  EXPECT_FALSE(stranger.has(LockType::running));
  stranger.add(LockType::running);
  stranger.verify();
}

TEST(Locks, a_holder_that_was_taken_over_stops_before_it_publishes) {
  ScratchDirectory scratch;
  Locks mine(Files::system(), scratch.path());
  mine.add(LockType::running);
  forge(scratch.path(), "99", 0, 0);
  const std::string lost = message_of([&] { mine.verify(); });
  EXPECT_NE(lost.find("was taken over by process"), std::string::npos) << lost;
  mine.remove(LockType::running);
  EXPECT_TRUE(fs::exists(scratch / ".lock_running")) << "what is not ours is not removed";
}

TEST(Locks, a_disk_that_fails_has_not_taken_the_lock_over) {
  for (int k = 1, failed = true; failed; ++k) {
    ScratchDirectory scratch;
    Locks other(Files::system(), scratch / "run");
    FailingFiles files(FailingFiles::Fault::fail_once, 0, EIO);
    Locks mine(files, scratch / "run");
    mine.add(LockType::running);
    files.fail_after(k);
    try {
      mine.verify();
      EXPECT_GT(k, 2) << "it is not read through Files";
      failed = false;
    } catch (const FileError& e) {
      EXPECT_TRUE(e.code() == EIO && e.environment()) << e.what();
      files.fail_after(k);
      EXPECT_THROW(mine.remove(LockType::running), FileError);
      other.add(LockType::running);  // given back all the same
    }
  }
}

TEST(Locks, texts_that_are_no_holder) {
  for (const char* text : {"", "{", "[]", "{}", "{\"token\": 3}", "{\"pid\": \"x\"}", "\xff"})
    EXPECT_FALSE(parse_holder(text)) << text;
  const Holder holder = this_process({"a \"job\"", 3});
  const auto again = parse_holder(holder_text(holder));
  ASSERT_TRUE(again);
  EXPECT_EQ(holder_text(*again), holder_text(holder));
  EXPECT_NE(this_process({}).token, holder.token);
  ScratchDirectory scratch;
  std::ofstream(scratch / ".lock_running") << "garbage";
  Locks locks(Files::system(), scratch.path());
  locks.add(LockType::running);  // no one on this boot holds it, and it names no one elsewhere
  locks.verify();
}

TEST(Locks, every_failing_call_is_an_error_that_leaves_nothing_held) {
  for (int n = 1;; ++n) {
    ScratchDirectory scratch;
    FailingFiles files(FailingFiles::Fault::fail_once, n);
    bool held = true;
    {
      Locks locks(files, scratch / "run");
      try {
        locks.add(LockType::running);
        locks.verify();
      } catch (const Error&) {
        held = false;
      }
    }
    Locks after(Files::system(), scratch / "run");
    after.add(LockType::running);
    after.verify();
    if (!files.reached()) {
      EXPECT_TRUE(held);
      break;
    }
  }
}

TEST(RunDirectory, racing_processes_get_one_each) {
  ScratchDirectory scratch;
  RunConfig config;
  config.base = scratch / "runs";
  const int rounds = rounds_of_race(5, 100);
  for (int round = 0; round < rounds; ++round) {
    RunDirectory mine;
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 8; ++i)
      children.push_back(std::make_unique<Child>([&] {
        mine = open_run_directory(Files::system(), config);
        return mine.path.filename().string();
      }));
    std::set<std::string> names;
    for (auto& child : children) names.insert(child->said());
    EXPECT_EQ(names.size(), 8u) << *names.begin();
    for (auto& child : children) child->kill_now();
  }
}

}  // namespace
}  // namespace gradus::trainer
