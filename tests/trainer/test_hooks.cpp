// Hooks: every place of a step in its order, gradients scaled for who reads and unscaled for who
// writes, modes that come back, what they save, and how a run is left.
#include <csignal>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

struct HooksTest : DigitsTest {};

const std::vector<std::pair<HookPhase, const char*>> places = {
    {HookPhase::training_start, "start"},
    {HookPhase::epoch_start, "epoch"},
    {HookPhase::batch, "batch"},
    {HookPhase::before_forward, "before_forward"},
    {HookPhase::after_forward, "after_forward"},
    {HookPhase::after_loss, "after_loss"},
    {HookPhase::before_optimizer_step, "before_update"},
    {HookPhase::after_optimizer_step, "after_update"},
    {HookPhase::step_end, "step_end"},
    {HookPhase::log, "log"},
    {HookPhase::log_images, "log_images"},
    {HookPhase::before_eval, "before_eval"},
    {HookPhase::before_eval_step, "eval_step"},
    {HookPhase::after_eval_step, "eval_step_end"},
    {HookPhase::after_eval, "after_eval"},
    {HookPhase::save, "save"},
    {HookPhase::load, "load"},
    {HookPhase::epoch_end, "epoch_end"},
    {HookPhase::training_end, "end"},
    {HookPhase::exit, "exit"},
};

TEST_F(HooksTest, EveryPlaceComesInTheOrderOfAStep) {
  Session run({"trainer.max_steps=1", "trainer.accumulate=2", "trainer.validate_every_n_steps=1",
               "data.valid.batch_size=500", "data.test.when=validation", "data.test.batch_size=500",
               "log.every_n_steps=1", "log.images=true"},
              folder);
  std::vector<std::string> seen;
  // Registered backwards: the order is that of the step.
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    run.trainer->add(make_hook(place->second, place->first,
                               [&seen, name = place->second](auto&) { seen.push_back(name); }));
  }
  run.trainer->fit();
  const std::vector<std::string> micro = {"batch", "before_forward", "after_forward", "after_loss"};
  const std::vector<std::string> set = {"before_eval", "eval_step", "eval_step_end", "after_eval"};
  std::vector<std::string> expected = {"start", "epoch"};
  for (const auto& part : {micro,
                           micro,
                           {"before_update", "after_update", "step_end", "log", "log_images"},
                           set,
                           set,
                           {"save", "end", "exit"}})
    expected.insert(expected.end(), part.begin(), part.end());
  EXPECT_EQ(seen, expected);
}

/// One number whose gradient is 3 a sample.
struct Slope final : Task {
  struct Net final : nn::Module {
    Tensor a = zeros({1}, {.requires_grad = true});
    void visit(nn::Visitor& v) override { v("a", a); }
  } net;
  nn::Module& module() override { return net; }
  std::optional<StepResult> step(const Batch&, const State&) override {
    StepResult result;
    result.losses.push_back({"loss", sum(net.a * 3)});
    return result;
  }
};

struct Writer final : Hook {
  explicit Writer(std::shared_ptr<Slope> t) : task(std::move(t)) {}
  std::string name() const override { return "writer"; }
  HookPhase phase() const override { return HookPhase::before_optimizer_step; }
  bool writes_gradients() const override { return true; }
  void run(HookContext&) override {
    seen.push_back(task->net.a.grad().item<float>());
    task->net.a.grad().fill_(5);
  }
  std::shared_ptr<Slope> task;
  std::vector<float> seen;
};

TEST_F(HooksTest, WhoWritesGradientsGetsThemUnscaled) {
  Config config =
      parse_config(digits(), "a.toml", ".",
                   {"trainer.max_steps=3", "optim.type=sgd", "optim.lr=1", "optim.weight_decay=0",
                    "optim.max_grad_norm=0", "schedule.warmup=0", "schedule.type=constant",
                    "trainer.training_metric=none", "data.train.batch_size=50",
                    "trainer.accumulate=2", "optim.loss_scale=1024", "optim.ema_decay=0"});
  const auto task = std::make_shared<Slope>();
  Trainer trainer(config, task, open_datasets(config));
  std::vector<float> before;
  trainer.add(make_hook(
      "reader", HookPhase::before_optimizer_step,
      [&](HookContext&) { before.push_back(task->net.a.grad().item<float>()); }, -1));
  const auto writer = std::make_shared<Writer>(task);
  trainer.add(writer);
  std::vector<double> norms;
  trainer.add(make_hook("norm", HookPhase::step_end, [&](HookContext& c) {
    norms.push_back(c.trainer.optimizer().grad_norm().item<double>());
  }));
  trainer.fit();
  // 100 samples of slope 3, in units of a power of two near the window's size, times the scale.
  EXPECT_EQ(before, (std::vector<float>(3, 3.0f * 100 / 64 * 1024)));
  EXPECT_EQ(writer->seen, std::vector<float>(3, 3));
  EXPECT_EQ(task->net.a.item<float>(), -15) << "three steps of what the hook wrote";
  EXPECT_EQ(norms, std::vector<double>(3, 5)) << "clipping comes after it";
}

TEST_F(HooksTest, AWindowThatIsDroppedAfterUnscalingLeavesNothing) {
  Config config =
      parse_config(digits(), "a.toml", ".",
                   {"trainer.max_steps=2", "optim.type=sgd", "optim.lr=1", "optim.weight_decay=0",
                    "optim.max_grad_norm=0", "schedule.warmup=0", "schedule.type=constant",
                    "trainer.training_metric=none", "data.train.batch_size=50"});
  const auto task = std::make_shared<Slope>();
  Trainer trainer(config, task, open_datasets(config));
  const auto writer = std::make_shared<Writer>(task);
  trainer.add(writer);
  bool once = false;
  trainer.add(make_hook(
      "break", HookPhase::before_optimizer_step,
      [&](HookContext& c) {
        if (c.state.attempted == 1 && !std::exchange(once, true)) throw BreakStep{};
      },
      1));
  const Result result = trainer.fit();
  EXPECT_EQ(result.state.attempted, 2);
  EXPECT_EQ(result.state.samples, 3 * 50) << "the dropped window's samples count as seen";
  EXPECT_EQ(writer->seen, std::vector<float>(3, 3)) << "no weight is left of the dropped window";
  EXPECT_EQ(task->net.a.item<float>(), -10);
}

TEST_F(HooksTest, AnErrorInAValidationLeavesModeAndWeightsAsInTraining) {
  Session run({"trainer.max_steps=4", "trainer.validate_every_n_steps=3"});
  nn::Module& module = run.trainer->task().module();
  std::vector<float> live, averaged;
  const auto weight = [&] { return module.parameters()[0].to_vector<float>(); };
  run.trainer->add(make_hook("live", HookPhase::step_end, [&](HookContext&) { live = weight(); }));
  run.trainer->add(make_hook("fail", HookPhase::after_eval_step, [&](HookContext& c) {
    EXPECT_FALSE(module.is_training());
    averaged = weight();
    EXPECT_THROW((void)c.trainer.optimizer().ema(), Error) << "a swap within a swap";
    throw std::runtime_error("no more");
  }));
  EXPECT_THROW(run.trainer->fit(), std::runtime_error);
  EXPECT_TRUE(module.is_training());
  EXPECT_NE(averaged, live);
  EXPECT_EQ(weight(), live);
}

TEST_F(HooksTest, ABatchMayBeReplacedAndStateIsSaved) {
  struct Counter final : Hook {
    std::string name() const override { return "counter"; }
    HookPhase phase() const override { return HookPhase::batch; }
    void run(HookContext& c) override {
      ++count;
      Batch other = *c.batch;
      for (auto& [field, t] : other.fields) t = t.narrow(0, 0, 8);
      other.size = 8;
      *c.batch = other;
    }
    std::string save() const override { return std::to_string(count); }
    void load(const std::string& text) override { count = std::stoi(text); }
    int count = 0;
  };
  const auto train = [&](const char* steps, std::int64_t* rows) {
    Session run({std::string("trainer.max_steps=") + steps}, folder);
    const auto counter = std::make_shared<Counter>();
    run.trainer->add(counter);
    if (fs::exists(folder / "checkpoints/step_000000003"))
      run.trainer->load(folder / "checkpoints/step_000000003");
    run.trainer->add(make_hook("rows", HookPhase::after_loss,
                               [&](HookContext& c) { *rows = c.result->losses[0].value.numel(); }));
    run.trainer->fit();
    return counter->count;
  };
  std::int64_t rows = 0;
  EXPECT_EQ(train("3", &rows), 3);
  EXPECT_EQ(rows, 8);
  EXPECT_EQ(train("5", &rows), 5) << "three of them from the checkpoint";
}

TEST_F(HooksTest, AtExitTheSignalIsToldOnce) {
  std::vector<int> signals;
  const auto watch = [&](Trainer& t) {
    t.add(make_hook("exit", HookPhase::exit, [&](HookContext& c) { signals.push_back(c.signal); }));
  };
  const auto end_by = [&](std::function<void(HookContext&)> f) {
    Session run({"trainer.max_steps=4"});
    watch(*run.trainer);
    run.trainer->add(make_hook("end", HookPhase::step_end, std::move(f)));
    return run.trainer->fit().status;
  };
  EXPECT_EQ(end_by([](HookContext&) {}), "done");
  EXPECT_EQ(end_by([](HookContext& c) { c.trainer.request_stop(SIGTERM); }), "requeue");
  EXPECT_EQ(end_by([](HookContext& c) { c.trainer.request_stop(); }), "partial")
      << "a program that stops a run has not failed";
  EXPECT_THROW(end_by([](HookContext&) { throw std::runtime_error("broken"); }),
               std::runtime_error);
  EXPECT_EQ(signals, (std::vector<int>{0, SIGTERM, 0, 0}));
}

TEST_F(HooksTest, ACallerMayHaveALoopOfItsOwn) {
  Session run;
  Trainer& trainer = *run.trainer;
  EXPECT_THROW(trainer.save(), Error) << "no directory was named";
  Batch batch;
  batch.size = 16;
  batch.fields.emplace_back("x", full({16, 1, 8, 8}, 0.25));
  batch.fields.emplace_back("y", full({16}, 3, {Dtype::i64}));
  const double before = *find(trainer.evaluate("valid"), "valid/loss");
  for (int i = 0; i < 40; ++i) trainer.step(batch);
  EXPECT_EQ(trainer.state().attempted, 40);
  EXPECT_EQ(trainer.state().samples, 640);
  EXPECT_NE(*find(trainer.evaluate("valid"), "valid/loss"), before);
  EXPECT_EQ(argmax(trainer.predict(batch), 1).to_vector<std::int64_t>(),
            std::vector<std::int64_t>(16, 3));
  EXPECT_FALSE(fs::exists(folder));

  Session saving({"trainer.max_steps=6"}, folder);
  saving.trainer->add(make_hook("ask", HookPhase::step_end, [](HookContext& c) {
    if (c.state.attempted == 2) c.trainer.request_save();  // as a signal handler would
  }));
  saving.trainer->fit();
  EXPECT_TRUE(fs::exists(folder / "checkpoints/step_000000002"));
  EXPECT_FALSE(fs::exists(folder / "checkpoints/step_000000003"));
}

}  // namespace
}  // namespace gradus::trainer
