// Saving and loading: a run that was interrupted goes on bit for bit, and a wrong dict changes
// nothing.
#include <limits>
#include <map>

#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;
using optim::Optimizer;

using Dict = std::map<std::string, Tensor>;
using MakeOptimizer = std::unique_ptr<Optimizer> (*)(const std::vector<Parameter>&);

template <class O, class Options>
std::unique_ptr<Optimizer> make(const std::vector<Parameter>& p, Options options) {
  options.schedule = optim::schedule::warmup(5, optim::schedule::cosine(40));
  options.max_grad_norm = 1;
  options.ema_decay = 0.9;
  options.dynamic_clip = optim::DynamicClip{.quantile = 0.5, .window = 6, .after = 2};
  options.loss_scale = optim::LossScale{.init = 8, .interval = 4};
  return std::make_unique<O>(p, options);
}

Tensor matrix(const std::vector<double>& values, std::int64_t m, std::int64_t n, Dtype dtype) {
  return leaf(values, dtype).detach().reshape({m, n}).clone().set_requires_grad(true);
}

struct Training {
  Tensor a, b, mean = zeros({2});
  std::unique_ptr<Optimizer> optimizer;
  explicit Training(MakeOptimizer make, bool matrices = false)
      : a(matrices ? matrix(start_a, 2, 2, Dtype::f32) : leaf(start_a, Dtype::f32)),
        b(matrices ? matrix(start_b, 1, 3, Dtype::bf16) : leaf(start_b, Dtype::bf16)),
        optimizer(make({{a, "fc.weight", Role::weight}, {b, "fc.bias", Role::bias}})) {
    optimizer->track(std::vector<Parameter>{{mean, "bn.mean", Role::running_statistic}});
  }
  void steps(int from, int to) {
    for (int s = from; s < to; ++s) {
      mean.fill_(s);
      set_gradients(a, b, s, optimizer->loss_scale().item<double>());
      if (s % 7 == 3) {
        const NoGrad guard;
        a.grad().flatten().select(0, 0).fill_(std::numeric_limits<double>::infinity());
      }
      optimizer->step();
    }
  }
};

std::map<std::string, std::vector<double>> everything(Training& run) {
  std::map<std::string, std::vector<double>> all;
  for (const auto& [key, t] : run.optimizer->state_dict()) all[key] = t.to_vector<double>();
  all["a"] = run.a.to_vector<double>();
  all["b"] = run.b.to_vector<double>();
  return all;
}

TEST(State, AContinuedRunIsTheSameBitForBit) {
  using namespace optim;
  const std::vector<MakeOptimizer> makes = {
      [](const std::vector<Parameter>& p) {
        return make<SGD>(p, SGDOptions{.lr = 0.1, .momentum = 0.9});
      },
      [](const std::vector<Parameter>& p) { return make<AdamW>(p, AdamWOptions{}); },
      [](const std::vector<Parameter>& p) { return make<Adan>(p, AdanOptions{}); },
      [](const std::vector<Parameter>& p) { return make<LARS>(p, LARSOptions{.lr = 1}); },
      [](const std::vector<Parameter>& p) {
        return make<RMSprop>(p, RMSpropOptions{.momentum = 0.9, .centered = true});
      },
      [](const std::vector<Parameter>& p) { return make<LAMB>(p, LAMBOptions{}); },
      [](const std::vector<Parameter>& p) { return make<Muon>(p, MuonOptions{.lr = 0.1}); },
  };
  for (const MakeOptimizer& make : makes) {
    const bool matrices = &make == &makes.back();  // of which alone Muon moves
    Training whole(make, matrices);
    whole.steps(0, 30);
    const auto expected = everything(whole);
    for (const int cut : {0, 1, 4, 13, 29}) {
      for (const bool averages_apart : {false, true}) {
        Training first(make, matrices), second(make, matrices);
        first.optimizer->set_lr(0.5);
        first.optimizer->set_lr(whole.optimizer->base_lr());
        first.steps(0, cut);
        const NoGrad guard;
        second.a.copy_(first.a);
        second.b.copy_(first.b);
        second.optimizer->set_lr(123);  // the dict brings the rate back
        second.optimizer->load_state_dict(first.optimizer->state_dict(!averages_apart));
        if (averages_apart)
          second.optimizer->load_ema_state_dict(first.optimizer->ema_state_dict());
        second.steps(cut, 30);
        EXPECT_TRUE(everything(second) == expected)
            << whole.optimizer->name() << " cut at " << cut << (averages_apart ? ", apart" : "");
      }
    }
  }
}

TEST(State, KeysAreThoseOfTheParameters) {
  Training run(
      [](const std::vector<Parameter>& p) { return make<optim::AdamW>(p, optim::AdamWOptions{}); });
  const Dict dict = run.optimizer->state_dict();
  for (const char* key : {"state.fc.weight.exp_avg", "state.fc.weight.exp_avg_sq",
                          "state.fc.weight.step", "state.fc.bias.master", "group.default.lr",
                          "clock.applied", "ema.fc.weight", "ema.bn.mean"}) {
    EXPECT_EQ(dict.count(key), 1u) << key;
  }
  EXPECT_EQ(run.optimizer->state_dict(false).count("ema.fc.weight"), 0u);
  EXPECT_EQ(run.optimizer->ema_state_dict().at("fc.bias").dtype(), Dtype::f32);
}

TEST(State, ADictThatDoesNotFitChangesNothing) {
  const MakeOptimizer adamw = [](const std::vector<Parameter>& p) {
    return make<optim::AdamW>(p, optim::AdamWOptions{});
  };
  Training other(adamw), run(adamw);
  other.steps(0, 9);
  run.steps(0, 3);
  const auto before = everything(run);
  const Dict good = other.optimizer->state_dict();
  for (const auto& [key, t] : good) {
    if (key.rfind("ema.", 0) == 0) continue;  // may be absent: kept in a file of its own
    Dict bad = good;
    bad.erase(key);
    if (key != "clock.schedule_since") {  // older checkpoints have none
      EXPECT_THROW(run.optimizer->load_state_dict(bad), Error) << key;
    }
    bad[key] = zeros({3, 3}, {t.dtype()});
    EXPECT_THROW(run.optimizer->load_state_dict(bad), Error) << key;
    bad[key] = zeros(t.shape(), {Dtype::u8});
    EXPECT_THROW(run.optimizer->load_state_dict(bad), Error) << key;
  }
  Dict bad = good;
  bad["ema.fc.weight"] = zeros({1});
  EXPECT_THROW(run.optimizer->load_state_dict(bad), Error);
  EXPECT_THROW(run.optimizer->load_ema_state_dict({}), Error);
  EXPECT_TRUE(everything(run) == before);
  run.optimizer->load_state_dict(good);
}

}  // namespace
}  // namespace gradus
