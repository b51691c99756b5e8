// The rules that PyTorch does not have, against plain loops after their papers.
#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;

/// Runs 1,000 steps; `rule(tensor index, w, g, step)` moves the reference weights of one tensor.
template <class Rule>
void compare(optim::Optimizer& optimizer, const Tensor& a, const Tensor& b, Rule rule) {
  std::vector<std::vector<double>> w = {start_a, start_b};
  for (int s = 0; s < 1000; ++s) {
    set_gradients(a, b, s);
    optimizer.step();
    int i = 0;
    for (std::size_t k = 0; k < 2; ++k) {
      std::vector<double> g;
      for (const double v : w[k]) g.push_back(gradient(v, i++, s));
      rule(k, w[k], g, s);
    }
    const std::vector<double> got = values_of(a, b);
    for (std::size_t e = 0; e < got.size(); ++e) {
      const double expected = e < 4 ? w[0][e] : w[1][e - 4];
      ASSERT_NEAR(got[e], expected, 1e-12 * std::max(1e-2, std::abs(expected))) << s << " " << e;
    }
  }
}

TEST(Rules, Lion) {
  const Tensor a = leaf(start_a), b = leaf(start_b);
  optim::Lion opt({a, b}, {.lr = 1e-3, .weight_decay = 0.1});
  std::vector<std::vector<double>> m = {std::vector<double>(4), std::vector<double>(3)};
  compare(opt, a, b, [&](std::size_t k, auto& w, const auto& g, int) {
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double u = 0.9 * m[k][i] + (1 - 0.9) * g[i];
      w[i] = w[i] * (1 - 1e-3 * 0.1) - 1e-3 * (u > 0 ? 1 : u < 0 ? -1 : 0);
      m[k][i] = 0.99 * m[k][i] + (1 - 0.99) * g[i];
    }
  });
}

TEST(Rules, Adan) {
  for (const bool no_prox : {false, true}) {
    const Tensor a = leaf(start_a), b = leaf(start_b);
    optim::Adan opt({a, b}, {.lr = 1e-2, .weight_decay = 0.1, .no_prox = no_prox});
    struct State {
      double m = 0, v = 0, n = 0, before = 0;
    };
    std::vector<std::vector<State>> state = {std::vector<State>(4), std::vector<State>(3)};
    const double b1 = 0.98, b2 = 0.92, b3 = 0.99, lr = 1e-2, decay = 0.1;
    compare(opt, a, b, [&](std::size_t k, auto& w, const auto& g, int s) {
      const double c1 = 1 - std::pow(b1, s + 1), c2 = 1 - std::pow(b2, s + 1),
                   c3 = 1 - std::pow(b3, s + 1);
      for (std::size_t i = 0; i < w.size(); ++i) {
        State& x = state[k][i];
        const double diff = s == 0 ? 0 : g[i] - x.before;
        x.m = b1 * x.m + (1 - b1) * g[i];
        x.n = b2 * x.n + (1 - b2) * diff;
        x.v = b3 * x.v + (1 - b3) * std::pow(g[i] + b2 * diff, 2);
        const double root = std::sqrt(x.v / c3) + 1e-8;
        if (no_prox) w[i] *= 1 - lr * decay;
        w[i] -= lr * (x.m / c1 + b2 * x.n / c2) / root;
        if (!no_prox) w[i] /= 1 + lr * decay;
        x.before = g[i];
      }
    });
  }
}

TEST(Rules, RmsPropsDecayIsAPartOfTheGradient) {
  for (const bool centered : {false, true}) {
    for (const double momentum : {0.0, 0.9}) {
      const Tensor a = leaf(start_a), b = leaf(start_a);
      optim::RMSprop decays(
          {a}, {.lr = 1e-3, .weight_decay = 0.1, .momentum = momentum, .centered = centered});
      optim::RMSprop plain({b}, {.lr = 1e-3, .momentum = momentum, .centered = centered});
      for (int s = 0; s < 20; ++s) {
        std::vector<double> g, with_decay;
        for (const double v : a.to_vector<double>()) {
          g.push_back(gradient(v, static_cast<int>(g.size()), s));
          with_decay.push_back(g.back() + 0.1 * v);
        }
        set_gradient(a, g);
        set_gradient(b, with_decay);
        decays.step();
        plain.step();
        const auto x = a.to_vector<double>(), y = b.to_vector<double>();
        for (std::size_t i = 0; i < x.size(); ++i)
          ASSERT_NEAR(x[i], y[i], 1e-13) << centered << " " << momentum << " " << s;
      }
    }
  }
}

TEST(Rules, LarsFollowsTheNormsOfEachParameter) {
  const Tensor a = leaf(start_a), b = leaf(start_b);
  optim::LARS opt(std::vector<Parameter>{{a, "weight", Role::weight}, {b, "bias", Role::bias}},
                  {.lr = 0.5, .weight_decay = 0.1, .eta = 0.02, .decay_by_role = true});
  std::vector<std::vector<double>> buffer = {std::vector<double>(4), std::vector<double>(3)};
  const auto norm = [](const std::vector<double>& x) {
    double sum = 0;
    for (const double v : x) sum += v * v;
    return std::sqrt(sum);
  };
  compare(opt, a, b, [&](std::size_t k, auto& w, const auto& g, int) {
    const double decay = k == 0 ? 0.1 : 0;  // the bias neither decays nor adapts
    const double ratio = k == 0 ? 0.02 * norm(w) / (norm(g) + decay * norm(w) + 1e-8) : 1;
    for (std::size_t i = 0; i < w.size(); ++i) {
      buffer[k][i] = 0.9 * buffer[k][i] + ratio * (g[i] + decay * w[i]);
      w[i] -= 0.5 * buffer[k][i];
    }
  });
}

TEST(Rules, LarsWithoutANormHasItsFullRate) {
  const Tensor zero = leaf({0, 0});
  optim::LARS opt({zero}, {.lr = 0.5, .momentum = 0});
  set_gradient(zero, {1, 2});
  opt.step();
  EXPECT_EQ(zero.to_vector<double>(), (std::vector<double>{-0.5, -1}));
}

}  // namespace
}  // namespace gradus
