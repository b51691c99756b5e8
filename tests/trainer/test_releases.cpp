// Checkpoints that former versions wrote, one folder a release in tests/trainer/releases, each with
// its configuration and data: everything in them is read, and their runs go on. What a later
// version writes is refused by name, and never passed over for an older checkpoint.
#include <nlohmann/json.hpp>

#include "gradus/nn/state_dict.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/train_command.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/trainer.h"

namespace gradus::cli {
namespace {

const fs::path releases = fs::path(GRADUS_SOURCE_DIR) / "tests/trainer/releases";

std::vector<std::string> names_of_releases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(releases))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

struct Releases : TrainCommand {
  /// A copy of a release's run to go on with.
  fs::path run_of(const std::string& release) {
    fs::copy(releases / release, scratch / release, fs::copy_options::recursive);
    return scratch / release / "run";
  }
  std::vector<std::string> own_data(const std::string& release) {
    return {"data.train.path=" + (scratch / release / "numbers.csv").string(), "run.device=cpu"};
  }
  fs::path newest_of(const fs::path& run) {
    std::vector<std::string> skipped;
    const auto found = trainer::CheckpointStore(trainer::Files::system(), run / "checkpoints")
                           .newest_good(skipped);
    EXPECT_TRUE(found && skipped.empty());
    return found ? found->path : fs::path();
  }
  static void expect_same(const TensorMap& stored, const TensorMap& loaded) {
    for (const auto& [name, tensor] : stored) {
      const auto found = loaded.find(name);
      ASSERT_NE(found, loaded.end()) << name;
      EXPECT_EQ(found->second.dtype(), tensor.dtype()) << name;
      EXPECT_EQ(found->second.to(Dtype::f64).to_vector<double>(),
                tensor.to(Dtype::f64).to_vector<double>())
          << name;
    }
  }
};

TEST_F(Releases, this_one_is_there) {
  const std::vector<std::string> names = names_of_releases();
  EXPECT_NE(std::find(names.begin(), names.end(), "0.1.0"), names.end());
}

TEST_F(Releases, every_part_of_a_checkpoint_is_read) {
  for (const std::string& release : names_of_releases()) {
    SCOPED_TRACE(release);
    const fs::path checkpoint = newest_of(run_of(release));
    const trainer::SavedState saved = trainer::read_saved_state(checkpoint);
    trainer::Config config =
        trainer::parse_config(saved.config, "stored", checkpoint, own_data(release));
    const auto data = trainer::open_datasets(config);
    const auto task = trainer::make_classify(config, data);
    trainer::Trainer trainer(config, task, data);
    trainer.load(checkpoint);
    EXPECT_EQ(trainer.state().attempted, 7);
    EXPECT_EQ(trainer.state().epoch, 1);
    EXPECT_EQ(trainer.state().cursor, 8);
    EXPECT_EQ(trainer.state().samples, 28);
    EXPECT_EQ(trainer.state().valid_step, 2);
    EXPECT_EQ(saved.seed, 3);
    EXPECT_EQ(saved.selection.metric, "valid/loss");
    EXPECT_EQ(saved.selection.history.size(), 2u);
    EXPECT_EQ(saved.last_validation.at(0).first, "valid/loss");
    expect_same(load_safetensors(checkpoint / "model.safetensors"), nn::state_dict(task->module()));
    expect_same(load_safetensors(checkpoint / "ema.safetensors"),
                trainer.optimizer().ema_state_dict());
    const TensorMap optimizer = load_safetensors(checkpoint / "optimizer/main.safetensors");
    expect_same(optimizer, trainer.optimizer().state_dict(/*averages=*/false));
    EXPECT_EQ(optimizer.at("clock.loss_scale").item<double>(), 4096) << "it has grown twice";
    EXPECT_EQ(optimizer.at("clock.norms").item<std::int64_t>(), 7);
    EXPECT_TRUE(fs::exists(checkpoint / "optimizer/plateau.safetensors"));
  }
}

TEST_F(Releases, its_run_goes_on_and_its_judgement_is_ours) {
  for (const std::string& release : names_of_releases()) {
    SCOPED_TRACE(release);
    const fs::path run_directory = run_of(release);
    const auto words = [&](Words first, std::vector<std::string> settings) {
      for (const std::string& setting : own_data(release)) settings.push_back(setting);
      for (const std::string& setting : settings) first.insert(first.end(), {"--set", setting});
      return first;
    };
    const auto stored = trainer::read_saved_state(run_directory / "checkpoints/step_000000006");
    const Said judged = run(words({"eval", run_directory / "checkpoints/step_000000006"}, {}));
    ASSERT_EQ(judged.status, 0) << judged.err;
    // Another processor and another compiler may round otherwise, in half precision visibly so.
    EXPECT_NEAR(nlohmann::json::parse(judged.last_line())["valid/loss"].get<double>(),
                stored.last_validation.at(0).second, 2e-3);
    const Said went_on = run(words({"resume", run_directory, "--allow-change", "data.train.path"},
                                   {"trainer.max_steps=12"}));
    EXPECT_EQ(went_on.status, 0) << went_on.err;
    EXPECT_EQ(went_on.out.rfind("resuming ", 0), 0u) << went_on.out;
    EXPECT_EQ(nlohmann::json::parse(went_on.last_line())["step"], 12);
  }
}

TEST_F(Releases, a_newer_checkpoint_is_refused_by_name_and_not_passed_over) {
  const fs::path run_directory = run_of("0.1.0");
  auto state = nlohmann::ordered_json::parse(text_of(newest_of(run_directory) / "state.json"));
  state["format_version"] = 2;
  state["engine"] = "7.5.0";
  trainer::CheckpointStore(trainer::Files::system(), run_directory / "checkpoints")
      .publish(9, {{"state.json", [&](trainer::CheckpointFile& f) { f.write(state.dump()); }}});
  const Said said = run({"resume", run_directory, "--set", own_data("0.1.0")[0]});
  EXPECT_EQ(said.status, 2);
  EXPECT_NE(said.err.find("step_000000009/state.json: checkpoint format 2, written by version "
                          "7.5.0, is newer than this program ("),
            said.err.npos)
      << said.err;
}

}  // namespace
}  // namespace gradus::cli
