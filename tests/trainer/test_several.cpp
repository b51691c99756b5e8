// Several optimizers: which parameters each has, which of them move, and that a run in pieces is
// the whole run.
#include <fstream>
#include <sstream>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optim.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

/// A generator and a critic of its images.
struct Duel final : Task {
  struct Net final : nn::Module {
    nn::Linear critic{64, 1}, generator{64, 64};
    nn::BatchNorm1d norm{64};
    void visit(nn::Visitor& v) override {
      v("critic", critic);
      v("generator", generator);
      v("norm", norm);
    }
  } net;
  enum { alternate, all, disagree, unknown } mode = alternate;
  nn::Module& module() override { return net; }
  static Tensor loss_of(Net& net, const Tensor& x, bool critic) {
    const Tensor y = net.critic(net.norm(net.generator(x.flatten(1) / 16)));
    return critic ? mean(square(y - 1)) : mean(square(y + 1));
  }
  std::optional<StepResult> step(const Batch& batch, const State& state) override {
    StepResult result;
    const bool critic = mode == disagree ? state.micro % 2 == 0 : state.attempted % 2 == 0;
    result.losses.push_back({"loss", loss_of(net, batch["x"], critic)});
    if (mode != all) result.optimizers.push_back(critic ? "critic" : "generator");
    if (mode == unknown) result.optimizers[0] = "teacher";
    return result;
  }
};

std::string two(const std::string& more = "") {
  return "[data.train]\npath = \"" GRADUS_SOURCE_DIR
         "/examples/data/digits.csv.gz\"\nshape = [1, 8, 8]\nbatch_size = 64\n"
         "[optimizers.critic]\nparameters = [\"critic.*\"]\ntype = \"sgd\"\nlr = 0.1\n"
         "momentum = 0.9\nweight_decay = 0.0\nmax_grad_norm = 0.5\n"
         "[optimizers.critic.schedule]\ntype = \"step\"\nperiod = 3\ngamma = 0.5\n"
         "[optimizers.generator]\nlr = 1e-2\nema_decay = 0.9\n"
         "groups = [{name = \"bias\", parameters = [\"generator.bias\"], lr = 1e-3}]\n"
         "[trainer]\nmax_steps = 12\n[log]\nevery_n_steps = 4\n" +
         more;
}

struct SeveralRun {
  Config config;
  std::shared_ptr<Duel> task;
  std::unique_ptr<Trainer> trainer;
  explicit SeveralRun(const std::vector<std::string>& settings = {}, const fs::path& directory = {},
                      const std::string& text = two()) {
    config = parse_config(text, "test.toml", ".", settings);
    auto data = open_datasets(config);
    const RandomScope init(7, 0);
    task = std::make_shared<Duel>();
    trainer = std::make_unique<Trainer>(config, task, data);
    if (directory.empty()) return;
    fs::create_directories(directory);
    trainer->use_directory(directory);
    const Start start = choose_start(Files::system(), directory, "latest", "");
    if (start.kind == Start::resumed) trainer->load(start.path);
  }
  std::vector<std::vector<float>> weights() const {
    std::vector<std::vector<float>> all;
    for (const Parameter& p : task->net.parameters()) all.push_back(p.to_vector<float>());
    return all;
  }
};

struct SeveralTest : DigitsTest {};

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "none";
}

TEST_F(SeveralTest, AlternatingIsWhatALoopByHandDoes) {
  SeveralRun run;
  std::vector<Tensor> seen;
  run.trainer->add(make_hook("watch", HookPhase::batch,
                             [&](HookContext& c) { seen.push_back((*c.batch)["x"].clone()); }));
  run.trainer->fit();
  ASSERT_EQ(seen.size(), 12u);

  const SeveralRun fresh;
  Duel::Net& net = fresh.task->net;
  optim::SGD critic(net.critic.named_parameters(), {.lr = 0.1,
                                                    .momentum = 0.9,
                                                    .schedule = optim::schedule::step(3, 0.5),
                                                    .max_grad_norm = 0.5});
  std::vector<Parameter> others = net.norm.named_parameters();
  const std::vector<Parameter> bias = {{net.generator.bias, "generator.bias", Role::bias}};
  others.push_back({net.generator.weight, "generator.weight", Role::weight});
  optim::AdamW generator({{"bias", bias, {.lr = 1e-3}}, {"main", others}},
                         {.lr = 1e-2, .ema_decay = 0.9, .decay_by_role = true});
  for (std::size_t s = 0; s < seen.size(); ++s) {
    const bool first = s % 2 == 0;
    critic.zero_grad();
    generator.zero_grad();
    Duel::loss_of(net, seen[s], first).backward();
    first ? critic.step() : generator.step();
  }
  EXPECT_EQ(run.weights(), fresh.weights());
  const auto averages = generator.ema_state_dict(),
             of_run = run.trainer->optimizer("generator").ema_state_dict();
  EXPECT_EQ(of_run.at("generator.bias").to_vector<float>(),
            averages.at("generator.bias").to_vector<float>());
  EXPECT_EQ(of_run.count("norm.running_mean"), 1u) << "buffers go with the parameters beside them";
  EXPECT_TRUE(run.trainer->optimizer("critic").ema_state_dict().empty());
}

TEST_F(SeveralTest, OnlyThoseThatAStepNamesMove) {
  SeveralRun run;
  std::vector<std::vector<std::vector<float>>> after = {run.weights()};
  run.trainer->add(make_hook("watch", HookPhase::step_end, [&](HookContext& c) {
    after.push_back(run.weights());
    const bool critic = c.state.attempted % 2 == 1;  // it was the one that moved
    EXPECT_EQ(run.task->net.critic.weight.grad().defined(), critic);
    EXPECT_EQ(run.task->net.generator.weight.grad().defined(), !critic);
  }));
  run.trainer->fit();
  ASSERT_EQ(after.size(), 13u);
  for (std::size_t s = 0; s < 12; ++s) {
    for (std::size_t p = 0; p < after[0].size(); ++p) {
      const bool moves = (p < 2) == (s % 2 == 0);  // the critic's are the first two
      EXPECT_EQ(after[s][p] != after[s + 1][p], moves) << "step " << s << ", parameter " << p;
    }
  }
  const auto critic = run.trainer->optimizer("critic").state(),
             generator = run.trainer->optimizer("generator").state();
  EXPECT_EQ(critic.attempted, 6);
  EXPECT_EQ(generator.applied, 6);
  EXPECT_EQ(run.trainer->state().attempted, 12);
  EXPECT_DOUBLE_EQ(run.trainer->optimizer("critic").lr(), 0.025) << "of its own six steps";
}

TEST_F(SeveralTest, WithoutNamesAllMove) {
  SeveralRun run;
  run.task->mode = Duel::all;
  run.trainer->fit();
  EXPECT_EQ(run.trainer->optimizer("critic").state().applied, 12);
  EXPECT_EQ(run.trainer->optimizer("generator").state().applied, 12);
}

TEST_F(SeveralTest, ASkippedStepIsItsOptimizersOnly) {
  SeveralRun run;
  run.trainer->add(make_hook("spoil", HookPhase::before_optimizer_step, [&](HookContext& c) {
    const NoGrad guard;
    if (c.state.attempted == 4) run.task->net.critic.weight.grad().fill_(INFINITY);
  }));
  run.trainer->fit();
  EXPECT_EQ(run.trainer->optimizer("critic").state().applied, 5);
  EXPECT_EQ(run.trainer->optimizer("generator").state().applied, 6);
  EXPECT_EQ(run.trainer->state().applied, 11);
}

/// The last row of metrics.csv by column.
std::map<std::string, std::string> last_row(const fs::path& directory) {
  std::ifstream file(directory / "metrics.csv");
  std::string head, line, last;
  std::getline(file, head);
  while (std::getline(file, line)) last = line;
  std::map<std::string, std::string> row;
  std::istringstream names(head), values(last);
  for (std::string name, value; std::getline(names, name, ',');) {
    std::getline(values, value, ',');
    row[name] = value;
  }
  return row;
}

TEST_F(SeveralTest, RowsHaveATagForEveryNameAndGroup) {
  SeveralRun run({}, folder / "run");
  run.trainer->fit();
  const auto row = last_row(folder / "run");
  EXPECT_DOUBLE_EQ(std::stod(row.at("lr/critic/main")), 0.05) << "what the step used";
  EXPECT_DOUBLE_EQ(std::stod(row.at("lr/generator/bias")), 1e-3);
  EXPECT_DOUBLE_EQ(std::stod(row.at("lr/generator/main")), 1e-2);
  EXPECT_EQ(row.at("applied/critic"), row.at("applied/generator"));
  EXPECT_EQ(std::stod(row.at("applied/critic")), 6);
  for (const char* name : {"grad_norm/critic", "grad_norm/generator", "skipped/critic"})
    EXPECT_EQ(row.count(name), 1u) << name;
  EXPECT_EQ(row.count("lr"), 0u);
}

TEST_F(SeveralTest, ARunInPiecesIsTheWholeRun) {
  SeveralRun({}, folder / "whole").trainer->fit();
  for (const int cut : {1, 2, 5, 8}) {
    const fs::path directory = folder / std::to_string(cut);
    SeveralRun({"trainer.max_steps=" + std::to_string(cut)}, directory).trainer->fit();
    SeveralRun({}, directory).trainer->fit();
    const fs::path last = "checkpoints/step_000000012";
    for (const fs::path& file : {last / "model.safetensors", last / "ema.safetensors",
                                 last / "optimizer/critic.safetensors",
                                 last / "optimizer/generator.safetensors", fs::path("metrics.csv")})
      EXPECT_EQ(bytes_of(directory / file), bytes_of(folder / "whole" / file))
          << file << " after a cut at " << cut;
  }
}

TEST_F(SeveralTest, TheResolvedConfigurationGivesTheSameOptimizers) {
  const Config config = parse_config(two(), "a.toml", ".", {"optimizers.generator.type=lion"});
  const Config again = parse_config(to_toml(config), "b.toml", ".", {});
  ASSERT_EQ(again.optimizers.size(), 2u);
  EXPECT_EQ(again.optimizers.at("generator").optim.betas, (std::vector<double>{0.9, 0.99}))
      << "the rule's own";
  EXPECT_EQ(again.optimizers.at("critic").schedule.period, 3);
  EXPECT_EQ(again.optimizers.at("critic").optim.max_grad_norm, 0.5);
  EXPECT_EQ(to_toml(again), to_toml(config));
}

TEST_F(SeveralTest, EveryParameterHasExactlyOne) {
  const auto prepared = [](const std::vector<std::string>& settings) {
    return error_of([&] { SeveralRun(settings).trainer->prepare(); });
  };
  EXPECT_EQ(prepared({}), "none");
  EXPECT_NE(prepared({"optimizers.generator.parameters=['generator.*', 'norm.*', '*.bias']"})
                .find("optimizers.generator.parameters: parameter \"critic.bias\" belongs to "
                      "\"critic\" already; it can have one optimizer"),
            std::string::npos);
  EXPECT_NE(prepared({"optimizers.generator.parameters=['generator.*']"})
                .find("optimizers: parameter \"norm.weight\" has no optimizer; name it in one, or "
                      "in trainer.freeze"),
            std::string::npos);
  EXPECT_EQ(
      prepared({"optimizers.generator.parameters=['generator.*']", "trainer.freeze=['norm.*']"}),
      "none");
  EXPECT_NE(prepared({"optimizers.third.parameters=['nothing.*']"})
                .find("optimizers.third.parameters: no parameter matches"),
            std::string::npos);
}

TEST_F(SeveralTest, WhatDoesNotFitIsSaid) {
  const auto parsed = [](const std::vector<std::string>& settings) {
    return error_of([&] { parse_config(two(), "a.toml", ".", settings); });
  };
  EXPECT_NE(parsed({"optim.lr=1"}).find("optim: there are several optimizers"), std::string::npos);
  EXPECT_NE(parsed({"optimizers.third.lr=1"}).find("\"generator\" takes already"),
            std::string::npos);
  EXPECT_NE(parsed({"optimizers.critic.schedul.type='cosine'"})
                .find("unknown key \"optimizers.critic.schedul\""),
            std::string::npos);
  EXPECT_NE(parsed({"trainer.count=applied"}).find("trainer.count: several optimizers"),
            std::string::npos);
  const auto trained = [](int mode, const std::vector<std::string>& settings) {
    return error_of([&] {
      SeveralRun run(settings);
      run.task->mode = static_cast<decltype(run.task->mode)>(mode);
      run.trainer->fit();
    });
  };
  EXPECT_NE(trained(Duel::disagree, {"trainer.accumulate=2"})
                .find("the micro-batches of one step name different optimizers"),
            std::string::npos);
  EXPECT_NE(trained(Duel::unknown, {}).find("names an optimizer that there is not"),
            std::string::npos);
  EXPECT_NE(trained(Duel::all, {"run.precision=fp16"}).find("have loss scales of their own"),
            std::string::npos);
  EXPECT_EQ(trained(Duel::alternate, {"run.precision=fp16"}), "none");
}

}  // namespace
}  // namespace gradus::trainer
