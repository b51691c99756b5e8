// Averages and teachers in a run: their decay, what a validation says of them, what a checkpoint
// holds while they are in place.
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

struct AveragesTest : DigitsTest {
  static std::vector<float> weight(Trainer& trainer) {
    return trainer.task().module().parameters()[0].to_vector<float>();
  }
};

TEST_F(AveragesTest, AdaptiveDecayBeginsAtTwoElevenths) {
  Session run({"optim.ema_decay=0.3", "optim.ema_adaptive=true", "trainer.max_steps=4",
               "trainer.training_metric=none"});
  std::vector<double> average;
  const std::vector<float> begin = weight(*run.trainer);
  average.assign(begin.begin(), begin.end());
  std::int64_t t = 0;
  run.trainer->add(make_hook("watch", HookPhase::step_end, [&](HookContext& c) {
    ++t;
    const double d = std::min(0.3, (1.0 + double(t)) / (10.0 + double(t)));
    const std::vector<float> w = weight(c.trainer);
    const std::string name = c.trainer.task().module().parameters()[0].name;
    const auto kept = c.trainer.optimizer().ema_state_dict().at(name).to_vector<float>();
    for (std::size_t i = 0; i < w.size(); ++i) {
      average[i] = d * average[i] + (1 - d) * w[i];
      ASSERT_NEAR(kept[i], average[i], 1e-6) << "step " << t << ", element " << i;
    }
  }));
  run.trainer->fit();
  EXPECT_EQ(t, 4);
}

TEST_F(AveragesTest, TheRecordSaysWhichWeightsWereUsed) {
  Session run(
      {"trainer.max_steps=6", "trainer.validate_every_n_steps=3", "trainer.evaluate_at_start=true"},
      folder);
  run.trainer->fit();
  const std::string rows = bytes_of(folder / "metrics.jsonl");
  std::vector<char> used;
  for (std::size_t at = rows.find("\"averaged\": "); at != rows.npos;
       at = rows.find("\"averaged\": ", at + 1))
    used.push_back(rows[at + 12]);
  EXPECT_EQ(used, (std::vector<char>{'0', '1', '1'})) << rows;
}

TEST_F(AveragesTest, ACheckpointTakenWithAveragesInPlaceHoldsTheTrainingWeights) {
  Session run({"trainer.max_steps=6", "trainer.validate_every_n_steps=3"}, folder);
  std::vector<float> live, averaged, again;
  run.trainer->add(make_hook("live", HookPhase::step_end, [&](HookContext& c) {
    if (c.state.attempted == 3) live = weight(c.trainer);
  }));
  run.trainer->add(make_hook("save", HookPhase::after_eval, [&](HookContext& c) {
    if (c.state.attempted != 3) return;
    averaged = weight(c.trainer);
    c.trainer.save();
    again = weight(c.trainer);
  }));
  run.trainer->fit();
  EXPECT_NE(averaged, live);
  EXPECT_EQ(again, averaged) << "the validation goes on with the averages";
  const auto saved = load_safetensors(folder / "checkpoints/step_000000003/model.safetensors");
  const std::string name = run.trainer->task().module().parameters()[0].name;
  EXPECT_EQ(saved.at(name).to_vector<float>(), live);
}

/// One number that falls by lr a step, its teacher, and a number without a teacher.
struct Pair final : Task {
  struct Net final : nn::Module {
    Tensor student = full({1}, 10).set_requires_grad(true),
           other = zeros({1}, {.requires_grad = true}), teacher = full({1}, 10);
    void visit(nn::Visitor& v) override {
      v("student", student);
      v("other", other);
      v("teacher", teacher, Role::weight);
    }
  } net;
  nn::Module& module() override { return net; }
  std::vector<std::pair<Tensor, Tensor>> teacher() override { return {{net.student, net.teacher}}; }
  std::optional<StepResult> step(const Batch&, const State&) override {
    StepResult result;
    result.losses.push_back({"loss", sum(net.student + net.other)});
    return result;
  }
};

TEST_F(AveragesTest, ATeacherFollowsByHalfACosine) {
  Config config = parse_config(
      digits(), "a.toml", ".",
      {"trainer.max_steps=5", "optim.type=sgd", "optim.lr=1", "optim.weight_decay=0",
       "optim.max_grad_norm=0", "schedule.warmup=0", "schedule.type=constant",
       "optim.teacher_start=0.5", "trainer.training_metric=none", "optim.ema_decay=0"});
  const auto data = open_datasets(config);
  const auto task = std::make_shared<Pair>();
  Trainer trainer(config, task, data);
  double student = 10, teacher = 10;
  int s = 0;
  trainer.add(make_hook("watch", HookPhase::step_end, [&](HookContext&) {
    student -= 1;
    const double c = 1 - 0.5 * (std::cos(M_PI * s++ / 5) + 1) / 2;
    teacher = c * teacher + (1 - c) * student;
    EXPECT_NEAR(task->net.student.item<float>(), student, 1e-5);
    EXPECT_NEAR(task->net.teacher.item<float>(), teacher, 1e-5) << "step " << s;
  }));
  EXPECT_EQ(trainer.fit().status, "done");
  EXPECT_EQ(s, 5);
}

}  // namespace
}  // namespace gradus::trainer
