// A trained model in another program: the weights that evaluations used, ready to compute.
#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/nn/state_dict.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/train_command.h"
#include "gradus/trainer/load_model.h"

namespace gradus::cli {
namespace {

struct LoadModel : TrainCommand {
  void SetUp() override {
    ASSERT_EQ(run(train("run", {"trainer.max_epochs=1", "run.device=cpu"})).status, 0);
  }
  TensorMap file(const char* name) {
    return load_safetensors(scratch / "run/checkpoints" / trainer::step_name(newest("run")) / name);
  }
};

void expect_weights(nn::Module& model, const TensorMap& weights) {
  const nn::StateDict own = nn::state_dict(model);
  ASSERT_EQ(own.size(), weights.size());
  for (const auto& [name, t] : own)
    EXPECT_EQ(t.to_vector<float>(), weights.at(name).to_vector<float>()) << name;
}

TEST_F(LoadModel, HoldsTheAveragedWeightsInEvalMode) {
  const int threads = num_threads();
  const auto model = trainer::load_model(scratch / "run");
  expect_weights(*model, file("ema.safetensors"));
  EXPECT_FALSE(model->is_training());
  EXPECT_EQ(num_threads(), threads);
  const NoGrad no_grad;
  EXPECT_EQ((*model)(zeros({3, 64})).shape(), Shape({3, 10}));
}

TEST_F(LoadModel, TakesSettingsAndOneCheckpoint) {
  const auto model =
      trainer::load_model(scratch / "run/checkpoints" / trainer::step_name(newest("run")),
                          {"trainer.evaluate_average=false"});
  expect_weights(*model, file("model.safetensors"));
}

TEST_F(LoadModel, SaysWhatIsMissing) {
  const auto message = [&](const fs::path& path, const std::vector<std::string>& settings) {
    try {
      trainer::load_model(path, settings);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_NE(message(scratch / "nothing", {}).find("nothing"), std::string::npos);
  EXPECT_NE(message(scratch / "run", {"data.train.path=gone.csv"}).find("gone.csv"),
            std::string::npos);
}

}  // namespace
}  // namespace gradus::cli
