// The edges of a run: breaks where no step is under way, several losses, hooks of one name, keys in
// any order, a trainer that fits twice.
#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/optim/optim.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/digits.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/checkpoint/store.h"

namespace gradus::trainer {
namespace {

using EdgesTest = DigitsTest;

/// Two losses, of which the second counts half: 10 + 0.5 x 4.
struct TwoLosses final : Task {
  struct Net final : nn::Module {
    Tensor a = ones({1}, {.requires_grad = true});
    void visit(nn::Visitor& v) override { v("a", a); }
  } net;
  std::string second = "b";
  nn::Module& module() override { return net; }
  std::optional<StepResult> step(const Batch&, const State&) override {
    StepResult result;
    result.losses.push_back({"a", sum(net.a) * 0.0 + 10});
    result.losses.push_back({second, sum(net.a) * 0.0 + 4, 0.5});
    return result;
  }
};

std::unique_ptr<Trainer> trainer_of(std::shared_ptr<Task> task,
                                    const std::vector<std::string>& settings) {
  const Config config = parse_config(digits(), "test.toml", ".", settings);
  return std::make_unique<Trainer>(config, std::move(task), open_datasets(config));
}

TEST_F(EdgesTest, SeveralLossesAreLoggedAsTheirSum) {
  const auto trainer =
      trainer_of(std::make_shared<TwoLosses>(), {"trainer.max_steps=7", "log.csv=true"});
  fs::create_directories(folder);
  trainer->use_directory(folder);
  const Result result = trainer->fit();
  EXPECT_EQ(*find(result.last, "valid/loss"), 12);
  EXPECT_EQ(*find(result.last, "valid/b"), 4);
  EXPECT_NE(bytes_of(folder / "metrics.jsonl").find("\"train/loss\": 12,"), std::string::npos);
  const auto wrong = std::make_shared<TwoLosses>();
  wrong->second = "loss";
  EXPECT_THROW(trainer_of(wrong, {})->fit(), Error);
}

/// Throws B when it is run for the n-th time.
template <class B>
std::shared_ptr<Hook> breaks(HookPhase phase, int nth = 1) {
  return make_hook("break", phase, [nth, count = 0](HookContext&) mutable {
    if (++count == nth) throw B{};
  });
}

TEST_F(EdgesTest, BreaksOutsideOfStepsEndWhatThrewThem) {
  const std::vector<std::string> settings = {"trainer.max_steps=30",
                                             "trainer.evaluate_at_start=true"};
  const auto steps = [&](std::shared_ptr<Hook> hook) {
    Session run(settings);
    run.trainer->add(std::move(hook));
    const Result result = run.trainer->fit();
    EXPECT_EQ(result.status, "done");
    return result.state.attempted;
  };
  EXPECT_EQ(steps(breaks<BreakStep>(HookPhase::training_start)), 30);
  EXPECT_EQ(steps(breaks<BreakEpoch>(HookPhase::training_start)), 30);
  EXPECT_EQ(steps(breaks<BreakAllEpochs>(HookPhase::training_start)), 0);
  EXPECT_EQ(steps(breaks<BreakStep>(HookPhase::epoch_start)), 30);
  EXPECT_EQ(steps(breaks<BreakStep>(HookPhase::before_eval)), 30) << "of the one at the start";
  EXPECT_EQ(steps(breaks<BreakStep>(HookPhase::before_eval, 3)), 30) << "of the last weights";
  EXPECT_EQ(steps(breaks<BreakAllEpochs>(HookPhase::before_eval, 4)), 30) << "of the test";
  EXPECT_EQ(steps(breaks<BreakAllEpochs>(HookPhase::training_end)), 30);
}

TEST_F(EdgesTest, ABreakInAValidationLeavesThePhaseOfTraining) {
  Session run({"trainer.max_steps=4", "trainer.validate_every_n_steps=2"});
  run.trainer->add(breaks<BreakStep>(HookPhase::after_eval_step));
  std::vector<Phase> phases;
  run.trainer->add(make_hook("watch", HookPhase::after_loss,
                             [&](HookContext& c) { phases.push_back(c.state.phase); }));
  run.trainer->fit();
  EXPECT_EQ(phases, std::vector<Phase>(4, Phase::train));
}

TEST_F(EdgesTest, ARequestToStopIsOfOneFit) {
  Session run({"trainer.max_steps=9"});
  run.trainer->add(make_hook("stop", HookPhase::step_end, [&](HookContext& c) {
    if (c.state.attempted == 4) run.trainer->request_stop();
  }));
  EXPECT_EQ(run.trainer->fit().status, "partial");
  const Result rest = run.trainer->fit();
  EXPECT_EQ(rest.status, "done");
  EXPECT_EQ(rest.state.attempted, 9);
}

/// Remembers a word.
struct Keeper final : Hook {
  explicit Keeper(std::string word) : word(std::move(word)) {}
  std::string name() const override { return "keeper"; }
  HookPhase phase() const override { return HookPhase::step_end; }
  void run(HookContext&) override {}
  std::string save() const override { return word; }
  void load(const std::string& text) override { word = text; }
  std::string word;
};

TEST_F(EdgesTest, HooksOfOneNameKeepAStateEach) {
  const auto a = std::make_shared<Keeper>("A"), b = std::make_shared<Keeper>("B");
  {
    Session run({"trainer.max_steps=2"}, folder);
    run.trainer->add(a);
    run.trainer->add(b);
    run.trainer->fit();
  }
  const auto c = std::make_shared<Keeper>(""), d = std::make_shared<Keeper>("");
  Session again({"trainer.max_steps=2"});
  again.trainer->add(c);
  again.trainer->add(d);
  again.trainer->load(CheckpointStore(Files::system(), folder / "checkpoints").path_of(2));
  EXPECT_EQ(c->word, "A");
  EXPECT_EQ(d->word, "B");
}

TEST_F(EdgesTest, ACheckpointInsideAScopeOfTheAverageHasTheWeightsThatTrain) {
  Session run({"trainer.max_steps=12", "trainer.evaluate_at_end=false"}, folder);
  run.trainer->fit();
  const auto weights = [&] {
    return run.trainer->task().module().parameters()[0].to_vector<float>();
  };
  const auto live = weights();
  fs::remove_all(folder / "checkpoints");
  {
    const auto scope = run.trainer->optimizer().ema();
    const auto averaged = weights();
    ASSERT_NE(averaged, live);
    run.trainer->save();
    EXPECT_EQ(weights(), averaged) << "as it was before";
  }
  EXPECT_EQ(weights(), live);
  const auto saved = load_safetensors(folder / "checkpoints/step_000000012/model.safetensors");
  EXPECT_EQ(saved.at(run.trainer->task().module().parameters()[0].name).to_vector<float>(), live);
}

using EvaluationOnly = SayingTest;

TEST_F(EvaluationOnly, MissesNoBestCheckpoint) {
  const std::string set =
      "path = \"" GRADUS_SOURCE_DIR "/examples/data/digits.csv.gz\"\nshape = [1, 8, 8]\n";
  Config config = parse_config(
      "[data.valid]\n" + set + "[data.test]\n" + set + "[model]\ntype = \"mlp\"\nhidden = [8]\n",
      "test.toml", ".");
  auto data = open_datasets(config);
  auto task = make_classify(config, data);
  Trainer trainer(config, task, data);
  fs::create_directories(folder);
  trainer.use_directory(folder);
  const Result result = trainer.fit();
  EXPECT_NE(find(result.last, "test/loss"), nullptr);
  EXPECT_EQ(said.find("was not kept"), said.npos) << said;
}

TEST(Edges, KeysMeanTheSameInAnyOrder) {
  const Config config = parse_config(
      "[[optim.groups]]\nname = 'a'\nparameters = ['*']\n[optim.dynamic_clip]\nwindow = 50\n[data."
      "train]\npath = 'x.csv'\n[trainer]\nmax_steps = 1\n",
      "test.toml", ".", {"optim.lr=0.5", "optim.weight_decay=0.25"});
  EXPECT_EQ(config.optim.groups.at(0).lr, 0.5);
  EXPECT_EQ(config.optim.groups.at(0).weight_decay, 0.25);
  EXPECT_EQ(config.optim.dynamic_clip.quantile, 0.9) << "who names the table wants it";
  EXPECT_EQ(parse_config("[trainer]\nmax_steps = 1\ncuda_graph = true\n[data.train]\npath = 'x'\n",
                         "test.toml", ".")
                .data.at("train")
                .drop_last,
            true);
}

/// Brings its own data, schedule and optimizer.
struct Builder final : Task {
  TwoLosses inner;
  nn::Module& module() override { return inner.net; }
  std::optional<StepResult> step(const Batch& batch, const State& state) override {
    sizes.push_back(batch.size);
    return inner.step(batch, state);
  }
  std::map<std::string, std::shared_ptr<const Dataset>> build_data() override {
    return {{"train", std::make_shared<TensorDataset>(std::vector<TensorDataset::Column>{
                          {{"x", {1}, Dtype::f32}, zeros({5, 1})}})}};
  }
  std::optional<optim::Schedule> build_schedule(const std::string&, double per_epoch,
                                                double) override {
    steps_per_epoch = per_epoch;
    return optim::schedule::exponential(0.5);
  }
  std::unique_ptr<optim::Optimizer> build_optimizer(const std::string& name,
                                                    const std::vector<optim::Group>& groups,
                                                    const optim::Schedule& schedule) override {
    EXPECT_EQ(name, "main");
    optim::SGDOptions options{.lr = 8};
    options.schedule = schedule;
    return std::make_unique<optim::SGD>(groups, options);
  }
  std::vector<std::int64_t> sizes;
  double steps_per_epoch = 0;
};

TEST_F(EdgesTest, ATaskMayBringItsOwnDataScheduleAndOptimizer) {
  const Config config = parse_config("[trainer]\nmax_steps = 3\n[data.train]\npath = 'x'\n",
                                     "test.toml", ".", {"data.train.batch_size=5"});
  const auto task = std::make_shared<Builder>();
  Trainer trainer(config, task, {});
  EXPECT_EQ(trainer.fit().state.attempted, 3);
  EXPECT_EQ(task->sizes, (std::vector<std::int64_t>{5, 5, 5}));
  EXPECT_EQ(task->steps_per_epoch, 1);
  EXPECT_EQ(trainer.optimizer().last_lr(), 2) << "8, 4, 2";
  EXPECT_EQ(trainer.optimizer().lr(), 1);
}

}  // namespace
}  // namespace gradus::trainer
