// Whole runs against PyTorch in f64, from tests/oracle/make_run_fixtures.py: 1,000 steps at 1e-12
// relative of the rules that move matrices, and of optimizer, clipping, schedule and average
// together; and the loss scale after every step of 10,000 patterns of overflows.
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;
using Values = std::vector<double>;
using MakeRun =
    std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Tensor>& parameters)>;

/// What PyTorch had: case -> step -> values.
std::map<std::string, std::map<int, Values>> recorded(const std::string& file) {
  std::map<std::string, std::map<int, Values>> all;
  for (const auto& line : read_fixture(file)) {
    Values& values = all[line[0]][std::stoi(line[1])];
    for (std::size_t i = 2; i < line.size(); ++i) values.push_back(std::stod(line[i]));
  }
  return all;
}

/// Compares if this step was recorded; returns how many numbers were.
int expect_recorded(const std::map<int, Values>& expected, int step, const Values& got,
                    const std::string& name) {
  const auto at = expected.find(step);
  if (at == expected.end()) return 0;
  EXPECT_EQ(got.size(), at->second.size()) << name;
  for (std::size_t i = 0; i < got.size() && i < at->second.size(); ++i)
    EXPECT_NEAR(got[i], at->second[i], 1e-12 * std::max(1e-2, std::abs(at->second[i])))
        << name << ", step " << step << ", element " << i;
  return static_cast<int>(got.size());
}

template <class Optimizer, class Options>
MakeRun with_options(Options options) {
  return [options](const std::vector<Tensor>& parameters) {
    return std::make_unique<Optimizer>(parameters, options);
  };
}

/// The matrices (3, 4) and (5, 2) that the cases begin with; more dimensions are the same matrix.
std::vector<Tensor> start_matrices(const std::vector<Shape>& shapes, Dtype dtype) {
  std::vector<Tensor> all;
  int i = 0;
  for (const Shape& shape : shapes) {
    Values values;
    for (std::int64_t k = 0; k < shape.numel(); ++k, ++i) values.push_back((5 * i % 13 - 6) / 8.0);
    all.push_back(from_data(values.data(), shape, {Dtype::f64}).to(dtype).set_requires_grad(true));
  }
  return all;
}

void set_matrix_gradients(const std::vector<Tensor>& parameters, int s) {
  int i = 0;
  for (const Tensor& t : parameters) {
    Values g;
    for (const double w : t.to_vector<double>()) {
      g.push_back((i + 1) / 16.0 * (w - 0.3) + ((7 * s + 3 * i) % 11 - 5) / 5.0);
      ++i;
    }
    set_gradient(t, g);
  }
}

const std::map<std::string, MakeRun>& matrix_rules() {
  using namespace optim;
  static const std::map<std::string, MakeRun> all = {
      {"lamb", with_options<LAMB>(LAMBOptions{})},
      {"lamb_options", with_options<LAMB>(LAMBOptions{
                           .lr = 0.02, .betas = {0.8, 0.95}, .eps = 1e-5, .weight_decay = 0.1})},
      {"muon", with_options<Muon>(MuonOptions{})},
      {"muon_options", with_options<Muon>(MuonOptions{.lr = 0.02,
                                                      .weight_decay = 0.3,
                                                      .momentum = 0.8,
                                                      .nesterov = false,
                                                      .ns_coefficients = {2.0, -1.5, 0.5},
                                                      .eps = 1e-3,
                                                      .ns_steps = 3})},
      {"muon_rms",
       with_options<Muon>(MuonOptions{.lr = 0.005, .adjust_lr = MuonRate::match_rms_adamw})},
  };
  return all;
}

TEST(OracleOptimizers, ThousandStepsOfLambAndMuon) {
  const auto expected = recorded("optim_matrices.csv");
  ASSERT_EQ(expected.size(), matrix_rules().size());
  int compared = 0;
  for (const auto& shapes :
       {std::vector<Shape>{{3, 4}, {5, 2}}, std::vector<Shape>{{3, 2, 2}, {5, 1, 2, 1}}}) {
    for (const auto& [name, make] : matrix_rules()) {
      const std::vector<Tensor> w = start_matrices(shapes, Dtype::f64);
      const auto optimizer = make(w);
      for (int s = 0; s < 1000; ++s) {
        set_matrix_gradients(w, s);
        optimizer->step();
        compared += expect_recorded(expected.at(name), s + 1, values_of(w[0], w[1]), name);
      }
    }
  }
  EXPECT_EQ(compared, 2 * 5 * 6 * 22);
  std::printf("%-10s %6d values of %zu matrix rules after 1 to 1,000 steps\n", "optim", compared,
              matrix_rules().size());
}

/// One run of the exporter: rule, clipping, average and schedule.
struct WholeRun {
  bool adamw = true;
  optim::Schedule schedule;
  double max_norm = 0, max_value = 0, average = 0.99;
  bool infinity = false, adaptive = false;
  std::unique_ptr<optim::Optimizer> make(const Tensor& a, const Tensor& b) const {
    const auto fill = [this](auto options) {
      options.schedule = schedule;
      options.max_grad_norm = max_norm;
      options.max_grad_value = max_value;
      options.grad_norm_type = infinity ? optim::NormType::infinity : optim::NormType::two;
      options.ema_decay = average;
      options.ema_adaptive = adaptive;
      return options;
    };
    if (adamw)
      return std::make_unique<optim::AdamW>(std::vector<Tensor>{a, b},
                                            fill(optim::AdamWOptions{.lr = 0.02}));
    return std::make_unique<optim::SGD>(std::vector<Tensor>{a, b},
                                        fill(optim::SGDOptions{.lr = 0.02, .momentum = 0.9}));
  }
};

TEST(OracleOptimizers, ThousandStepsWithClippingScheduleAndAverage) {
  using namespace optim::schedule;
  const auto inverse = [](std::int64_t s) { return 1 / (1 + 0.01 * static_cast<double>(s)); };
  const std::map<std::string, WholeRun> runs = {
      {"cosine", {.schedule = cosine(1000, 0.1), .max_norm = 0.8}},
      {"linear",
       {.schedule = linear(600, 0.25, 0.75), .max_norm = 0.8, .average = 0.9, .adaptive = true}},
      {"one_cycle",
       {.adamw = false,
        .schedule = one_cycle(1000),
        .max_norm = 0.7,
        .average = 0.9,
        .infinity = true}},
      {"cyclic", {.adamw = false, .schedule = cyclic(0.1, 70), .max_value = 0.5, .average = 0.9}},
      {"restarts", {.schedule = restarts(50, {.mult = 2, .end = 0.1}), .average = 0.5}},
      {"polynomial", {.schedule = polynomial(900, 2), .max_norm = 0.8}},
      {"exponential",
       {.adamw = false,
        .schedule = exponential(0.999),
        .max_norm = 0.8,
        .average = 0.9,
        .adaptive = true}},
      {"step", {.adamw = false, .schedule = step(90, 0.7)}},
      {"multi_step",
       {.schedule = multi_step({50, 300, 301, 800}, 0.4), .max_norm = 0.7, .infinity = true}},
      {"constant", {.schedule = constant(0.25, 333), .max_value = 0.5}},
      {"lambda", {.schedule = lambda(inverse), .max_norm = 0.8}},
      {"warmup_cosine", {.schedule = warmup(100, cosine(900)), .max_norm = 0.8, .average = 0.999}},
  };
  const auto expected = recorded("optim_runs.csv");
  ASSERT_EQ(expected.size(), runs.size());
  int compared = 0;
  for (const auto& [name, run] : runs) {
    const Tensor a = leaf(start_a), b = leaf(start_b);
    const auto optimizer = run.make(a, b);
    for (int s = 0; s < 1000; ++s) {
      set_gradients(a, b, s);
      optimizer->step();
      if (expected.at(name).count(s + 1) == 0) continue;
      Values got = values_of(a, b);
      const auto averages = optimizer->ema_state_dict();
      for (const double v : values_of(averages.at("0"), averages.at("1"))) got.push_back(v);
      compared += expect_recorded(expected.at(name), s + 1, got, name);
    }
  }
  EXPECT_EQ(compared, 12 * 6 * 14);
  std::printf("%-10s %6d values of %zu runs with clipping, schedule and average\n", "", compared,
              runs.size());
}

/// splitmix64, as in the exporter.
std::uint64_t draw(std::uint64_t& seed) {
  std::uint64_t z = seed += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

TEST(OracleOptimizers, TheLossScaleIsGradScalersForTenThousandPatterns) {
  const auto lines = read_fixture("loss_scales.csv");
  ASSERT_EQ(lines.size(), 10'000u);
  const Tensor w = leaf({0}, Dtype::f32);
  const Tensor bad = full({1}, std::numeric_limits<double>::infinity()), good = ones({1});
  int wrong = 0, overflows = 0, grown = 0;
  for (std::size_t k = 0; k < lines.size(); ++k) {
    constexpr double inits[] = {65536, 1, 1e38, 1e-3}, growths[] = {2, 1.5, 4},
                     backoffs[] = {0.5, 0.25, 0.3};
    const optim::LossScale scale{.init = inits[k % 4],
                                 .growth = growths[k % 3],
                                 .backoff = backoffs[k / 3 % 3],
                                 .interval = static_cast<int>(1 + k % 5),
                                 .min = 0};
    optim::SGD optimizer({w}, {.lr = 0, .loss_scale = scale});
    std::uint64_t random = k;
    std::uint32_t check = 2166136261;
    double before = scale.init;
    for (int s = 0; s < 40; ++s) {
      const bool overflow = draw(random) % (2 + k % 7) == 0;
      w.set_grad(overflow ? bad : good);
      optimizer.step();
      const double after = optimizer.state().loss_scale;
      overflows += overflow;
      grown += after > before;
      before = after;
      const float value = static_cast<float>(after);
      if (static_cast<double>(value) != after) check = 0;  // it must be an f32
      std::uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      check = (check ^ bits) * 16777619u;
    }
    wrong += check != std::stoul(lines[k][0], nullptr, 16);
  }
  EXPECT_EQ(wrong, 0) << "patterns of 10,000 whose scales are others";
  EXPECT_GT(overflows, 50'000);
  EXPECT_GT(grown, 50'000);
  std::printf("%-10s %6zu patterns of overflows, 40 loss scales each\n", "", lines.size());
}

TEST(Muon, MovesMatricesOnly) {
  const Tensor bias = leaf({1, 2, 3});
  try {
    optim::Muon(std::vector<Parameter>{{bias, "fc1.bias", Role::bias}});
    FAIL() << "a vector was taken";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()),
              "muon: it moves matrices, but parameter 'fc1.bias' has shape (3); give vectors to "
              "another optimizer, such as AdamW");
  }
}

TEST(Muon, MakesTheUpdateNearlyOrthogonal) {
  const Tensor w = zeros({6, 4}, {Dtype::f64}).set_requires_grad(true);
  optim::Muon optimizer({w}, {.lr = 1, .weight_decay = 0});
  manual_seed(3);
  w.set_grad(randn({6, 4}, {Dtype::f64}));
  optimizer.step();
  // The step is the update: its singular values are near 1, times sqrt(6 / 4).
  for (const double s : svdvals(w.detach()).to_vector<double>()) {
    EXPECT_GT(s / std::sqrt(1.5), 0.6);
    EXPECT_LT(s / std::sqrt(1.5), 1.3);
  }
}

TEST(Muon, LongRowsGiveWhatOneStepAfterAnotherGives) {
  manual_seed(5);
  const optim::MuonOptions options{.adjust_lr = optim::MuonRate::original};
  const auto [a, b, c] = options.ns_coefficients;
  const std::pair<int, int> shapes[] = {{3, 6}, {16, 400}, {64, 288}};
  for (const auto& [m, n] : shapes) {
    // Singular values over six orders of magnitude.
    const Tensor w =
        randn({m, n}, {Dtype::f64}) * pow(10.0, linspace(0, -6, m, {Dtype::f64})).unsqueeze(1);
    Tensor x = w / norm(w);
    for (int i = 0; i < options.ns_steps; ++i) {
      const Tensor g = matmul(x, x.t());
      x = x * a + matmul(g * b + matmul(g, g) * c, x);
    }
    const auto distance = [&, &x = x](const Tensor& update, const Tensor& expected) {
      return max(abs(update.to(Dtype::f64) - expected)).item<double>() / max(abs(x)).item<double>();
    };
    const Tensor own = w.clone(), single = w.to(Dtype::f32), tall = w.t().contiguous();
    optim::make_orthogonal(own, options, options.eps);
    optim::make_orthogonal(single, options, options.eps);
    optim::make_orthogonal(tall, options, options.eps);
    EXPECT_LT(distance(own, x), 1e-12) << m << " x " << n;
    EXPECT_LT(distance(single, x), 1e-4) << m << " x " << n;
    EXPECT_LT(distance(tall, x.t() * std::sqrt(static_cast<double>(n) / m)), 1e-11)
        << n << " x " << m;
  }
}

TEST(Lamb, NeitherDecaysNorAdaptsByRole) {
  const Tensor w = leaf({3, 4}), b = leaf({3, 4});
  const std::vector<Parameter> all = {{w, "w", Role::weight}, {b, "b", Role::bias}};
  optim::LAMB optimizer(all, {.lr = 0.01, .weight_decay = 0.1, .decay_by_role = true});
  set_gradient(w, {1, -1});
  set_gradient(b, {1, -1});
  optimizer.step();
  // The first update is the gradient's sign, to which w's decay adds 0.1 (3, 4).
  const double u0 = 1 + 0.3, u1 = -1 + 0.4, ratio = 5 / std::hypot(u0, u1);
  EXPECT_NEAR(w.to_vector<double>()[0], 3 - 0.01 * ratio * u0, 1e-7);
  EXPECT_NEAR(w.to_vector<double>()[1], 4 - 0.01 * ratio * u1, 1e-7);
  EXPECT_NEAR(b.to_vector<double>()[0], 3 - 0.01, 1e-7);
  EXPECT_NEAR(b.to_vector<double>()[1], 4 + 0.01, 1e-7);
}

}  // namespace
}  // namespace gradus
