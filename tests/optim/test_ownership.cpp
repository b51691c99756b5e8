// What belongs to an optimizer: groups, tied and frozen parameters, late ones, foreign ones.
#include <cstring>

#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;
using optim::AdamW;
using optim::Group;
using optim::SGD;

std::string message(auto&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

#define EXPECT_MESSAGE(expression, part)                                        \
  EXPECT_NE(message([&] { (void)(expression); }).find(part), std::string::npos) \
      << message([&] { (void)(expression); })

TEST(Ownership, AParameterMovesUnderOneOptimizer) {
  const Tensor a = leaf({1}), b = leaf({2}), c = leaf({3});
  {
    SGD first({a, b}, {.lr = 0.1});
    EXPECT_MESSAGE(SGD({c, b}, {.lr = 0.1}), "'1' already belongs to another optimizer");
    SGD second({c}, {.lr = 0.5});  // the failed one took nothing
    set_gradient(a, {1});
    set_gradient(c, {1});
    second.step();
    EXPECT_EQ(a.item<double>(), 1);
    EXPECT_EQ(c.item<double>(), 2.5);
    first.step();
    EXPECT_EQ(a.item<double>(), 0.9);
  }
  SGD again({a, b}, {.lr = 0.1});  // free again once the first is gone
}

TEST(Ownership, TiedWeightsAreOneRow) {
  const Tensor w = leaf({1});
  SGD opt(std::vector<Parameter>{{w, "embed", Role::embedding}, {w, "head", Role::weight}},
          {.lr = 0.1});
  EXPECT_EQ(opt.items().size(), 1u);
  set_gradient(w, {1});
  opt.step();
  EXPECT_EQ(w.item<double>(), 0.9);
  const Tensor v = leaf({1});
  EXPECT_MESSAGE(
      SGD(std::vector<Group>{{"x", std::vector<Tensor>{v}}, {"y", std::vector<Tensor>{v}}},
          {.lr = 0.1}),
      "in two groups");
}

TEST(Ownership, FreezingStopsUpdatesAndThawingGoesOn) {
  const Tensor a = leaf({1}), b = leaf({1});
  AdamW opt({a, b}, {.lr = 0.1});
  const auto step = [&] {
    if (a.requires_grad()) set_gradient(a, {1});
    set_gradient(b, {1});
    opt.step();
  };
  step();
  const double frozen_at = a.item<double>();
  a.set_requires_grad(false);
  step();
  step();
  EXPECT_EQ(a.item<double>(), frozen_at);
  EXPECT_EQ(opt.state_dict().at("state.0.step").item<std::int64_t>(), 1);
  a.set_requires_grad(true);
  step();
  EXPECT_LT(a.item<double>(), frozen_at);
  EXPECT_EQ(opt.state_dict().at("state.0.step").item<std::int64_t>(), 2);  // its own count
  EXPECT_EQ(opt.state_dict().at("state.1.step").item<std::int64_t>(), 4);
}

TEST(Ownership, AFrozenParameterGetsItsStateWhenItFirstMoves) {
  const Tensor a = leaf({1}), b = leaf({1});
  a.set_requires_grad(false);
  AdamW opt({a, b}, {.lr = 0.1});
  EXPECT_FALSE(opt.items()[0].state[0].defined());
  a.set_requires_grad(true);
  set_gradient(a, {1});
  opt.step();
  EXPECT_NEAR(a.item<double>(), (1 - 0.1 * 0.01) - 0.1, 1e-7);
  EXPECT_EQ(b.item<double>(), 1);
}

TEST(Ownership, AFrozenGroupNeitherMovesNorDecays) {
  const Tensor a = leaf({1}), b = leaf({1});
  const std::vector<Tensor> body = {a}, head = {b};
  AdamW opt({{"body", body}, {"head", head}}, {.lr = 0.1});
  set_gradient(a, {1});
  set_gradient(b, {1});
  opt.freeze("body");
  opt.step();
  EXPECT_EQ(a.item<double>(), 1);
  EXPECT_LT(b.item<double>(), 1);
  opt.freeze("body", false);
  opt.step();
  EXPECT_LT(a.item<double>(), 1);
  EXPECT_MESSAGE(opt.freeze("tail"), "no group named 'tail'");
}

TEST(Ownership, ALateGroupStartsItsOwnBiasCorrection) {
  const Tensor a = leaf({1}), b = leaf({1}), alone = leaf({1});
  AdamW opt({a}, {.lr = 0.1, .ema_decay = 0.5});
  for (int s = 0; s < 3; ++s) {
    set_gradient(a, {1});
    opt.step();
  }
  const std::vector<Tensor> late = {b};
  opt.add_group({"late", late, {.lr = 0.01}});
  AdamW other({alone}, {.lr = 0.01});
  set_gradient(b, {1});
  set_gradient(alone, {1});
  opt.step();
  other.step();
  EXPECT_EQ(b.item<double>(), alone.item<double>());
  EXPECT_EQ(opt.groups(), (std::vector<std::string>{"default", "late"}));
  EXPECT_EQ(opt.lr("late"), 0.01);
  const std::vector<Tensor> taken = {a};
  EXPECT_MESSAGE(opt.add_group({"third", taken}), "in two groups");
  EXPECT_EQ(opt.groups().size(), 2u);  // a refused group leaves nothing behind
}

TEST(Ownership, DecayByRoleSparesBiasesNormsAndEmbeddings) {
  std::vector<Parameter> parameters;
  for (const Role role : {Role::weight, Role::bias, Role::norm, Role::embedding})
    parameters.push_back({leaf({1}), std::to_string(static_cast<int>(role)), role});
  for (const bool by_role : {false, true}) {
    SGD opt(parameters, {.lr = 0.1, .weight_decay = 1, .decay_by_role = by_role});
    for (const Parameter& p : parameters) {
      const NoGrad guard;
      p.fill_(1);
      set_gradient(p, {0});
    }
    opt.step();
    for (const Parameter& p : parameters) {
      const bool decays = !by_role || p.role == Role::weight;
      EXPECT_EQ(p.item<double>(), decays ? 0.9 : 1) << p.name;
    }
  }
}

TEST(Ownership, AGroupMayDecayOtherwiseThanByRole) {
  const Tensor spared = leaf({1}), decayed = leaf({1});
  set_gradient(spared, {0});
  set_gradient(decayed, {0});
  SGD opt(
      {{"main", std::vector<Parameter>{{spared, "a.bias", Role::bias}}},
       {"all", std::vector<Parameter>{{decayed, "b.bias", Role::bias}}, {.decay_by_role = false}}},
      {.lr = 0.1, .weight_decay = 1, .decay_by_role = true});
  opt.step();
  EXPECT_EQ(spared.item<double>(), 1);
  EXPECT_EQ(decayed.item<double>(), 0.9);
}

TEST(Ownership, AModuleMovedOrConvertedAfterwardsIsAnError) {
  const Tensor a = leaf({1});
  SGD opt(std::vector<Parameter>{{a, "fc.weight", Role::weight}}, {.lr = 0.1});
  a.set_data(a.detach().to(Dtype::f32));
  EXPECT_MESSAGE(opt.step(), "'fc.weight' was moved or converted after the optimizer was made");
}

TEST(Ownership, LoadingIntoAParameterIsFollowed) {
  const Tensor a = leaf({1});
  SGD opt({a}, {.lr = 0.5});
  a.set_data(full({1}, 7, {Dtype::f64}));  // another memory
  set_gradient(a, {2});
  opt.step();
  EXPECT_EQ(a.item<double>(), 6);
}

TEST(Ownership, PlacementKeepsValuesGradientsAndViews) {
  const Tensor a = leaf({1, 2, 3}), b = leaf({4, 5, 6, 7});
  const Tensor seen = b.detach();  // b shares its memory: it stays where it is
  (a * a).backward(ones({3}, {Dtype::f64}));
  SGD opt({a, b}, {.lr = 0.5});
  EXPECT_EQ(a.to_vector<double>(), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{2, 4, 6}));
  set_gradient(b, {1, 1, 1, 1});
  opt.step();
  EXPECT_EQ(a.to_vector<double>(), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(seen.to_vector<double>(), (std::vector<double>{3.5, 4.5, 5.5, 6.5}));
}

TEST(Ownership, ASavedWeightThatAStepChangedIsFound) {
  const Tensor a = leaf({1}), other = leaf({1});
  SGD opt({a, other}, {.lr = 0.5});
  const Tensor y = a * a, z = other * other;
  set_gradient(a, {1});
  opt.step();
  EXPECT_MESSAGE(y.backward(), "changed in place");
  z.backward();  // `other` had no gradient and did not change
}

TEST(Ownership, WrongParametersAreRefused) {
  const Tensor a = leaf({1, 2, 3, 4});
  EXPECT_MESSAGE(SGD({Tensor()}, {.lr = 0.1}), "undefined");
  EXPECT_MESSAGE(SGD({a * 2.0}, {.lr = 0.1}), "computed from others");
  EXPECT_MESSAGE(SGD({zeros({2}, {Dtype::i64})}, {.lr = 0.1}), "only floating");
  EXPECT_MESSAGE(SGD(std::vector<Tensor>{}, {.lr = 0.1}), "no parameters");
  EXPECT_MESSAGE(SGD({a}, {.lr = -1}), "must not be negative");
  EXPECT_MESSAGE(SGD({a}, {.lr = 1, .nesterov = true}), "nesterov needs a momentum");
  EXPECT_MESSAGE(AdamW({a}, {.betas = {0.9, 1}}), "0 <= beta < 1");
  EXPECT_MESSAGE(AdamW({{"g", std::vector<Tensor>{a}, {.momentum = 0.9}}}), "does not have");
  SGD fine({a}, {.lr = 0.1});  // none of them kept it
}

}  // namespace
}  // namespace gradus
