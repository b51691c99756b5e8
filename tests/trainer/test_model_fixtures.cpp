// Models from a configuration against PyTorch's: the same keys, loaded strictly, and from the same
// inputs the same outputs and gradients. The fixtures: tests/oracle/make_model_fixtures.py.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "gradus/nn/state_dict.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/tasks/models.h"

namespace gradus::trainer {
namespace {

struct Fixtures {
  TensorMap tensors;
  nlohmann::json cases;
  const Tensor& at(const std::string& name, const std::string& key) const {
    return tensors.at(name + "/" + key);
  }
};
const Fixtures& fixtures() {
  static const Fixtures all = [] {
    const std::filesystem::path path = GRADUS_SOURCE_DIR "/tests/oracle/models.safetensors";
    return Fixtures{load_safetensors(path),
                    nlohmann::json::parse(load_safetensors_metadata(path).at("cases"))};
  }();
  return all;
}

/// The model that the case's TOML text describes, with PyTorch's weights in it.
std::shared_ptr<nn::Module> model_of(const std::string& name, Dtype dtype) {
  const nlohmann::json& about = fixtures().cases[name];
  Config config = parse_config(
      "[model]\n" + about["toml"].get<std::string>() + "\n[trainer]\nmax_steps = 1\n", name, ".");
  Shape sample = fixtures().at(name, "in").shape();
  sample.erase(0);
  const auto model = build_model(config, {sample, about["vocabulary"]}, about["outputs"]);
  model->to(dtype);
  nn::StateDict dict;
  for (const auto& key : about["keys"])
    dict.insert(key, fixtures().at(name, "state." + key.get<std::string>()));
  nn::load_state_dict(*model, dict, /*strict=*/true);
  return model;
}

void expect_near(const Tensor& got, const Tensor& want, double tolerance, const std::string& what) {
  ASSERT_TRUE(got.defined()) << what;
  ASSERT_EQ(got.shape(), want.shape()) << what;
  const auto a = got.detach().to_vector<double>(), b = want.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_LE(std::abs(a[i] - b[i]), tolerance * std::max(1.0, std::abs(b[i]))) << what << " " << i;
}

void compare(const std::string& name, Dtype dtype, double tolerance) {
  const Fixtures& f = fixtures();
  const auto model = model_of(name, dtype);
  Tensor x = f.at(name, "in");
  if (x.is_floating()) x = x.to(dtype);
  const Tensor y = (*model)(x);
  expect_near(y, f.at(name, "out"), tolerance, "output");
  y.backward(f.at(name, "dy").to(dtype));
  std::set<std::string> compared;
  for (const auto& [key, p] : model->named_parameters()) {
    // Of a tied weight PyTorch and we may keep different names.
    const auto want = f.tensors.find(name + "/grad." + key);
    ASSERT_NE(want, f.tensors.end()) << key;
    expect_near(p.grad(), want->second, tolerance, "gradient of " + key);
    compared.insert(key);
  }
  EXPECT_GE(compared.size(), 2u);
  // After the step above batch norms have running statistics of this batch.
  model->eval();
  expect_near((*model)(x), f.at(name, "eval"), tolerance, "output in eval mode");
}

TEST(ModelFixtures, models_compute_what_pytorch_computes) {
  for (const auto& [name, about] : fixtures().cases.items()) {
    SCOPED_TRACE(name);
    compare(name, Dtype::f64, 1e-10);
    compare(name, Dtype::f32, 2e-4);
  }
}

TEST(ModelFixtures, keys_are_pytorchs) {
  for (const auto& [name, about] : fixtures().cases.items()) {
    std::set<std::string> ours, theirs;
    for (const auto& [key, t] : nn::state_dict(*model_of(name, Dtype::f32))) ours.insert(key);
    for (const auto& key : about["keys"]) theirs.insert(key);
    EXPECT_EQ(ours, theirs) << name;
  }
}

/// One entry a type of [model], so that none can be added or lost unseen.
TEST(ModelFixtures, every_type_has_a_case) {
  for (const char* type : {"mlp", "cnn", "resnet9", "unet", "gpt", "lstm", "vit"})
    EXPECT_TRUE(fixtures().cases.contains(type)) << type;
}

}  // namespace
}  // namespace gradus::trainer
