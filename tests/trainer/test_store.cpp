// Checkpoints: published whole or not at all, whatever call fails or whenever the process dies;
// every damage found; the newest good one used; the rules of retention.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>

#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/start.h"
#include "gradus/trainer/checkpoint/store.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
using Fault = FailingFiles::Fault;

std::vector<FileToSave> contents(const std::string& mark) {
  return {{"model.safetensors", [=](CheckpointFile& f) { f.write("weights of " + mark); }},
          {"optimizer/main.safetensors",
           [=](CheckpointFile& f) {
             f.write("moments");
             f.write(mark);
           }},
          {"state.json", [=](CheckpointFile& f) { f.write("{\"mark\": \"" + mark + "\"}\n"); }}};
}

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return (std::stringstream() << stream.rdbuf()).str();
}

/// Which contents a checkpoint holds; it must be one of them entirely.
std::string mark_of(const fs::path& checkpoint) {
  const std::string moments = text_of(checkpoint / "optimizer/main.safetensors");
  const std::string mark = moments.substr(7);
  EXPECT_EQ(moments, "moments" + mark);
  EXPECT_EQ(text_of(checkpoint / "model.safetensors"), "weights of " + mark);
  EXPECT_EQ(text_of(checkpoint / "state.json"), "{\"mark\": \"" + mark + "\"}\n");
  return mark;
}

struct StoreTest : ::testing::Test {
  ScratchDirectory scratch;
  fs::path directory = scratch / "run/checkpoints";
  CheckpointStore store{Files::system(), directory};
  std::vector<std::string> skipped;

  std::string newest_mark() {
    const auto found = store.newest_good(skipped);
    return found ? mark_of(found->path) : "none";
  }
  std::vector<std::string> hidden_names() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory))
      if (step_of(entry.path().filename()) == std::nullopt && entry.path().filename() != "newest" &&
          entry.path().filename() != "best")
        names.push_back(entry.path().filename());
    return names;
  }
};

using Store = StoreTest;

TEST_F(Store, a_disk_that_fails_is_told_from_damage) {
  store.publish(1, contents("one"));
  store.publish(2, contents("two"));
  FailingFiles once(FailingFiles::Fault::fail_once, 3, EIO),
      broken(FailingFiles::Fault::fail_on, 3, EIO);
  const auto older = CheckpointStore(once, directory).newest_good(skipped);
  ASSERT_TRUE(older) << "what can be read is used";
  EXPECT_EQ(older->step, 1);
  try {
    CheckpointStore(broken, directory).newest_good(skipped);
    FAIL();
  } catch (const FileError& error) {
    EXPECT_TRUE(error.environment()) << error.what();
  }
}

TEST_F(Store, publishes_and_finds_the_newest) {
  EXPECT_EQ(newest_mark(), "none");
  store.publish(5, contents("five"));
  store.publish(1200, contents("more"));
  EXPECT_EQ(newest_mark(), "more");
  EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{5, 1200}));
  EXPECT_TRUE(fs::exists(directory / "step_000001200/optimizer/main.safetensors"));
  EXPECT_EQ(text_of(directory / "newest"), "step_000001200\n");
  store.set_best(5);
  EXPECT_EQ(text_of(directory / "best"), "step_000000005\n");
  store.publish(1200, contents("again"));
  EXPECT_EQ(newest_mark(), "again") << "saving a step again replaces it";
  EXPECT_TRUE(hidden_names().empty());
  EXPECT_TRUE(skipped.empty());
}

TEST_F(Store, trusts_no_pointer) {
  store.publish(1, contents("one"));
  store.publish(2, contents("two"));
  std::ofstream(directory / "newest") << "step_000000001\n";
  EXPECT_EQ(newest_mark(), "two");
  fs::remove(directory / "newest");
  EXPECT_EQ(newest_mark(), "two");
}

TEST_F(Store, manifest_is_what_xxhsum_reads) {
  store.publish(
      1, {{"empty", [](CheckpointFile&) {}}, {"abc", [](CheckpointFile& f) { f.write("abc"); }}});
  // The values that xxhsum -H2 prints for these two files.
  EXPECT_EQ(text_of(store.path_of(1) / manifest_name),
            "99aa06d3014798d86001c324468d497f  empty\n06b05ab6733a618578af5f94892f3950  abc\n");
  if (std::system("command -v xxhsum >/dev/null 2>&1") == 0) {
    const std::string command =
        "cd '" + store.path_of(1).string() + "' && xxhsum -c " + manifest_name + " >/dev/null 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0);
  }
}

TEST_F(Store, refuses_names_that_lead_outside) {
  for (const char* name :
       {"../x", "/x", "a/../b", "", ".", "a//b", "a/", "a\nb", "a\\b", "manifest.xxh128"}) {
    const std::vector<FileToSave> bad = {{name, [](CheckpointFile&) {}}};
    EXPECT_THROW(store.publish(1, bad), Error) << name;
  }
  EXPECT_TRUE(store.steps().empty());
  EXPECT_TRUE(hidden_names().empty());
}

TEST_F(Store, nothing_is_published_if_the_lock_is_lost) {
  store.publish(1, contents("one"));
  const auto lost = [] { throw Error(ErrorKind::io, "taken over"); };
  EXPECT_THROW(store.publish(2, contents("two"), lost), Error);
  EXPECT_EQ(newest_mark(), "one");
  EXPECT_TRUE(hidden_names().empty());
}

/// Publishes `step` while the n-th call fails, for every n until none fails.
void fail_every_call(StoreTest& t, std::int64_t step, Fault fault, int code, bool no_exchange) {
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 1000);
    FailingFiles files(fault, n, code);
    files.no_exchange = no_exchange;
    const std::string mark = "try" + std::to_string(n);
    bool returned = true;
    const std::string before = t.newest_mark();
    try {
      CheckpointStore(files, t.directory).publish(step, contents(mark));
    } catch (const FileError& e) {
      returned = false;
      EXPECT_EQ(e.code(), code);
      EXPECT_TRUE(e.environment());
      EXPECT_NE(std::string(e.what()).find(t.directory.string()), std::string::npos) << e.what();
    }
    t.store.clean();
    EXPECT_TRUE(t.hidden_names().empty());
    const std::string after = t.newest_mark();
    EXPECT_TRUE(after == mark || (!returned && after == before)) << n << ": " << after;
    EXPECT_TRUE(t.skipped.empty()) << t.skipped[0];
    if (!files.reached()) break;
    t.store.publish(step, contents("next"));  // the next save works
    ASSERT_EQ(t.newest_mark(), "next");
  }
}

TEST_F(Store, every_failing_call_leaves_the_old_or_the_new) {
  store.publish(10, contents("old"));
  for (const int code : {ENOSPC, EIO, EDQUOT, EROFS})
    for (const Fault fault : {Fault::fail_once, Fault::fail_on})
      fail_every_call(*this, 20, fault, code, false);
  fail_every_call(*this, 30, Fault::fail_once, ENOSPC, true);
}

TEST_F(Store, short_writes_are_completed) {
  FailingFiles files(Fault::short_writes, 0);
  CheckpointStore(files, directory).publish(3, contents("slow"));
  EXPECT_EQ(newest_mark(), "slow");
}

/// Runs `work` in a process that dies at the n-th call. Returns whether it died.
template <class Work>
bool died(Fault fault, int n, bool no_exchange, Work work) {
  const pid_t child = fork();
  if (child == 0) {
    FailingFiles files(fault, n);
    files.no_exchange = no_exchange;
    try {
      work(files);
    } catch (...) {
      _exit(3);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9))
      << status;
  return WEXITSTATUS(status) == 9;
}

TEST_F(Store, dying_at_any_call_leaves_the_old_or_the_new) {
  store.publish(10, contents("old"));
  for (const bool no_exchange : {false, true}) {
    for (const Fault fault : {Fault::die_before, Fault::die_after}) {
      for (int n = 1;; ++n) {
        ASSERT_LT(n, 1000);
        const std::string before = newest_mark();
        const std::string mark = "try" + std::to_string(n);
        const bool dead = died(fault, n, no_exchange, [&](Files& files) {
          CheckpointStore(files, directory).publish(10, contents(mark));
        });
        store.clean();
        EXPECT_TRUE(hidden_names().empty());
        const std::string after = newest_mark();
        EXPECT_TRUE(after == mark || (dead && after == before)) << n << ": " << after;
        EXPECT_TRUE(skipped.empty());
        if (!dead) break;
      }
    }
  }
}

TEST_F(Store, dying_while_pruning_loses_nothing_that_is_kept) {
  for (const Fault fault : {Fault::die_before, Fault::die_after}) {
    for (int n = 1;; ++n) {
      ASSERT_LT(n, 1000);
      for (int step = 1; step <= 4; ++step) store.publish(step, contents(std::to_string(step)));
      const bool dead = died(fault, n, false, [&](Files& files) {
        CheckpointStore(files, directory).prune({.keep_previous = 1}, 4, 1);
      });
      EXPECT_EQ(newest_mark(), "4");
      EXPECT_EQ(verify_directory(Files::system(), store.path_of(1)), "") << "the best";
      EXPECT_EQ(verify_directory(Files::system(), store.path_of(3)), "") << "the previous";
      EXPECT_TRUE(skipped.empty());
      store.clean();
      if (!dead) break;
    }
  }
  EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{1, 3, 4}));
}

TEST_F(Store, every_flipped_bit_and_every_truncation_is_found) {
  store.publish(1, contents("good"));
  store.publish(2, contents("bad"));
  const fs::path damaged = store.path_of(2);
  for (const char* name :
       {"model.safetensors", "optimizer/main.safetensors", "state.json", manifest_name}) {
    const std::string bytes = text_of(damaged / name);
    const auto check_damage = [&](const std::string& with, const std::string& what) {
      std::ofstream(damaged / name, std::ios::binary | std::ios::trunc) << with;
      skipped.clear();
      EXPECT_EQ(newest_mark(), "good") << name << " " << what;
      ASSERT_EQ(skipped.size(), 1u);
      EXPECT_EQ(skipped[0].find("step_000000002: "), 0u) << skipped[0];
    };
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      check_damage(flipped, "bit " + std::to_string(bit));
    }
    for (std::size_t n = 0; n < bytes.size(); ++n)
      check_damage(bytes.substr(0, n), "cut to " + std::to_string(n));
    check_damage(bytes.substr(8) + bytes.substr(0, 8), "turned round");
    check_damage(bytes + "\n", "one byte more");
    std::ofstream(damaged / name, std::ios::binary | std::ios::trunc) << bytes;
  }
  EXPECT_EQ(newest_mark(), "bad") << "restored";
}

TEST_F(Store, lying_directories_are_passed_over) {
  store.publish(1, contents("good"));
  const auto expect_passed_over = [&](const std::string& why) {
    skipped.clear();
    EXPECT_EQ(newest_mark(), "good") << why;
    ASSERT_EQ(skipped.size(), 1u) << why;
    EXPECT_NE(skipped[0].find(why), std::string::npos) << skipped[0];
    fs::remove_all(store.path_of(2));
  };
  const fs::path path = store.path_of(2);
  store.publish(2, contents("x"));
  std::ofstream(path / "extra") << "?";
  expect_passed_over("extra: not in the manifest");
  store.publish(2, contents("x"));
  fs::remove(path / "state.json");
  expect_passed_over("state.json: missing");
  store.publish(2, contents("x"));
  fs::rename(path / "state.json", directory / "elsewhere");
  fs::create_symlink(directory / "elsewhere", path / "state.json");
  expect_passed_over("state.json: not a regular file");
  fs::remove(directory / "elsewhere");
  store.publish(2, contents("x"));
  fs::remove(path / "state.json");
  ASSERT_EQ(mkfifo((path / "state.json").c_str(), 0600), 0);
  expect_passed_over("state.json: not a regular file");
  fs::create_directory(path);
  expect_passed_over("manifest.xxh128: missing");
  fs::create_directory(path);
  std::ofstream(path / manifest_name) << "";
  expect_passed_over("it is empty");
  fs::create_directory(path);
  std::ofstream(path / manifest_name) << "99aa06d3014798d86001c324468d497f  ../outside\n";
  std::ofstream(directory / "outside") << "";
  expect_passed_over("line 1 is not a checksum and a name");
  fs::remove(directory / "outside");
  std::ofstream(path) << "a file";
  expect_passed_over("Not a directory");
  fs::create_directory_symlink(store.path_of(1), path);
  expect_passed_over("cannot list");
}

TEST_F(Store, names_that_are_no_checkpoints_are_left_alone) {
  fs::create_directories(directory / "step_7");
  fs::create_directories(directory / "step_0000000007");
  fs::create_directories(directory / "step_00000000x");
  fs::create_directories(directory / "step_99999999999999999999");
  fs::create_directories(directory / "mine");
  store.publish(3, contents("x"));
  store.prune({.keep_previous = 0}, 3, {});
  store.clean();
  EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{3}));
  EXPECT_EQ(hidden_names().size(), 5u);
  EXPECT_EQ(step_of("step_12345678901"), 12345678901);
}

TEST(Retention, rules_add_up) {
  const std::vector<std::int64_t> steps = {10, 20, 30, 40, 50, 60, 70};
  using List = std::vector<std::int64_t>;
  const auto gone = [&](const CheckpointConfig& rules, std::optional<std::int64_t> best = {}) {
    List list = steps_to_delete(steps, rules, 60, best);
    std::sort(list.begin(), list.end());
    return list;
  };
  EXPECT_EQ(gone({}), (List{10, 20, 30, 40})) << "newest and previous by default";
  EXPECT_EQ(gone({}, 20), (List{10, 30, 40})) << "and the best";
  EXPECT_EQ(gone({.keep_previous = 0}), (List{10, 20, 30, 40, 50}));
  EXPECT_EQ(gone({.keep_previous = 3}), (List{10, 20}));
  EXPECT_EQ(gone({.keep_previous = 0, .keep_interval = 20}), (List{10, 30, 50}));
  EXPECT_EQ(gone({.keep_previous = 0, .keep_steps = {30}}), (List{10, 20, 40, 50}));
  EXPECT_EQ(gone({.keep_previous = 0, .keep_best = false}, 20), (List{10, 20, 30, 40, 50}));
  EXPECT_EQ(gone({.keep_all = true}), List{});
}

TEST_F(Store, a_rewritten_history_is_set_aside) {
  for (int step = 1; step <= 4; ++step) store.publish(step, contents(std::to_string(step)));
  store.set_aside_after(2);
  EXPECT_EQ(newest_mark(), "2");
  EXPECT_EQ(hidden_names().size(), 2u);
  store.publish(3, contents("new"));
  store.prune({}, 3, {});
  EXPECT_EQ(hidden_names(), (std::vector<std::string>{"superseded_step_000000004"}));
  store.publish(5, contents("newer"));
  store.prune({}, 5, {});
  EXPECT_TRUE(hidden_names().empty());
}

TEST_F(Store, start_is_own_checkpoint_then_weights_then_nothing) {
  const fs::path run = scratch / "run";
  const auto start = [&](const std::string& resume, const fs::path& weights = {}) {
    return choose_start(Files::system(), run, resume, weights);
  };
  const auto message = [&](const std::string& resume) -> std::string {
    try {
      start(resume);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(start("latest").kind, Start::fresh);
  EXPECT_EQ(start("latest").line, "starting fresh in " + run.string());
  EXPECT_EQ(start("latest", "/w").kind, Start::warm);
  EXPECT_EQ(start("none").kind, Start::fresh);
  store.publish(1, contents("one"));
  store.publish(2, contents("two"));
  EXPECT_EQ(start("latest", "/w").kind, Start::resumed) << "before any warm start";
  EXPECT_EQ(start("latest").step, 2);
  EXPECT_EQ(start("latest").line, "resuming " + run.string() + " at step 2");
  EXPECT_NE(message("none").find("another run.directory"), std::string::npos);
  EXPECT_EQ(start(store.path_of(1).string() + "/").step, 1);
  EXPECT_EQ(start(run.string()).step, 2);
  EXPECT_NE(message("/no/such").find("no such checkpoint"), std::string::npos);

  std::ofstream(store.path_of(2) / "state.json") << "?";
  EXPECT_EQ(start("latest").step, 1);
  EXPECT_EQ(start("latest").line,
            "resuming " + run.string() + " at step 1 (passed over 1 damaged)");
  EXPECT_EQ(start("latest").skipped,
            (std::vector<std::string>{"step_000000002: state.json: checksum differs"}));
  EXPECT_NE(message(store.path_of(2)).find("state.json: checksum differs"), std::string::npos);
  std::ofstream(store.path_of(1) / "state.json") << "?";
  EXPECT_NE(message("latest").find("none of the 2 checkpoints is good; step_000000002: state.json"),
            std::string::npos)
      << message("latest");
}

}  // namespace
}  // namespace gradus::trainer
