// A run under a cluster's scheduler: told to leave, requeued, started again on another node. The
// scheduler is a few lines of shell here; a node is a host name and a boot id in a lock.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "gradus/tests/trainer/train_command.h"
#include "gradus/trainer/run/command.h"
#include "gradus/trainer/run/lock.h"
#include "gradus/trainer/tasks/classify.h"

namespace gradus::cli {
namespace {

using nlohmann::json;

/// The stock task, which sends its own process `signals` in the middle of one step.
Tasks told(std::int64_t at_step, std::vector<int> signals) {
  struct Told : trainer::Task {
    std::shared_ptr<trainer::Task> task;
    std::int64_t at_step = 0;
    std::vector<int> signals;
    nn::Module& module() override { return task->module(); }
    std::optional<trainer::StepResult> step(const trainer::Batch& batch,
                                            const trainer::State& state) override {
      if (state.attempted == at_step)
        for (const int signal : signals) ::kill(getpid(), signal);
      return task->step(batch, state);
    }
    trainer::StepResult evaluate(const trainer::Batch& batch, std::string_view set) override {
      return task->evaluate(batch, set);
    }
  };
  return {{"mine", [=](trainer::Config& config, const auto& data) {
             auto task = std::make_shared<Told>();
             task->task = trainer::make_classify(config, data);
             task->at_step = at_step;
             task->signals = signals;
             return task;
           }}};
}

struct Requeue : TrainCommand {
  const std::vector<std::string> settings = {"task.type=mine", "trainer.max_steps=12",
                                             "log.every_n_steps=1"};
  std::vector<std::string> with(std::vector<std::string> more) const {
    more.insert(more.begin(), settings.begin(), settings.end());
    return more;
  }
  void TearDown() override {
    for (const char* name : {"SLURM_JOB_ID", "SLURM_RESTART_COUNT"}) unsetenv(name);
  }
  static void start_of_job(const char* restarts) {
    setenv("SLURM_JOB_ID", "4711", 1);
    setenv("SLURM_RESTART_COUNT", restarts, 1);
  }
};

TEST_F(Requeue, the_command_runs_once_the_save_is_durable_and_the_directory_free) {
  // The scheduler notes what it finds at the moment at which it is called.
  const fs::path scheduler = scratch / "scontrol", notes = scratch / "notes";
  std::ofstream(scheduler) << "#!/bin/sh\n{ echo \"$@\"; cat '" << (scratch / "run").string()
                           << "/checkpoints/newest'; ls -a '" << (scratch / "run").string()
                           << "' | grep -c lock_running; } >> '" << notes.string() << "'\n";
  ASSERT_EQ(chmod(scheduler.c_str(), 0700), 0);
  const auto queued =
      with({"run.requeue_command=" + scheduler.string() + " requeue $SLURM_JOB_ID"});
  ASSERT_EQ(run(train("whole", settings), told(-1, {})).status, 0);
  start_of_job("0");
  const Said first = run(train("run", queued), told(4, {SIGUSR1}));
  EXPECT_EQ(first.status, 75) << first.err;
  EXPECT_EQ(json::parse(first.last_line())["signal"], "SIGUSR1") << "the one that came";
  EXPECT_EQ(text_of(notes), "requeue 4711\nstep_000000005\n0\n");
  start_of_job("1");
  const Said second = run(train("run", queued), told(-1, {}));
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(traces("run"), traces("whole"));
  EXPECT_EQ(text_of(notes).size(), std::string("requeue 4711\nstep_000000005\n0\n").size())
      << "nothing is requeued at the end";
  const Said interrupted = run(train("by_hand", queued), told(4, {SIGINT}));
  EXPECT_EQ(interrupted.status, 130);
  EXPECT_EQ(text_of(notes).find("requeue", 5), std::string::npos) << "nor what a person stopped";

  const Said broken =
      run(train("broken", with({"run.requeue_command=exit 3"})), told(4, {SIGTERM}));
  EXPECT_EQ(broken.status, 75) << "it is saved all the same";
  EXPECT_EQ(json::parse(broken.last_line())["signal"], "SIGTERM");
  EXPECT_NE(broken.err.find("run.requeue_command: exit status 3: exit 3\n"), broken.err.npos)
      << broken.err;
}

TEST_F(Requeue, a_job_that_died_with_its_node_goes_on_upon_another) {
  const auto based = [&] {
    Words words = {"train", digits};
    for (const std::string& setting : with({"run.base=" + (scratch / "base").string(),
                                            "run.threads=1", "checkpoint.every_n_steps=3"}))
      words.insert(words.end(), {"--set", setting});
    return words;
  };
  ASSERT_EQ(run(train("whole", settings), told(-1, {})).status, 0);
  start_of_job("0");
  EXPECT_EQ(run_apart(
                based(), [] {}, {}, told(7, {SIGKILL})),
            -SIGKILL);
  // What the next node sees on the shared disk: a lock of another host and boot, just refreshed.
  const fs::path lock = scratch / "base/run_0/.lock_running";
  auto holder = trainer::parse_holder(text_of(lock));
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->job, "4711");
  holder->host = "node-17";
  holder->boot = "5e1f0e52-another-boot";
  std::ofstream(lock) << trainer::holder_text(*holder) << "\n";
  start_of_job("0");
  const Said twice = run(based(), told(-1, {}));
  EXPECT_EQ(twice.status, 0) << twice.err;
  EXPECT_TRUE(fs::exists(scratch / "base/run_1/config.toml"))
      << "the same start of the job again: another run of it";
  start_of_job("1");
  const Said again = run(based(), told(-1, {}));
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out.rfind("resuming " + (scratch / "base/run_0").string() + " at step 6", 0), 0u)
      << again.out;
  fs::rename(scratch / "base/run_0", scratch / "found");
  EXPECT_EQ(traces("found"), traces("whole"));
}

TEST_F(Requeue, waits_before_it_leaves_if_asked_to) {
  const auto seconds = [&](const std::string& name, const char* wait, std::vector<int> signals) {
    const auto began = std::chrono::steady_clock::now();
    run(train(name, with({std::string("run.signals.wait=") + wait})), told(2, std::move(signals)));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  EXPECT_GE(seconds("told", "0.6", {SIGTERM}), 0.6);
  EXPECT_LT(seconds("done", "60", {}), 60) << "a run that is done does not wait";
}

TEST_F(Requeue, a_second_signal_leaves_at_once_and_spoils_nothing) {
  ASSERT_EQ(run(train("whole", settings), told(-1, {})).status, 0);
  const int status = run_apart(
      train("run", with({"checkpoint.every_n_steps=2"})), [] {}, {}, told(5, {SIGUSR1, SIGTERM}));
  EXPECT_EQ(status, 128 + SIGTERM);
  EXPECT_EQ(newest("run"), 4) << "what was saved before";
  EXPECT_EQ(run(train("run", settings), told(-1, {})).status, 0) << "nobody has to remove a lock";
  EXPECT_EQ(traces("run"), traces("whole"));
}

TEST_F(Requeue, the_record_names_commit_libraries_machine_and_job) {
  const fs::path project = scratch / "project";
  fs::create_directories(project / "configs");
  std::ofstream(project / "configs/c.toml") << text_of(digits);
  const std::string git = "git -C " + project.string() + " -c user.name=a -c user.email=a@b ";
  const auto start = [&](int steps) {
    start_of_job("0");
    const Said said =
        run({"train", (project / "configs/c.toml").string(), "--set",
             "run.directory=" + (scratch / "run").string(), "--set",
             "trainer.max_steps=" + std::to_string(steps), "--set",
             "data.train.path=" + std::string(GRADUS_SOURCE_DIR) + "/examples/data/digits.csv.gz"});
    EXPECT_EQ(said.status, 0) << said.err;
    const std::string all = text_of(scratch / "run/starts.jsonl");
    const std::size_t last = all.rfind('\n', all.size() - 2);
    return json::parse(all.substr(last == all.npos ? 0 : last + 1));
  };
  EXPECT_EQ(start(1)["git"], "") << "no repository: nothing to name";
  if (trainer::run_command("cd " + project.string() + " && " + git + "init -q . && " + git +
                           "add . && " + git + "commit -qm first") != "")
    GTEST_SKIP() << "no git";
  const json clean = start(2);
  const std::string commit = clean["git"];
  EXPECT_EQ(commit.size(), 40u) << commit;
  std::ofstream(project / "configs/c.toml", std::ios::app) << "# changed\n";
  EXPECT_EQ(start(3)["git"], commit + " (changed)");
  EXPECT_NE(clean["libraries"].get<std::string>().find("xxHash"), std::string::npos);
  EXPECT_EQ(clean["job"], "4711");
  EXPECT_EQ(clean["device"].get<std::string>().rfind("cpu", 0), 0u);
  EXPECT_GT(clean["cores"], 0);
  EXPECT_NE(clean["build"].get<std::string>().find("gradus"), std::string::npos);
}

TEST(Command, its_output_and_its_failure) {
  EXPECT_EQ(trainer::output_of({"printf", "%s", "a b"}), "a b");
  EXPECT_FALSE(trainer::output_of({"/no/such/program"}));
  EXPECT_FALSE(trainer::output_of({"false"}));
  EXPECT_EQ(trainer::run_command("true"), "");
  EXPECT_EQ(trainer::run_command("exit 7"), "exit status 7");
  EXPECT_EQ(trainer::run_command("kill -9 $$"), "ended by signal 9");
}

}  // namespace
}  // namespace gradus::cli
