// What happens around a run, met as a user meets it: a second start, data that changed under it, an
// average that is put in place where products are computed in half precision.
#include <signal.h>
#include <unistd.h>

#include <cmath>

#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/digits.h"
#include "gradus/tests/trainer/train_command.h"
#include "gradus/trainer/cli/commands.h"

namespace gradus::cli {
namespace {

using trainer::DigitsTest;

TEST_F(TrainCommand, a_second_start_is_told_who_is_there_and_disturbs_nothing) {
  const std::vector<std::string> settings = {"trainer.max_epochs=0", "trainer.max_steps=4000",
                                             "schedule.type=constant",
                                             "checkpoint.every_n_steps=20"};
  Said second;
  pid_t first = 0;
  const int status = run_apart(
      train("run", settings), [] {},
      [&](pid_t child) {
        first = child;
        for (int i = 0; i < 20000 && !fs::exists(scratch / "run/checkpoints/newest"); ++i)
          usleep(500);
        second = run(train("run", settings));
        kill(child, SIGTERM);
      });
  EXPECT_EQ(status, 75) << "the first one went on until it was told to leave";
  EXPECT_EQ(second.status, 2);
  EXPECT_EQ(second.out, "");
  EXPECT_NE(second.err.find("the run directory is running: held by process " +
                            std::to_string(first) + " on "),
            second.err.npos)
      << second.err;
  const std::int64_t reached = newest("run");
  EXPECT_GT(reached, 0);
  const std::vector<std::string> shorter = {"trainer.max_epochs=0", "log.every_n_steps=1",
                                            "schedule.type=constant",
                                            "trainer.max_steps=" + std::to_string(reached)};
  ASSERT_EQ(run(train("whole", shorter)).status, 0);
  const fs::path model =
      fs::path("checkpoints") / trainer::step_name(reached) / "model.safetensors";
  EXPECT_TRUE(text_of(scratch / "run" / model) == text_of(scratch / "whole" / model));
}

TEST(ExitStatus, says_whose_fault_it_was) {
  const auto status_of = [](ErrorKind kind, const char* text) {
    std::string said;
    try {
      throw Error(kind, text);
    } catch (...) {
      return exit_status(said);
    }
  };
  EXPECT_EQ(status_of(ErrorKind::device, "cuda: cudaMemcpy: the device is lost"), 4);
  EXPECT_EQ(status_of(ErrorKind::memory, "no room"), 4);
  EXPECT_EQ(status_of(ErrorKind::device, "add: one is on cpu, one on cuda:0"), 2);
  EXPECT_EQ(status_of(ErrorKind::corrupt, "a file"), 2);
  EXPECT_EQ(status_of(ErrorKind::internal, "a mistake of ours"), 1);
}

/// 3 numbers and a class in each of `rows` lines.
void write_rows(const fs::path& file, int rows) {
  std::ofstream out(file);
  for (int i = 0; i < rows; ++i)
    out << i % 7 << "," << i % 3 << "," << i % 5 << "," << i % 2 << "\n";
}

TEST_F(TrainCommand, a_data_set_that_shrank_is_refused_and_may_be_allowed) {
  write_rows(scratch / "data.csv", 40);
  std::ofstream(scratch / "c.toml") << "[data.train]\npath = \"data.csv\"\nbatch_size = "
                                       "4\n[model]\ntype = \"mlp\"\nhidden = [4]\n"
                                       "[trainer]\nmax_steps = 9\n";
  const auto start = [&](int steps, Words more = {}) {
    Words words = {"train", (scratch / "c.toml").string(),
                   "--set", "run.directory=" + (scratch / "run").string(),
                   "--set", "trainer.max_steps=" + std::to_string(steps)};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  ASSERT_EQ(start(9).status, 0);         // 36 of the 40 samples of the first epoch
  write_rows(scratch / "data.csv", 12);  // fewer than it has seen already
  const Said refused = start(14);
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("data.train: 12 samples, the checkpoint's run had 40; --allow-change "
                             "data.train.path goes on all the same"),
            refused.err.npos)
      << refused.err;
  EXPECT_EQ(newest("run"), 9) << "nothing was touched";
  const Said allowed = start(14, {"--allow-change", "data.train.path"});
  EXPECT_EQ(allowed.status, 0) << allowed.err;
  const auto result = allowed.last_line();
  EXPECT_NE(result.find("\"step\": 14"), result.npos) << result;
  EXPECT_NE(result.find("\"epoch\": 2"), result.npos)
      << "the epoch that is longer than the data is over; then 3 steps an epoch: " << result;
  EXPECT_NE(result.find("\"samples\": 56"), result.npos) << "36 and 5 batches of 4: " << result;
}

TEST_F(TrainCommand, pictures_that_vanish_while_it_trains_end_it_by_name_with_a_checkpoint) {
  // Pictures are read when their turn comes: what is deleted meanwhile is missed in the middle.
  for (const char* folder : {"a", "b"}) {
    fs::create_directories(scratch / "pictures" / folder);
    for (int i = 0; i < 8; ++i) {
      // A PNG of one grey pixel, as every program writes it.
      const unsigned char png[] = {
          0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
          0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
          0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78,
          0x9c, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00,
          0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
      std::ofstream(scratch / "pictures" / folder / (std::to_string(i) + ".png"), std::ios::binary)
          .write(reinterpret_cast<const char*>(png), sizeof png);
    }
  }
  std::ofstream(scratch / "c.toml")
      << "[data.train]\npath = \"pictures\"\nshape = [1, 4, 4]\nbatch_size = 4\nprefetch = 1\n"
         "[model]\ntype = \"mlp\"\nhidden = [4]\n[trainer]\nmax_steps = 1000000\n[checkpoint]\n"
         "every_n_steps = 10\n";
  const Words words = {"train", (scratch / "c.toml").string(), "--set",
                       "run.directory=" + (scratch / "run").string()};
  const int status = run_apart(
      words, [] {},
      [&](pid_t) {
        for (int i = 0; i < 20000 && !fs::exists(scratch / "run/checkpoints/newest"); ++i)
          usleep(500);
        fs::remove(scratch / "pictures/b/3.png");
      });
  EXPECT_EQ(status, 2);
  EXPECT_GT(newest("run"), 0);
  const Said again = run(words);
  EXPECT_EQ(again.status, 2) << again.out;
  EXPECT_NE(again.err.find("data.train: 15 samples, the checkpoint's run had 16"), again.err.npos)
      << again.err;
}

/// What is evaluated are the averages in every copy that is made of a weight, the ones in half
/// precision included; and afterwards training does not know that they were there.
TEST_F(DigitsTest, averages_are_swapped_in_and_out_under_bf16) {
  using trainer::Session;
  const std::vector<std::string> settings = {"run.precision=bf16", "trainer.max_steps=12",
                                             "model.dropout=0", "trainer.validate_every_n_epochs=0",
                                             "optim.ema_decay=0.7"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), settings.begin(), settings.end());
    return more;
  };
  Session judged(with({"trainer.validate_every_n_steps=4"}), folder / "judged");
  trainer::Values seen;
  judged.trainer->add(
      trainer::make_hook("see", trainer::HookPhase::after_eval, [&](trainer::HookContext& c) {
        if (c.state.attempted == 12 && c.dataset == "valid") seen = *c.values;
      }));
  judged.trainer->fit();
  Session quiet(with({"trainer.validate_every_n_steps=0", "trainer.training_metric=none",
                      "trainer.evaluate_at_end=false"}),
                folder / "quiet");
  quiet.trainer->fit();
  const auto file = [&](const char* run, const char* name) {
    return trainer::bytes_of(folder / run / "checkpoints/step_000000012" / name);
  };
  for (const char* name : {"model.safetensors", "ema.safetensors", "optimizer/main.safetensors"})
    EXPECT_EQ(file("judged", name), file("quiet", name)) << name;

  // The same numbers as of a model that never had other weights than the averages.
  Session plain(with({}));
  plain.trainer->load_weights(folder / "judged/checkpoints/step_000000012", /*averaged=*/true);
  const trainer::Values expected = plain.trainer->evaluate("valid");
  Session live(with({}));
  live.trainer->load_weights(folder / "judged/checkpoints/step_000000012", /*averaged=*/false);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen, expected);
  EXPECT_NE(live.trainer->evaluate("valid"), expected) << "there is a difference to be seen";
}

}  // namespace
}  // namespace gradus::cli
