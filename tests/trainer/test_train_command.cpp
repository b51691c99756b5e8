// gradus train, resume, eval and predict from outside: results, exit statuses, and what is left
// behind when a run is interrupted, runs into a full disk, or fails.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gradus/kernels/create.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/train_command.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/data/dataset.h"
#include "gradus/trainer/tasks/classify.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json result_of(const Said& said) { return json::parse(said.last_line(), nullptr, false); }

TEST_F(TrainCommand, trains_evaluates_and_predicts) {
  const Said trained = run(train("run", {"trainer.max_epochs=4"}));
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_EQ(trained.out.rfind(
                "starting fresh in " + (scratch / "run").string() + " on cpu, 1 thread\n", 0),
            0u)
      << trained.out;
  const json result = result_of(trained);
  EXPECT_EQ(result["event"], "result");
  EXPECT_EQ(result["status"], "done");
  EXPECT_EQ(result["step"], 92);
  EXPECT_EQ(result["epoch"], 4);
  EXPECT_GT(result["test/accuracy"], 0.8);
  EXPECT_NE(trained.out.find("\"seconds\": "), std::string::npos);
  EXPECT_EQ(trained.out.find(',', trained.out.find("\"seconds\": ")), std::string::npos) << "last";
  for (const char* file : {"config.toml", "metrics.csv", "metrics.jsonl", "timing.jsonl",
                           "starts.jsonl", ".lock_ckpt"})
    EXPECT_TRUE(fs::exists(scratch / "run" / file)) << file;
  EXPECT_FALSE(fs::exists(scratch / "run/.lock_running"));

  const Said evaluated = run({"eval", scratch / "run"});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  EXPECT_EQ(result_of(evaluated)["test/accuracy"], result["test/accuracy"]) << "the best weights";
  EXPECT_EQ(result_of(evaluated)["test/loss"], result["test/loss"]);
  const Said one = run({"eval", scratch / "run", "--data", "valid"});
  EXPECT_FALSE(result_of(one).contains("test/loss"));
  EXPECT_EQ(result_of(one)["valid/loss"], result["best/valid/loss"]);
  EXPECT_EQ(run({"eval", scratch / "run", "--data", "nothing"}).status, 2);

  // Two samples with their class, then without it: the same predictions.
  const std::string a =
      "0,0,5,13,9,1,0,0,0,0,13,15,10,15,5,0,0,3,15,2,0,11,8,0,0,4,12,0,0,8,8,0,0,5,8,0,"
      "0,9,8,0,0,4,11,0,1,12,7,0,0,2,14,5,10,12,0,0,0,0,6,13,10,0,0,0";
  std::ofstream(scratch / "with.csv") << a << ",0\n" << a << ",0\n";
  std::ofstream(scratch / "without.csv") << a << "\n" << a << "\n";
  const Said with = run({"predict", scratch / "run", scratch / "with.csv"});
  const Said without = run({"predict", scratch / "run", scratch / "without.csv"});
  EXPECT_EQ(with.status, 0) << with.err;
  EXPECT_EQ(with.out, without.out);
  EXPECT_EQ(with.out.rfind("argmax,y0,y1,", 0), 0u);
  EXPECT_NE(with.out.find("\n0,0."), std::string::npos) << "it is a nought: " << with.out;
  const fs::path out = scratch / "p.safetensors";
  EXPECT_EQ(run({"predict", scratch / "run", scratch / "with.csv", "-o", out}).status, 0);
  EXPECT_EQ(load_safetensors(out).at("predictions").shape(), (Shape{2, 10}));
  EXPECT_EQ(run({"predict", scratch / "run", scratch / "with.csv", "-o", "x.png"}).status, 2);
  std::ofstream(scratch / "short.csv") << "1,2,3\n";
  const Said wrong = run({"predict", scratch / "run", scratch / "short.csv"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("do not fit a model of (1, 8, 8)"), std::string::npos) << wrong.err;
}

TEST_F(TrainCommand, signals_save_and_the_resumed_run_is_the_uninterrupted_one) {
  const std::vector<std::string> settings = {"trainer.max_epochs=6", "log.every_n_steps=1"};
  ASSERT_EQ(run(train("whole", settings)).status, 0);
  const std::string whole = traces("whole");
  int at_signal = 0;
  for (const int signal : {SIGTERM, SIGINT, SIGKILL}) {
    const std::string name = "run" + std::to_string(signal);
    std::vector<std::string> given = settings;
    given.push_back("checkpoint.every_n_steps=10");
    const fs::path rows = scratch / name / "metrics.csv";
    const int status = run_apart(
        train(name, given), [] {},
        [&](pid_t child) {
          for (int i = 0; i < 20000 && text_of(rows).size() < 2000; ++i) usleep(500);
          kill(child, signal);
        });
    EXPECT_EQ(status, signal == SIGKILL ? -SIGKILL : signal == SIGINT ? 130 : 75);
    ASSERT_GT(newest(name), 0);
    at_signal += newest(name) < 138;
    const Said resumed = run({"resume", scratch / name, "--set", "checkpoint.every_n_steps=0"});
    EXPECT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_EQ(resumed.out.rfind("resuming ", 0), 0u) << resumed.out;
    EXPECT_EQ(traces(name), whole) << "signal " << signal;
  }
  EXPECT_GE(at_signal, 1) << "no run was interrupted before its end: the test shows nothing";
}

TEST_F(TrainCommand, a_running_directory_and_a_lost_history_are_refused) {
  trainer::Locks holder(trainer::Files::system(), scratch / "run");
  holder.add(trainer::LockType::running);
  const Said refused = run(train("run"));
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("held by process " + std::to_string(getpid())), std::string::npos)
      << refused.err;
  holder.remove(trainer::LockType::running);
  ASSERT_EQ(run(train("run", {"trainer.max_steps=5"})).status, 0);
  Words none = train("run");
  none.insert(none.end(), {"--resume", "none"});
  EXPECT_EQ(run(none).status, 2);
  std::ofstream(scratch / "run/checkpoints/step_000000005/state.json") << "?";
  const Said damaged = run(train("run"));
  EXPECT_EQ(damaged.status, 2);
  EXPECT_NE(damaged.err.find("none of the 1 checkpoints is good"), std::string::npos)
      << damaged.err;
  EXPECT_EQ(run({"resume", scratch / "run"}).status, 2);
  EXPECT_EQ(run({"resume", scratch / "nowhere"}).status, 2);
}

TEST_F(TrainCommand, goes_back_to_a_named_checkpoint) {
  std::vector<std::string> settings = {
      "trainer.max_steps=30",     "checkpoint.every_n_steps=10",
      "checkpoint.keep_all=true", "trainer.evaluate_at_end=false",
      "log.every_n_steps=1",      "trainer.validate_every_n_epochs=0"};
  ASSERT_EQ(run(train("run", settings)).status, 0);
  const std::string before = traces("run");
  Words again = train("run", settings);
  again.insert(again.end(), {"--resume", scratch / "run/checkpoints/step_000000010"});
  const Said resumed = run(again);
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(resumed.out.rfind("resuming at " + (scratch / "run").string(), 0), 0u) << resumed.out;
  EXPECT_EQ(traces("run"), before);
}

TEST_F(TrainCommand, wrong_input_is_one_line_and_leaves_no_directory) {
  const auto refused = [&](const std::string& setting, const std::string& part) {
    const Said said = run(train("none", {setting}));
    EXPECT_EQ(said.status, 2) << setting;
    EXPECT_EQ(said.out, "");
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
    EXPECT_NE(said.err.find(part), std::string::npos) << said.err;
    EXPECT_FALSE(fs::exists(scratch / "none"));
  };
  refused("run.device=cuda:99", has_cuda ? "there is no CUDA device" : "this build has no CUDA");
  refused("run.device=tpu", "is not auto, cpu or cuda:N");
  refused("task.type=classfy", "unknown task \"classfy\"; there are: classify");
  refused("data.train.path=/no/such.csv", "/no/such.csv");
  refused("run.precision=half", "\"half\" is not one of f32, f64, bf16, fp16");
  refused("trainer.freeze=[\"nothing.*\"]",
          "\"nothing.*\" matches no parameter; there are 1.weight, 1.bias");
  refused("trainer.freeze=[\"*\"]", "trainer.freeze: leaves no parameter to train");
  refused("optim.betas=[0.9, 1]", "optim.betas: expected numbers from 0 to below 1");
  refused("checkpoint.warm_start.include=[\"a.*\"]", "but not from where: set its path");
  refused("model.hiden=[3]", "did you mean \"model.hidden\"?");
  std::ofstream(scratch / "broken.csv") << "1,2\n3,x\n";
  refused("data.train.path=" + (scratch / "broken.csv").string(), "broken.csv");
}

TEST_F(TrainCommand, a_full_disk_is_status_4_and_keeps_what_was_saved) {
  ASSERT_EQ(run(train("run", {"trainer.max_steps=5"})).status, 0);
  const int status = run_apart(train("run", {"trainer.max_steps=9"}), [] {
    const rlimit limit{8192, 8192};  // no file may grow beyond: as on a full disk
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  EXPECT_EQ(status, 4);
  EXPECT_EQ(newest("run"), 5);
  EXPECT_EQ(run(train("run", {"trainer.max_steps=9"})).status, 0) << "the next one works";
  EXPECT_EQ(newest("run"), 9);
  EXPECT_EQ(run({"train", digits, "--set", "run.directory=/proc/nowhere"}).status, 4);
}

TEST_F(TrainCommand, divergence_is_status_3) {
  const Said said = run(train("run", {"optim.lr=1e30", "schedule.warmup=0", "log.every_n_steps=1",
                                      "optim.max_grad_norm=0", "trainer.max_epochs=2"}));
  EXPECT_EQ(said.status, 3) << said.err;
  EXPECT_EQ(result_of(said)["status"], "diverged");
}

/// A task of a user's: the stock one, that throws at its n-th step.
Tasks failing_at(int n) {
  struct Failing : trainer::Task {
    Failing(std::shared_ptr<trainer::Task> task, int n) : task(std::move(task)), left(n) {}
    nn::Module& module() override { return task->module(); }
    std::optional<trainer::StepResult> step(const trainer::Batch& batch,
                                            const trainer::State& state) override {
      if (--left == 0) throw std::runtime_error("the user's code\nfailed");
      return task->step(batch, state);
    }
    trainer::StepResult evaluate(const trainer::Batch& batch, std::string_view set) override {
      return task->evaluate(batch, set);
    }
    std::shared_ptr<trainer::Task> task;
    int left;
  };
  return {{"mine", [n](trainer::Config& config, const auto& data) {
             return std::make_shared<Failing>(trainer::make_classify(config, data), n);
           }}};
}

TEST_F(TrainCommand, a_failing_task_saves_the_last_finished_step) {
  const std::vector<std::string> settings = {"task.type=mine", "trainer.max_steps=40",
                                             "trainer.accumulate=2", "log.every_n_steps=40"};
  ASSERT_EQ(run(train("whole", settings), failing_at(0)).status, 0);
  const Said failed = run(train("run", settings), failing_at(33));  // in the middle of step 17
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(failed.err, "gradus: the user's code failed\n");
  EXPECT_NE(failed.out.find("saved step 16\n"), std::string::npos) << failed.out;
  EXPECT_EQ(newest("run"), 16);
  EXPECT_FALSE(fs::exists(scratch / "run/.lock_running"));
  ASSERT_EQ(run(train("run", settings), failing_at(0)).status, 0);
  const auto model = [&](const char* name) {
    return text_of(scratch / name / "checkpoints/step_000000040/model.safetensors");
  };
  EXPECT_FALSE(model("run").empty());
  EXPECT_EQ(model("run"), model("whole")) << "the broken window was done again";
}

TEST_F(TrainCommand, warm_start_reports_and_refuses_nothing_loaded) {
  ASSERT_EQ(run(train("first", {"trainer.max_steps=20"})).status, 0);
  const std::string path = "checkpoint.warm_start.path=" + (scratch / "first").string();
  const Said warm = run(train("second", {"trainer.max_steps=1", path}));
  EXPECT_EQ(warm.status, 0) << warm.err;
  EXPECT_EQ(warm.out.rfind("starting from the weights of ", 0), 0u) << warm.out;
  EXPECT_NE(warm.out.find("\nloaded 4 of 4 tensors\n"), std::string::npos) << warm.out;
  const Said other = run(train("third", {"trainer.max_steps=1", path, "model.hidden=[64]"}));
  EXPECT_NE(other.out.find("loaded 1 of 4 tensors; 3 missing: "), std::string::npos)
      << other.out << other.err;
  EXPECT_NE(other.out.find("3 of another shape: "), std::string::npos) << other.out;
  const Said none = run(
      train("fourth", {"trainer.max_steps=1", path, "checkpoint.warm_start.include=[\"x.*\"]"}));
  EXPECT_EQ(none.status, 2);
  EXPECT_NE(none.err.find("loaded 0 of 4 tensors"), std::string::npos) << none.err;
}

TEST_F(TrainCommand, a_run_differs_from_its_configuration_in_what_was_set_only) {
  ASSERT_EQ(run(train("run", {"trainer.max_steps=2"})).status, 0);
  const Said said = run({"diff", (scratch / "run").string(), digits});
  EXPECT_EQ(said.status, 0) << said.err;
  for (const char* key : {"task.", "model.", "a resume refuses"})
    EXPECT_EQ(said.out.find(key), said.out.npos) << said.out;
  EXPECT_NE(said.out.find("- trainer.max_steps = 2"), said.out.npos) << said.out;
}

TEST_F(TrainCommand, the_end_of_a_run_is_validated_once_whoever_resumes_it) {
  ASSERT_EQ(run(train("run", {"trainer.max_steps=30"})).status, 0);
  const std::string rows = text_of(scratch / "run/metrics.csv");
  EXPECT_NE(rows.find("\n30,1,"), rows.npos) << rows;
  const Said again = run({"resume", (scratch / "run").string()});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(text_of(scratch / "run/metrics.csv"), rows);
}

/// What was best before comes along into a new directory.
TEST_F(TrainCommand, the_best_checkpoint_follows_a_run_that_is_resumed_elsewhere) {
  const Words settings = {"trainer.max_epochs=2", "trainer.direction=max",
                          "trainer.training_metric=valid/loss"};  // the first is the best
  ASSERT_EQ(run(train("first", settings)).status, 0);
  Words words = train("second", settings);
  words.insert(words.end(),
               {"--set", "trainer.max_epochs=3", "--resume",
                fs::canonical(scratch / "first/checkpoints" /
                              text_of(scratch / "first/checkpoints/newest").substr(0, 14))
                    .string()});
  const Said second = run(words);
  ASSERT_EQ(second.status, 0) << second.err;
  const std::string best = text_of(scratch / "second/checkpoints/best");
  EXPECT_EQ(best, text_of(scratch / "first/checkpoints/best"));
  EXPECT_EQ(run({"eval", (scratch / "second/checkpoints/best").string()}).status, 0);
  EXPECT_EQ((second.out + second.err).find("not kept"), second.err.npos) << second.out;
}

TEST_F(TrainCommand, a_best_checkpoint_that_is_not_kept_leaves_no_pointer) {
  const Said said = run(train(
      "run", {"trainer.max_epochs=2", "checkpoint.keep_best=false", "checkpoint.keep_previous=0",
              "trainer.direction=max", "trainer.training_metric=valid/loss"}));
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_FALSE(fs::exists(scratch / "run/checkpoints/best"));
  EXPECT_NE((said.out + said.err).find("was not kept"), said.err.npos) << said.out;
}

TEST_F(TrainCommand, a_job_that_drew_its_seed_finds_it_with_its_directory) {
  setenv("RUN_DIR", (scratch / "base").c_str(), 1);
  setenv("SLURM_JOB_ID", "77", 1);
  setenv("SLURM_RESTART_COUNT", "0", 1);
  const Words three = {
      "train", digits, "--set", "run.seed=\"time\"", "--set", "trainer.max_steps=3"};
  Words five = three;
  five.back() = "trainer.max_steps=5";
  EXPECT_EQ(run(three).status, 0);
  setenv("SLURM_RESTART_COUNT", "1", 1);
  const Said second = run(five);
  for (const char* name : {"SLURM_JOB_ID", "SLURM_RESTART_COUNT", "RUN_DIR"}) unsetenv(name);
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(second.out.rfind("resuming " + (scratch / "base/run_0").string(), 0), 0u);
}

TEST_F(TrainCommand, the_environment_gives_base_and_job) {
  setenv("RUN_DIR", (scratch / "base").c_str(), 1);
  setenv("SLURM_JOB_ID", "17", 1);
  setenv("SLURM_RESTART_COUNT", "2", 1);
  EXPECT_EQ(job_from_environment().id, "17");
  EXPECT_EQ(job_from_environment().restarts, 2);
  const Words words = {"train", digits, "--set", "trainer.max_steps=3"};
  EXPECT_EQ(run(words).status, 0);
  EXPECT_TRUE(fs::exists(scratch / "base/run_0/config.toml"));
  EXPECT_EQ(run(words).status, 0);
  EXPECT_TRUE(fs::exists(scratch / "base/run_1/config.toml")) << "a second run of the same job";
  setenv("SLURM_RESTART_COUNT", "3", 1);
  for (const char* own : {"base/run_0", "base/run_1"})
    EXPECT_EQ(run(words).out.rfind("resuming " + (scratch / own).string(), 0), 0u)
        << "a job that was started again finds what it had, run by run";
  setenv("SLURM_JOB_ID", "18", 1);
  EXPECT_EQ(run(words).status, 0);
  EXPECT_TRUE(fs::exists(scratch / "base/run_2/config.toml"));
  for (const char* name : {"SLURM_JOB_ID", "SLURM_RESTART_COUNT"}) unsetenv(name);
  setenv("PBS_JOBID", "19.server", 1);
  for (const char* next : {"base/run_3", "base/run_4"}) {
    EXPECT_EQ(run(words).status, 0);
    EXPECT_TRUE(fs::exists(scratch / next)) << "what is finished is nothing to go on with";
  }
  for (const char* name : {"RUN_DIR", "PBS_JOBID"}) unsetenv(name);
}

}  // namespace
}  // namespace gradus::cli
