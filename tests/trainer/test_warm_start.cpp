// Weights of another run or program taken by a new one: prefixes of wrappers, renamed parts, what
// is missing, what must not be missing, and the optimizer's state.
#include <nlohmann/json.hpp>

#include "gradus/autograd/functions.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/train_command.h"
#include "gradus/trainer/checkpoint/manifest.h"

namespace gradus::cli {
namespace {

struct WarmStart : TrainCommand {
  /// A run of one step that takes `weights`; its parameters before that step are the file's where
  /// the rate is 0.
  Said warm(const std::string& name, const fs::path& weights, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"trainer.max_steps=1", "optim.lr=0", "optim.weight_decay=0",
                               "checkpoint.warm_start.path=" + weights.string()});
    return run(train(name, more));
  }
  TensorMap model(const std::string& name, int step) {
    return load_safetensors(scratch / name / "checkpoints" / trainer::step_name(step) /
                            "model.safetensors");
  }
  static bool same(const Tensor& a, const Tensor& b) {
    return a.to_vector<float>() == b.to_vector<float>();
  }
  /// The weights of a run of three steps, under names that `renamed` gives them.
  fs::path written(const std::string& file, std::string (*renamed)(const std::string&)) {
    if (!fs::exists(scratch / "first")) {
      EXPECT_EQ(run(train("first", {"trainer.max_steps=3"})).status, 0);
    }
    TensorMap out;
    for (const auto& [name, tensor] : model("first", 3)) out[renamed(name)] = tensor;
    save_safetensors(scratch / file, out);
    return scratch / file;
  }
};

TEST_F(WarmStart, prefixes_of_wrappers_are_taken_off) {
  for (const char* prefix : {"module.", "_orig_mod.", "module._orig_mod."}) {
    static std::string put;
    put = prefix;
    const fs::path file =
        written("wrapped.safetensors", [](const std::string& name) { return put + name; });
    const Said said = warm("to_" + put, file);
    EXPECT_EQ(said.status, 0) << said.err;
    EXPECT_NE(said.out.find("\nloaded 4 of 4 tensors\n"), said.out.npos) << said.out;
    for (const auto& [name, tensor] : model("to_" + put, 1))
      EXPECT_TRUE(same(tensor, model("first", 3).at(name))) << prefix << name;
    for (const auto& [name, tensor] : model("to_" + put, 1))
      EXPECT_EQ(name.find("mod"), name.npos) << "no wrapper's name is written";
  }
}

TEST_F(WarmStart, parts_are_renamed_by_patterns) {
  const fs::path file = written("renamed.safetensors", [](const std::string& name) {
    return name.starts_with("1.") ? "encoder.deep" + name.substr(1) : name;
  });
  const Said said =
      warm("second", file, {"checkpoint.warm_start.rename=[[\"encoder.deep.*\", \"1.*\"]]"});
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_NE(said.out.find("\nloaded 4 of 4 tensors\n"), said.out.npos) << said.out;
  for (const auto& [name, tensor] : model("second", 1))
    EXPECT_TRUE(same(tensor, model("first", 3).at(name))) << name;
  const auto refused = [&](const std::string& pairs, const std::string& why) {
    const Said bad = warm("bad", file, {"checkpoint.warm_start.rename=" + pairs});
    EXPECT_EQ(bad.status, 2);
    EXPECT_NE(bad.err.find(why), bad.err.npos) << bad.err;
  };
  refused("[[\"decoder.*\", \"1.*\"]]", "\"decoder.*\" fits no name of");
  refused("[[\"encoder.*\", \"1\"]]", "expected one * on both sides");
  refused("[\"encoder.*\"]", "expected pairs [there, here]");
  TensorMap twice = model("first", 3);
  twice["again"] = twice["1.bias"];
  save_safetensors(scratch / "twice.safetensors", twice);
  const Said both = warm("bad", scratch / "twice.safetensors",
                         {"checkpoint.warm_start.rename=[[\"again\", \"1.bias\"]]"});
  EXPECT_EQ(both.status, 2);
  EXPECT_NE(both.err.find("\"1.bias\" and \"again\" would both be 1.bias"), both.err.npos)
      << both.err;
}

TEST_F(WarmStart, strict_refuses_what_is_missing_unexpected_or_of_another_shape) {
  const fs::path all = written("all.safetensors", [](const std::string& name) { return name; });
  EXPECT_EQ(warm("fits", all, {"checkpoint.warm_start.strict=true"}).status, 0);
  const fs::path other = written("other.safetensors", [](const std::string& name) {
    return name == "1.bias" ? std::string("1.offset") : name;
  });
  const Said loose = warm("loose", other);
  EXPECT_EQ(loose.status, 0) << loose.err;
  EXPECT_NE(loose.out.find("\nloaded 3 of 4 tensors; 1 missing: 1.bias; 1 unexpected: 1.offset\n"),
            loose.out.npos)
      << loose.out;
  const Said strict = warm("strict", other, {"checkpoint.warm_start.strict=true"});
  EXPECT_EQ(strict.status, 2);
  EXPECT_NE(strict.err.find("checkpoint.warm_start.strict"), strict.err.npos) << strict.err;
  EXPECT_NE(strict.err.find("1 missing: 1.bias; 1 unexpected: 1.offset"), strict.err.npos);
}

TEST_F(WarmStart, the_optimizers_state_comes_along_and_the_clock_does_not) {
  // Without averages a second run that takes everything makes the very steps that the first one
  // would have made, at the place in its own schedule where it is.
  const std::vector<std::string> plain = {"optim.ema_decay=0", "schedule.type=constant",
                                          "schedule.warmup=0", "model.dropout=0",
                                          "trainer.training_metric=none"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), plain.begin(), plain.end());
    return more;
  };
  ASSERT_EQ(run(train("whole", with({"trainer.max_steps=3"}))).status, 0);
  const auto second = [&](const std::string& name, const std::string& optimizer) {
    return run(train(name, with({"trainer.max_steps=1",
                                 "checkpoint.warm_start.path=" + (scratch / "whole").string(),
                                 "checkpoint.warm_start.optimizer=" + optimizer})));
  };
  const Said taken = second("taken", "true");
  EXPECT_EQ(taken.status, 0) << taken.err;
  EXPECT_NE(taken.out.find("loaded 4 of 4 tensors; the optimizer's state of 4 of 4 parameters\n"),
            taken.out.npos)
      << taken.out;
  ASSERT_EQ(second("fresh", "false").status, 0);
  const auto state = [&](const std::string& name, int step) {
    return load_safetensors(scratch / name / "checkpoints" / trainer::step_name(step) /
                            "optimizer/main.safetensors");
  };
  EXPECT_EQ(state("taken", 1).at("state.1.weight.step").item<std::int64_t>(), 4);
  EXPECT_EQ(state("fresh", 1).at("state.1.weight.step").item<std::int64_t>(), 1);
  EXPECT_EQ(state("taken", 1).at("clock.applied").item<std::int64_t>(), 1) << "the run's own";
  // exp_avg after one step = 0.9 m + 0.1 g: both runs see the same first gradient.
  const auto m = state("whole", 3).at("state.1.weight.exp_avg").to_vector<float>();
  const auto with_m = state("taken", 1).at("state.1.weight.exp_avg").to_vector<float>();
  const auto without = state("fresh", 1).at("state.1.weight.exp_avg").to_vector<float>();
  for (std::size_t i = 0; i < m.size(); ++i)
    ASSERT_NEAR(with_m[i], 0.9 * m[i] + without[i], 1e-6) << i;

  const Said other =
      run(train("other", with({"trainer.max_steps=1", "optim.type=sgd",
                               "checkpoint.warm_start.path=" + (scratch / "whole").string(),
                               "checkpoint.warm_start.optimizer=true", "optim.momentum=0.9"})));
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("no parameter's state fits optim.type = \"sgd\""), other.err.npos)
      << other.err;
  const fs::path file = scratch / "whole/checkpoints/step_000000003/model.safetensors";
  const Said bare = warm("bare", file, {"checkpoint.warm_start.optimizer=true"});
  EXPECT_EQ(bare.status, 2);
  EXPECT_NE(bare.err.find("holds no optimizer's state"), bare.err.npos) << bare.err;
}

TEST_F(WarmStart, a_folder_that_another_program_wrote_gives_weights_and_state) {
  ASSERT_EQ(run(train("ours", {"trainer.max_steps=3"})).status, 0);
  const fs::path checkpoint = scratch / "ours/checkpoints/step_000000003";
  const fs::path theirs = scratch / "theirs";
  fs::create_directories(theirs / "optimizer");
  fs::copy_file(checkpoint / "model.safetensors", theirs / "model.safetensors");
  const Said without = warm("without", theirs, {"checkpoint.warm_start.optimizer=true"});
  EXPECT_EQ(without.status, 2);
  EXPECT_NE(without.err.find("theirs holds no optimizer's state"), without.err.npos) << without.err;

  TensorMap state;  // no clock, no groups: what PyTorch knows
  for (const auto& [name, tensor] : load_safetensors(checkpoint / "optimizer/main.safetensors"))
    if (name.starts_with("state.")) state[name] = tensor;
  save_safetensors(theirs / "optimizer/main.safetensors", state);
  const Said said = warm("with", theirs, {"checkpoint.warm_start.optimizer=true"});
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_NE(said.out.find("loaded 4 of 4 tensors; the optimizer's state of 4 of 4 parameters\n"),
            said.out.npos)
      << said.out;

  fs::copy_file(checkpoint / trainer::manifest_name, theirs / trainer::manifest_name);
  const Said damaged = warm("damaged", theirs);  // ours, with files missing
  EXPECT_EQ(damaged.status, 2);
  EXPECT_NE(damaged.err.find("damaged"), damaged.err.npos) << damaged.err;
}

TEST_F(WarmStart, a_checkpoint_of_the_model_alone_gives_weights_and_no_run) {
  const std::vector<std::string> model_only = {"trainer.max_steps=3", "checkpoint.content=model"};
  ASSERT_EQ(run(train("small", model_only)).status, 0);
  const fs::path checkpoint = scratch / "small/checkpoints/step_000000003";
  EXPECT_TRUE(fs::exists(checkpoint / "model.safetensors"));
  EXPECT_TRUE(fs::exists(checkpoint / "ema.safetensors"));
  EXPECT_FALSE(fs::exists(checkpoint / "optimizer"));
  const Said resumed = run(train("small", {"trainer.max_steps=5"}));
  EXPECT_EQ(resumed.status, 2);
  EXPECT_NE(resumed.err.find("holds the model alone (checkpoint.content)"), resumed.err.npos)
      << resumed.err;
  EXPECT_NE(resumed.err.find("checkpoint.warm_start.path"), resumed.err.npos) << "and what to do";
  EXPECT_EQ(run({"eval", scratch / "small"}).status, 0);
  EXPECT_EQ(warm("next", scratch / "small").status, 0);
}

}  // namespace
}  // namespace gradus::cli
