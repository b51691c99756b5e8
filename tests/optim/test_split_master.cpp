// Split masters: every f32 comes back, every rule makes the bits that it makes of a whole master,
// on both devices; 2 bytes a parameter less; and a checkpoint does not know the difference.
#include <cmath>
#include <limits>

#include "gradus/kernels/create.h"
#include "gradus/kernels/split_master.h"
#include "gradus/tensor/device.h"
#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;

std::uint32_t bits_of(float v) { return __builtin_bit_cast(std::uint32_t, v); }

TEST(SplitMaster, EveryFloatComesBack) {
  const std::uint32_t lowers[] = {0,      1,      0x3fff, 0x7ffe, 0x7fff, 0x8000,
                                  0x8001, 0x8002, 0xabcd, 0xfffe, 0xffff};
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : lowers) {
      const std::uint32_t u = upper << 16 | lower;
      const float v = __builtin_bit_cast(float, u);
      const SplitFloat s = split_float(v);
      const float back = join_float(s.low, s.remainder);
      if (std::isnan(v)) {
        ASSERT_TRUE(std::isnan(static_cast<float>(s.low)) && std::isnan(back)) << std::hex << u;
        ASSERT_EQ(bits_of(back), u | 0x400000u) << "quiet, else the same";
        continue;
      }
      ASSERT_EQ(bits_of(back), u);
      // The nearest bf16, as a cast gives it, but for ties, which go away from zero.
      const std::uint16_t tie = static_cast<std::uint16_t>(upper + 1);
      ASSERT_EQ(s.low.bits, lower == 0x8000 ? tie : bf16(v).bits) << std::hex << u;
    }
  }
}

using Make = std::unique_ptr<optim::Optimizer> (*)(const std::vector<Parameter>&, bool split);

template <class O, class Options>
std::unique_ptr<optim::Optimizer> make(const std::vector<Parameter>& p, Options options,
                                       bool split) {
  options.schedule = optim::schedule::warmup(3, optim::schedule::cosine(20));
  options.max_grad_norm = 1;
  options.ema_decay = 0.9;
  options.split_master = split;
  return std::make_unique<O>(p, options);
}

const std::pair<const char*, Make> rules[] = {
    {"sgd", [](const std::vector<Parameter>& p,
               bool s) { return make<optim::SGD>(p, optim::SGDOptions{.lr = 0.1}, s); }},
    {"adamw", [](const std::vector<Parameter>& p,
                 bool s) { return make<optim::AdamW>(p, optim::AdamWOptions{.lr = 1e-3}, s); }},
    {"adan", [](const std::vector<Parameter>& p,
                bool s) { return make<optim::Adan>(p, optim::AdanOptions{}, s); }},
    {"lars",  // also reads |p| from the halves
     [](const std::vector<Parameter>& p, bool s) {
       return make<optim::LARS>(p, optim::LARSOptions{.lr = 1, .momentum = 0.9}, s);
     }},
    {"lamb",  // reads them in the pass before
     [](const std::vector<Parameter>& p, bool s) {
       return make<optim::LAMB>(p, optim::LAMBOptions{.weight_decay = 0.1}, s);
     }},
    {"muon", [](const std::vector<Parameter>& p,
                bool s) { return make<optim::Muon>(p, optim::MuonOptions{}, s); }},
};

/// Two bf16 parameters, one of more than a chunk and no multiple of a vector, and one of f32.
struct Model {
  std::vector<Tensor> tensors;
  std::unique_ptr<optim::Optimizer> optimizer;
  Model(Make make, bool split, Device device) {
    std::vector<Parameter> parameters;
    for (const std::int64_t n : {7 * 2429, 7 * 5, 7 * 10}) {  // matrices, for Muon
      const Tensor t = sin(arange(n, {Dtype::f32}) * 0.37)
                           .reshape({7, n / 7})
                           .to(n == 70 ? Dtype::f32 : Dtype::bf16)
                           .to(device)
                           .set_requires_grad(true);
      tensors.push_back(t);
      parameters.push_back({t, "p" + std::to_string(n), Role::weight});
    }
    optimizer = make(parameters, split);
  }
  void steps(int from, int to) {
    for (int s = from; s < to; ++s) {
      for (const Tensor& t : tensors) {
        const Tensor g = cos(arange(t.numel(), {Dtype::f32}) * (0.11 * (s + 1)));
        t.set_grad(g.reshape(t.shape()).to(t.dtype()).to(t.device()));
      }
      if (s == 4) tensors[1].grad().slice(0, 0, 1).fill_(INFINITY);  // skipped
      optimizer->step();
    }
  }
};

std::vector<Device> devices() {
  std::vector<Device> all = {Device::cpu()};
  if (has_cuda && cuda_device_count() > 0) all.push_back(Device::cuda());
  return all;
}

void expect_same_state(const Model& a, const Model& b, const std::string& where) {
  const auto of_a = a.optimizer->state_dict(), of_b = b.optimizer->state_dict();
  ASSERT_EQ(of_a.size(), of_b.size());
  for (const auto& [key, t] : of_a) {
    ASSERT_EQ(of_b.count(key), 1u) << key;
    EXPECT_EQ(t.to_vector<double>(), of_b.at(key).to_vector<double>()) << where << ": " << key;
  }
}

TEST(SplitMaster, EveryRuleMakesTheBitsOfAWholeMaster) {
  for (const Device device : devices()) {
    for (const auto& [name, make] : rules) {
      Model whole(make, false, device), split(make, true, device);
      whole.steps(0, 12);
      split.steps(0, 12);
      expect_same_state(whole, split, name);
      const auto check_weights = [&] {
        for (std::size_t i = 0; i < 2; ++i) {
          const auto master = split.optimizer->items()[i].weight().to(Device::cpu());
          const auto low = split.tensors[i].detach().to(Device::cpu());
          for (std::int64_t k = 0; k < low.numel(); ++k)
            ASSERT_EQ(low.data<bf16>()[k].bits, split_float(master.data<float>()[k]).low.bits);
        }
      };
      check_weights();
      const auto before = split.optimizer->items()[0].weight().to_vector<float>();
      {
        const auto a = whole.optimizer->ema(), b = split.optimizer->ema();
        EXPECT_EQ(split.optimizer->items()[0].weight().to_vector<float>(),
                  whole.optimizer->items()[0].weight().to_vector<float>());
        check_weights();
      }
      EXPECT_EQ(split.optimizer->items()[0].weight().to_vector<float>(), before);
    }
  }
}

TEST(SplitMaster, ACheckpointIsTheSameAndLoadsBothWays) {
  const Make adamw = rules[1].second;
  for (const bool first_splits : {false, true}) {
    Model whole(adamw, false, Device::cpu()), first(adamw, first_splits, Device::cpu()),
        second(adamw, !first_splits, Device::cpu());
    whole.steps(0, 11);
    first.steps(0, 7);
    second.steps(0, 2);
    second.optimizer->load_state_dict(first.optimizer->state_dict());
    const NoGrad guard;
    second.tensors[2].copy_(first.tensors[2]);
    second.steps(7, 11);
    expect_same_state(whole, second, "loaded");
  }
}

TEST(SplitMaster, AWrittenParameterIsTheWholeMaster) {
  const Tensor p = leaf({1, -2}, Dtype::bf16);
  optim::SGD opt({p}, {.lr = 0.001, .split_master = true});
  set_gradient(p, {1, 1});
  opt.step();  // the remainders hold something now
  {
    const NoGrad guard;
    p.fill_(4);
  }
  set_gradient(p, {2, 0});
  opt.step();
  EXPECT_EQ(opt.items()[0].weight().to_vector<float>(), (std::vector<float>{4 - 0.002f, 4}));
}

TEST(SplitMaster, AParameterTakesFourBytesForWeightAndMaster) {
  constexpr std::int64_t n = 1 << 16;
  const auto bytes_with = [](Dtype dtype, bool split) {
    const std::int64_t before = cpu_memory_stats().now;
    const Tensor p = zeros({n}, {dtype}).set_requires_grad(true);
    const optim::SGD opt({p}, {.lr = 1, .split_master = split});
    return cpu_memory_stats().now - before;
  };
  const std::int64_t whole = bytes_with(Dtype::bf16, false);
  EXPECT_EQ(whole - bytes_with(Dtype::bf16, true), 2 * n);
  EXPECT_EQ(bytes_with(Dtype::f16, true), whole) << "f16 is no half of an f32";
}

}  // namespace
}  // namespace gradus
