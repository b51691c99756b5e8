// What is asked of a run after it was begun: another configuration, its weights, its predictions;
// and what is found wrong before it begins.
#include "gradus/tests/trainer/train_command.h"

namespace gradus::cli {
namespace {

struct SecondThoughts : TrainCommand {
  Words on_run(const std::string& command, Words more = {}) {
    Words words = {command, (scratch / "run").string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  void damage(const std::string& step) {
    std::fstream file(scratch / "run/checkpoints" / step / "model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('?');
  }
  std::string path(const char* name) { return (scratch / name).string(); }
};

TEST_F(SecondThoughts, AChangeIsAllowedOnce) {
  ASSERT_EQ(run(train("run", {"trainer.max_steps=4"})).status, 0);
  const Said changed = run(on_run("resume", {"--allow-change", "optim.type", "--set",
                                             "optim.type=sgd", "--set", "optim.lr=0.1"}));
  EXPECT_EQ(changed.status, 0) << changed.err;
  EXPECT_EQ(newest("run"), 4) << "there was nothing left to be done";
  const Said longer = run(on_run("resume", {"--set", "trainer.max_steps=6"}));
  EXPECT_EQ(longer.status, 0) << longer.err;
  EXPECT_EQ(newest("run"), 6);
  EXPECT_EQ(run(on_run("resume", {"--set", "optim.type=adam"})).status, 2);
}

TEST_F(SecondThoughts, AResultTakesNoPlaceOfWhatIsNeeded) {
  ASSERT_EQ(run(train("run", {"trainer.max_steps=4"})).status, 0);
  const std::string input = path("in.csv");
  std::ofstream(input) << std::string(63 * 2, '0').replace(1, 1, ",");
  std::ofstream(input) << [] {
    std::string line = "0";
    for (int i = 1; i < 64; ++i) line += ",0";
    return line + "\n";
  }();
  const std::string before = text_of(input), rows = text_of(scratch / "run/metrics.csv");
  const std::string weights = "run/checkpoints/step_000000004/model.safetensors";
  const auto refused = [&](const Words& words, const std::string& why) {
    const Said said = run(words);
    EXPECT_EQ(said.status, 2);
    EXPECT_NE(said.err.find(why), std::string::npos) << said.err;
  };
  refused(on_run("predict", {input, "-o", input}), "is what would be read");
  fs::create_symlink(input, scratch / "link.csv");
  refused(on_run("predict", {input, "-o", path("link.csv")}), "is what would be read");
  refused(on_run("predict", {input, "-o", path("run/metrics.csv")}), "holds the rows of a run");
  refused(on_run("export", {"-o", path(weights.c_str())}), "is in a checkpoint");
  refused(on_run("export", {"-o", path("run/checkpoints/step_000000004/new.safetensors")}),
          "is in a checkpoint");
  refused(on_run("predict", {input, "--set", "data.train.path=" + path("data.csv.gz"), "-o",
                             path("data.csv")}),
          "data.csv.gz");
  EXPECT_EQ(text_of(input), before);
  EXPECT_EQ(text_of(scratch / "run/metrics.csv"), rows);
  EXPECT_EQ(run(on_run("inspect")).status, 0);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(run(on_run("predict", {input, "-o", path("out.csv")})).status, 0);
    EXPECT_EQ(run(on_run("export", {"-o", path("run/model.safetensors")})).status, 0);
  }
}

TEST_F(SecondThoughts, ACheckpointThatIsPassedOverIsTold) {
  ASSERT_EQ(run(train("run", {"trainer.max_steps=6", "trainer.validate_every_n_steps=2",
                              "trainer.direction=max", "checkpoint.every_n_steps=2",
                              "checkpoint.keep_all=true"}))
                .status,
            0);
  EXPECT_EQ(run(on_run("eval")).err, "");
  const std::string shown = run(on_run("inspect")).out;
  EXPECT_NE(shown.find("  best: step_000000002, valid/loss = "), std::string::npos) << shown;
  EXPECT_NE(shown.find("  last validation: valid/loss = "), std::string::npos) << shown;
  EXPECT_NE(run(on_run("eval", {"--data", "valid", "--data", "valid"})).err.find("given twice"),
            std::string::npos);
  damage("step_000000006");
  const Said newest = run(on_run("eval"));
  EXPECT_EQ(newest.status, 0);
  EXPECT_NE(newest.err.find("gradus: passed over step_000000006: "), std::string::npos);
  damage("step_000000002");  // of the loss that is largest
  const Said best = run(on_run("export", {"-o", path("weights.safetensors")}));
  EXPECT_EQ(best.status, 0);
  EXPECT_NE(best.err.find("gradus: passed over step_000000002, the best: "), std::string::npos)
      << best.err;
}

TEST_F(SecondThoughts, WhatDoesNotFitIsFoundBeforeTheFirstStep) {
  const std::string narrow = path("narrow.csv");
  std::string line = "0";
  for (int i = 1; i < 63; ++i) line += ",0";
  std::ofstream(narrow) << line << ",1\n" << line << ",2\n";
  const Said width = run(train("run", {"data.valid.from=''", "data.valid.fraction=0",
                                       "data.valid.shape=[1,7,9]", "data.valid.path=" + narrow}));
  EXPECT_EQ(width.status, 2);
  EXPECT_NE(width.err.find("data.valid: linear: x is (2, 63)"), std::string::npos) << width.err;
  const Said metric = run(train("run", {"trainer.training_metric=valid/acuracy"}));
  EXPECT_EQ(metric.status, 2);
  EXPECT_NE(metric.err.find("is not among the metrics of a validation: valid/loss valid/accuracy"),
            std::string::npos)
      << metric.err;
  EXPECT_FALSE(fs::exists(scratch / "run")) << "nothing was begun";
}

TEST_F(SecondThoughts, AnEvaluationIsSeenToGoOn) {
  const Said said = run(train("run", {"trainer.max_steps=2", "log.progress=lines",
                                      "log.every_n_seconds=1e-9", "data.valid.batch_size=90"}));
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_NE((said.out + said.err).find("step 2  evaluating valid 1/2\n"), std::string::npos)
      << said.out << said.err;
}

TEST_F(SecondThoughts, TheStepsAfterTheLastRowStandInTheEnds) {
  const std::vector<std::string> six = {"trainer.max_steps=6", "log.every_n_steps=4"};
  ASSERT_EQ(run(train("run", six)).status, 0);
  const std::string rows = text_of(scratch / "run/metrics.jsonl");
  const std::string end = rows.substr(rows.find("\"event\": \"end\""));
  EXPECT_NE(end.find("\"train/loss\": "), std::string::npos) << end;
  EXPECT_NE(end.find("\"test/loss\": "), std::string::npos) << end;
  // A run that goes on takes it back, and has the rows of one that never ended there.
  ASSERT_EQ(run(train("run", {"trainer.max_steps=9", "log.every_n_steps=4"})).status, 0);
  ASSERT_EQ(run(train("whole", {"trainer.max_steps=9", "log.every_n_steps=4"})).status, 0);
  EXPECT_EQ(traces("run"), traces("whole"));
  const Said diverged =
      run(train("diverged", {"optim.lr=1e30", "schedule.warmup=0", "optim.max_grad_norm=0"}));
  EXPECT_EQ(diverged.status, 3);
  EXPECT_NE(text_of(scratch / "diverged/metrics.csv").find(",end,"), std::string::npos);
}

}  // namespace
}  // namespace gradus::cli
