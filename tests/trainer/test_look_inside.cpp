// gradus diff, export and inspect: what they say about files whose contents are known.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "gradus/kernels/create.h"
#include "gradus/kernels/literal.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/compare.h"
#include "gradus/trainer/config/differences.h"
#include "gradus/trainer/log/console.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using trainer::ScratchDirectory;

const std::string digits = std::string(GRADUS_SOURCE_DIR) + "/examples/digits.toml";

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

struct LookInside : ::testing::Test {
  ScratchDirectory scratch;
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(scratch / name) << text;
    return scratch / name;
  }
  std::string train(const std::string& name, Words settings) {
    Words words = {"train", digits};
    settings.push_back("run.directory=" + (scratch / name).string());
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    const Said said = run(words);
    EXPECT_EQ(said.status, 0) << said.err;
    return scratch / name;
  }
};

TEST_F(LookInside, differences_go_into_lists_and_tables) {
  const auto a = trainer::parse_toml(
      "[t]\nsame = [1, 2]\nlist = [{name = 'a', v = [1, 2, 3]}, 5]\ngone = {x = 1}\n", "a");
  const auto b = trainer::parse_toml(
      "[t]\nsame = [1, 2]\nlist = [{name = 'a', v = [1, 9]}, 5, 'new']\n'dot.ted' = []\n", "b");
  const auto found = trainer::differences(a, b);
  std::string text;
  for (const auto& d : found) text += d.key + ": " + d.before + " -> " + d.after + "\n";
  EXPECT_EQ(text,
            "t.list[0].v[1]: 2 -> 9\n"
            "t.list[0].v[2]: 3 -> \n"
            "t.list[2]:  -> \"new\"\n"
            "t.gone.x: 1 -> \n"
            "t.\"dot.ted\":  -> []\n");
  EXPECT_TRUE(trainer::differences(a, a).empty());
}

TEST_F(LookInside, diff_of_configurations_counts_defaults_and_says_what_a_resume_does) {
  const std::string text = "[trainer]\nmax_steps = 9\n[optim]\nbetas = [0.9, 0.99]\n";
  const std::string a = write("a.toml", text), b = write("b.toml", text + "lr = 1e-3\n");
  const Said same = run({"diff", a, b});
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_EQ(same.out, "- " + a + "\n+ " + b + "\nconfiguration: the same\n");
  const std::string c = write("c.toml",
                              "[trainer]\nmax_steps = 10\n[run]\nseed = 3\n[optim]\nlr = 0.5\n"
                              "betas = [0.9, 0.95]\n");
  const Said other = run({"diff", a, c});
  EXPECT_EQ(other.out, "- " + a + "\n+ " + c +
                           "\nconfiguration: 4 keys differ\n"
                           "  - run.seed = 0  # a resume refuses\n"
                           "  - optim.lr = 0.001  # a resume tells\n"
                           "  - optim.betas[1] = 0.99  # a resume tells\n"
                           "  - trainer.max_steps = 9\n"
                           "  + run.seed = 3  # a resume refuses\n"
                           "  + optim.lr = 0.5  # a resume tells\n"
                           "  + optim.betas[1] = 0.95  # a resume tells\n"
                           "  + trainer.max_steps = 10\n");
  EXPECT_EQ(run({"diff", a, "/no/such"}).status, 2);
  EXPECT_EQ(run({"diff", a}).status, 2);
}

TEST_F(LookInside, tensors_are_compared_by_name_shape_dtype_and_largest_difference) {
  const fs::path a = scratch / "a.safetensors", b = scratch / "b.safetensors";
  Tensor big = zeros({300, 300}), other = zeros({300, 300});
  big.data<float>()[70'000] = 1;
  other.data<float>()[70'000] = 1.5;
  other.data<float>()[5] = -0.25;
  const Tensor nan = full({2}, std::nan(""));
  save_safetensors(a, {{"big", big},
                       {"nan", nan},
                       {"shape", zeros({2, 3})},
                       {"type", zeros({2})},
                       {"left", zeros({1})},
                       {"bad", nan}});
  save_safetensors(b, {{"big", other},
                       {"nan", nan},
                       {"shape", zeros({3, 2})},
                       {"type", zeros({2}, {Dtype::f64})},
                       {"right", zeros({1})},
                       {"bad", tensor({std::nanf(""), 7.0F})}});
  const Said said = run({"diff", a, b});
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out, "- " + a.string() + "\n+ " + b.string() +
                          "\ntensors: 6 differ, 1 the same\n"
                          "  bad  F32 (2)  largest difference nan at (1), 1 of 2 elements\n"
                          "  big  F32 (300, 300)  largest difference 0.5 at (233, 100), 2 of 90000 "
                          "elements\n"
                          "  - left  F32 (1)\n"
                          "  + right  F32 (1)\n"
                          "  shape  F32 (2, 3) -> F32 (3, 2)\n"
                          "  type  F32 (2) -> F64 (2)\n");
  EXPECT_EQ(run({"diff", a, write("a.toml", "[trainer]\nmax_steps = 1\n")}).status, 2);
}

TEST_F(LookInside, diff_of_runs_compares_configuration_state_and_every_tensor) {
  const std::string a = train("a", {"trainer.max_steps=3"});
  const std::string b = train("b", {"trainer.max_steps=4"}),
                    c = train("c", {"trainer.max_steps=3"});
  const Said same = run({"diff", a, c});
  EXPECT_TRUE(has(same.out, "configuration: 1 key differs\n")) << same.out;  // run.directory
  for (const char* file : {"model", "ema", "optimizer/main"})
    EXPECT_TRUE(has(same.out, std::string(file) + ".safetensors: ")) << same.out;
  EXPECT_FALSE(has(same.out, "largest difference")) << same.out;
  const Said further = run({"diff", a, b});
  EXPECT_TRUE(has(further.out, "  - trainer.max_steps = 3\n")) << further.out;
  EXPECT_TRUE(has(further.out, "  state/attempted: 3 -> 4\n")) << further.out;
  EXPECT_FALSE(has(further.out, "last_validation/0")) << "by name, not by place: " << further.out;
  const std::string d = train("d", {"trainer.max_steps=3", "trainer.validate_every_n_steps=3"});
  const std::string e = train("e", {"trainer.max_steps=4", "trainer.validate_every_n_steps=2"});
  const Said judged = run({"diff", d, e});
  EXPECT_TRUE(has(judged.out, "  last_validation/valid/loss: ")) << judged.out;
  EXPECT_TRUE(has(judged.out, "  selection/best_values/valid/loss: ")) << judged.out;
  EXPECT_TRUE(has(judged.out, "  selection/history/2: none -> ")) << judged.out;
  EXPECT_TRUE(has(further.out, "model.safetensors: 4 differ, 0 the same\n")) << further.out;
  const Said checkpoint = run({"diff", a + "/checkpoints/newest", b + "/checkpoints/newest"});
  EXPECT_EQ(checkpoint.out, further.out);
}

TEST_F(LookInside, export_writes_the_models_own_keys) {
  const std::string a = train("a", {"trainer.max_steps=3"});
  const fs::path checkpoint = a + "/checkpoints/step_000000003", file = scratch / "m.safetensors";
  ASSERT_EQ(run({"export", a, "-o", file}).status, 0);
  const TensorMap live = load_safetensors(checkpoint / "model.safetensors");
  const TensorMap average = load_safetensors(checkpoint / "ema.safetensors");
  const auto same = [&](const TensorMap& expected) {
    const TensorMap written = load_safetensors(file);
    if (written.size() != expected.size()) return false;
    for (const auto& [name, t] : expected)
      if (!written.count(name) || written.at(name).to_vector<float>() != t.to_vector<float>())
        return false;
    return true;
  };
  EXPECT_TRUE(same(live));
  EXPECT_EQ(load_safetensors_metadata(file).at("format"), "pt");
  EXPECT_EQ(load_safetensors_metadata(file).at("gradus.step"), "3");
  EXPECT_EQ(run({"export", checkpoint, "-o", file, "--ema"}).status, 0);
  EXPECT_TRUE(same(average));
  EXPECT_FALSE(same(live));
  EXPECT_EQ(run({"export", a}).status, 2) << "-o is missing";
  EXPECT_EQ(run({"export", a, "-o", scratch / "m.pt"}).status, 2);
  const std::string b = train("b", {"trainer.max_steps=1", "optim.ema_decay=0"});
  EXPECT_TRUE(has(run({"export", b, "-o", file, "--ema"}).err, "has no averaged weights"));
}

TEST_F(LookInside, inspect_gives_statistics_and_counters) {
  const std::string a = train("a", {"trainer.max_steps=3"});
  const Said said = run({"inspect", a + "/checkpoints/newest"});
  EXPECT_EQ(said.status, 0) << said.err;
  for (const char* part : {"  attempted: 3\n", "  seed: 0\n", "  training samples: ",
                           "optimizer/main.safetensors:\n", "model.safetensors:\n"})
    EXPECT_TRUE(has(said.out, part)) << part << said.out;
  const fs::path file = scratch / "x.safetensors";
  save_safetensors(file, {{"w", tensor({1.0F, 3.0F, 5.0F, 7.0F})},
                          {"bad", tensor({HUGE_VALF, -2.0F})},
                          {"none", zeros({0, 3})}});
  EXPECT_EQ(run({"inspect", file}).out,
            file.string() +
                "\n"
                "  name  type        bytes  mean  deviation  least  most\n"
                "  bad   F32 (2)       8 B    -2          0     -2    -2  1 NOT FINITE\n"
                "  none  F32 (0, 3)    0 B     -          -      -     -\n"
                "  w     F32 (4)      16 B     4      2.236      1     7\n"
                "  3 tensors, 6 elements, " +
                trainer::bytes_text(static_cast<std::int64_t>(fs::file_size(file))) +
                ", 1 NOT FINITE\n  format = pt\n");
}

}  // namespace
}  // namespace gradus::cli
