// Power that fails at any moment: nothing that was acknowledged is lost, nothing that is there is
// damaged, and a run goes on to the same bits; without fsync all of that would fail, which is shown
// too. And a disk that is really full.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>

#include "gradus/tests/crash/disk.h"
#include "gradus/tests/crash/soak.h"
#include "gradus/tests/trainer/train_command.h"

namespace gradus::cli {
namespace {

using testing::PowerCutDisk;
using testing::SmallDisk;
using testing::soak_count;
using trainer::CheckpointFile;
using trainer::CheckpointStore;
using trainer::Files;

/// A disk that says "written" and means nothing by it.
class WithoutSync final : public Files {
 public:
  int sync(int) override { return 0; }
};

struct PowerCut : TrainCommand {
  testing::Chance chance;
  PowerCutDisk disk{scratch / "disk"};
  /// Seen by a child too: the version of the last checkpoint whose publication has returned.
  std::atomic<std::int64_t>* acknowledged = static_cast<std::atomic<std::int64_t>*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ~PowerCut() override { munmap(acknowledged, 4096); }

  /// Publishes versions first, first + 1, ... until the power is gone; every third one replaces a
  /// step, and what no rule keeps is deleted.
  void publish_for_ever(Files& files, std::int64_t first) {
    CheckpointStore store(files, scratch / "disk/checkpoints");
    store.clean();
    for (std::int64_t version = first;; ++version) {
      const std::int64_t step = version / 3 * 3 + std::min<std::int64_t>(version % 3, 1);
      const std::string text = std::to_string(version);
      const std::string weights(static_cast<std::size_t>(version * 7919 % 30000), 'w');
      store.publish(step,
                    {{"model.safetensors", [&](CheckpointFile& f) { f.write(weights + text); }},
                     {"optimizer/main.safetensors", [&](CheckpointFile& f) { f.write(weights); }},
                     {"state.json", [&](CheckpointFile& f) { f.write(text); }}});
      *acknowledged = version;
      store.prune({.keep_previous = 1}, step, {});
    }
  }
  /// One life: the power goes up to 40 ms after the first version. What is wrong afterwards, or "".
  std::string live(Files& files, std::int64_t first) {
    const pid_t child = fork();
    if (child == 0) {
      try {
        publish_for_ever(files, first);
      } catch (const std::exception&) {
      }
      _exit(0);
    }
    for (int i = 0; i < 5000 && *acknowledged < first; ++i) usleep(1000);  // it is at work
    usleep(static_cast<useconds_t>(chance.below(40000)));
    const bool cut = disk.cut();
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    if (!cut || !disk.power_on()) return "the disk cannot be cut";
    const CheckpointStore store(Files::system(), scratch / "disk/checkpoints");
    std::string wrong;
    for (const std::int64_t step : store.steps())
      if (const std::string why = verify_directory(Files::system(), store.path_of(step));
          !why.empty())
        wrong += "step " + std::to_string(step) + ": " + why + "; ";
    std::vector<std::string> skipped;
    const auto newest = store.newest_good(skipped);
    const std::int64_t found = newest ? std::stoll(text_of(newest->path / "state.json")) : -1;
    if (found < *acknowledged)
      wrong += "version " + std::to_string(found) + " is the newest of " +
               std::to_string(*acknowledged) + " acknowledged; ";
    return wrong;
  }
};

TEST_F(PowerCut, nothing_acknowledged_is_lost_and_nothing_is_damaged) {
  if (const std::string why = disk.format(); !why.empty()) GTEST_SKIP() << why;
  *acknowledged = -1;
  const int cuts = soak_count(4, 300);
  for (int i = 0; i < cuts; ++i)
    ASSERT_EQ(live(Files::system(), *acknowledged + 1), "")
        << "cut " << i << ", seed " << testing::soak_seed();
  EXPECT_GE(*acknowledged, cuts - 1) << "next to nothing was written between the cuts";
}

TEST_F(PowerCut, without_fsync_the_same_test_fails) {
  if (const std::string why = disk.format(); !why.empty()) GTEST_SKIP() << why;
  WithoutSync files;
  const int cuts = soak_count(4, 50);
  int failures = 0;
  for (int i = 0; i < cuts; ++i) {
    *acknowledged = -1;
    const std::string wrong = live(files, 0);
    ASSERT_NE(wrong, "the disk cannot be cut");
    failures += !wrong.empty();
    ASSERT_EQ(disk.power_on() ? "" : "cannot mount", std::string());
    fs::remove_all(scratch / "disk/checkpoints");
  }
  EXPECT_GT(failures, cuts / 2);
}

TEST_F(PowerCut, a_run_goes_on_to_the_same_bits) {
  if (const std::string why = disk.format(); !why.empty()) GTEST_SKIP() << why;
  const std::vector<std::string> settings = {"trainer.max_steps=120", "log.every_n_steps=1",
                                             "checkpoint.every_n_steps=3", "trainer.accumulate=2",
                                             "model.dropout=0.2"};
  ASSERT_EQ(run(train("whole", settings)).status, 0);
  const std::string whole = traces("whole");
  const int cuts = soak_count(2, 100);
  for (int done = 0, round = 0; done < cuts; ++round) {
    std::vector<std::string> given = settings;
    given.push_back(std::string("checkpoint.asynchronous=") + (round % 2 == 0 ? "false" : "true"));
    while (true) {
      std::int64_t seen = -1;
      const Said ended = run_apart_and_listen(
          train("disk/run", given), [] {},
          [&](pid_t child) {
            // Every other time it gets on by a checkpoint first, or a slow machine never ends.
            const fs::path pointer = scratch / "disk/run/checkpoints/newest";
            const std::string before = text_of(pointer);
            const bool further = before.empty() || chance.below(2) == 0;
            for (int i = 0; further && i < 5000 && !has_ended(child); ++i) {
              if (text_of(pointer) != before) break;
              usleep(1000);
            }
            usleep(static_cast<useconds_t>(chance.below(200000)));
            const std::string name = text_of(pointer);
            seen = trainer::step_of(name.substr(0, name.find('\n'))).value_or(-1);
            disk.cut();
          });
      const int status = ended.status;
      ASSERT_TRUE(status == 0 || status == 4) << "status " << status << ": " << ended.err;
      ASSERT_TRUE(disk.power_on());
      if (status == 0 && newest("disk/run") == 120) break;
      ++done;
      EXPECT_GE(newest("disk/run"), seen) << "cut " << done;
    }
    EXPECT_EQ(traces("disk/run"), whole) << "round " << round << ", seed " << testing::soak_seed();
    fs::remove_all(scratch / "disk/run");
  }
}

TEST_F(TrainCommand, a_disk_that_fills_up_during_saves_loses_nothing) {
  SmallDisk disk(scratch / "small");
  if (const std::string why = disk.make(700'000); !why.empty()) GTEST_SKIP() << why;
  const std::vector<std::string> settings = {"trainer.max_steps=40", "checkpoint.every_n_steps=2",
                                             "checkpoint.keep_all=true", "log.every_n_steps=1"};
  ASSERT_EQ(run(train("whole", settings)).status, 0);
  const Said full = run(train("small/run", settings));
  EXPECT_EQ(full.status, 4) << full.err;
  EXPECT_NE(full.err.find("No space left on device"), full.err.npos) << full.err;
  EXPECT_EQ(std::count(full.err.begin(), full.err.end(), '\n'), 1) << "one line: " << full.err;
  const std::int64_t kept = newest("small/run");
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, 40);
  const Said still = run(train("small/run", settings));
  EXPECT_EQ(still.status, 4) << "as long as it is full";
  EXPECT_EQ(newest("small/run"), kept);
  ASSERT_TRUE(disk.resize(16'000'000));
  EXPECT_EQ(run(train("small/run", settings)).status, 0);
  EXPECT_EQ(traces("small/run"), traces("whole"));
}

}  // namespace
}  // namespace gradus::cli
