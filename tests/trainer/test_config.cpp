// Configuration files: what is read, what is written back, and what each mistake is answered with.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gradus/tensor/error.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/config/key.h"

namespace gradus::trainer {
namespace {

const std::string stop = "[trainer]\nmax_steps = 10\n";

Config parsed(const std::string& text, const std::vector<std::string>& settings = {}) {
  return parse_config(text, "a.toml", "/folder", settings);
}

/// The error that a text is answered with.
std::string error_of(const std::string& text, const std::vector<std::string>& settings = {},
                     ErrorKind kind = ErrorKind::argument) {
  try {
    parsed(text, settings);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << "one line: " << e.what();
    return e.what();
  }
  return "no error";
}

TEST(Config, reads_every_kind_of_key) {
  const Config c = parsed(R"(
[run]
seed = 7
directory = "out/../here"
[run.signals]
INT = "save"
[data.train]
path = "/data/train.gz"
shape = [1, 28, 28]
transforms = ["flip", {type = "normalize", mean = 0.286}]
[data._off]
nonsense = 1
[data.valid]
from = "train"
fraction = 0.1
[data.test]
path = "t.csv"
[model]
type = "cnn"
channels = [32, 64]
[optim]
lr = 1
betas = [0.8, 0.95]
groups = [{name = "head", parameters = ["head.*"], weight_decay = 0}]
[trainer]
max_epochs = 8
batches_per_epoch = 0.5
training_metric = "valid/accuracy"
direction = "max"
)");
  EXPECT_EQ(c.run.seed, 7);
  EXPECT_EQ(c.run.directory, "/folder/here");
  EXPECT_EQ(c.run.signals.interrupt, "save");
  EXPECT_EQ(c.run.signals.term, "save_exit");
  ASSERT_EQ(c.data.size(), 3u) << "names that begin with _ are left out";
  EXPECT_EQ(c.data.at("train").path, "/data/train.gz");
  EXPECT_EQ(c.data.at("train").shape, (std::vector<std::int64_t>{1, 28, 28}));
  ASSERT_EQ(c.data.at("train").transforms.size(), 2u);
  EXPECT_EQ(*c.data.at("train").transforms[0].as<std::string>(), "flip");
  EXPECT_EQ(*c.data.at("train").transforms[1].find("mean")->value.as<double>(), 0.286);
  EXPECT_EQ(c.data.at("test").path, "/folder/t.csv");
  EXPECT_EQ(c.data.at("test").when, "end");
  EXPECT_EQ(c.data.at("valid").when, "validation");
  EXPECT_NE(c.model.options.find("channels"), nullptr);
  EXPECT_EQ(c.optim.lr, 1.0);
  EXPECT_EQ(c.optim.betas, (std::vector<double>{0.8, 0.95}));
  ASSERT_EQ(c.optim.groups.size(), 1u);
  EXPECT_EQ(c.optim.groups[0].lr, 1.0) << "a group starts from the optimizer's values";
  EXPECT_EQ(c.optim.groups[0].weight_decay, 0.0);
  EXPECT_TRUE(c.optim.groups[0].decay_by_role);
  const std::string group = "groups = [{name = 'a', parameters = ['*']";
  for (const char* all : {"true", "false"}) {
    const std::string table = std::string("[optim]\ndecay_by_role = ") + all + "\n" + group;
    EXPECT_EQ(parse_config(table + "}]\n", "a.toml", ".").optim.groups[0].decay_by_role,
              all == std::string("true"));
    EXPECT_TRUE(parse_config(table + ", decay_by_role = true}]\n", "a.toml", ".")
                    .optim.groups[0]
                    .decay_by_role);
  }
  EXPECT_EQ(c.trainer.batches_per_epoch, 0.5);
}

TEST(Config, settings_override_and_the_last_one_wins) {
  const Config c =
      parsed(stop, {"optim.lr=0.1", "optim.lr=0.2", "optim.type=sgd", "data.train.path=/x.csv",
                    "optim.betas=[0.5, 0.6]", "trainer.freeze=[\"a.*\"]", "run.name=2024-01-01"});
  EXPECT_EQ(c.optim.lr, 0.2);
  EXPECT_EQ(c.optim.type, "sgd");
  EXPECT_EQ(c.data.at("train").path, "/x.csv");
  EXPECT_EQ(c.optim.betas[1], 0.6);
  EXPECT_EQ(c.trainer.freeze, (std::vector<std::string>{"a.*"}));
  EXPECT_EQ(c.run.name, "2024-01-01") << "what is no number, string or list is a word";
  EXPECT_EQ(error_of(stop, {"optim.lr=fast"}),
            "--set optim.lr=fast: optim.lr: expected a number, got \"fast\" (a string)");
  EXPECT_EQ(error_of(stop, {"optim.lr"}),
            "--set optim.lr: expected key=value, such as optim.lr=0.01");
  EXPECT_EQ(error_of(stop, {"optim.betas=[1, "}),
            "--set optim.betas=[1, : the value is not valid TOML");
  EXPECT_EQ(error_of(stop, {"trainer.max_steps.x=1"}),
            "--set trainer.max_steps.x=1: a part of the key is not a table");
  EXPECT_NE(error_of(stop, {"optim.lr=1\nrun.seed = 2"}), "no error");
  for (const char* bad : {"=1", ".a=1", "a..b=1", "a.=1", ""})
    EXPECT_NE(error_of(stop, {bad}), "no error");
}

TEST(Config, errors_say_where_and_what_was_meant) {
  EXPECT_EQ(error_of("[optim]\n  learning_rate = 1\n"),
            "a.toml:2:3: unknown key \"optim.learning_rate\"; did you mean \"optim.lr\"?");
  EXPECT_EQ(error_of("[optim]\nmomentun = 1\n"),
            "a.toml:2:1: unknown key \"optim.momentun\"; did you mean \"optim.momentum\"?");
  EXPECT_EQ(error_of("[trainer]\nseed = 1\n"),
            "a.toml:2:1: unknown key \"trainer.seed\"; did you mean \"run.seed\"?");
  EXPECT_EQ(error_of("[data.train]\npath='x'\n[trainer]\nbatch_size = 1\n"),
            "a.toml:4:1: unknown key \"trainer.batch_size\"; did you mean "
            "\"data.train.batch_size\"?");
  EXPECT_EQ(error_of("[trianer]\n"),
            "a.toml:1:2: unknown key \"trianer\"; did you mean \"trainer\"?");
  EXPECT_EQ(error_of("[optim]\nzzzzzzzz = 1\n"), "a.toml:2:1: unknown key \"optim.zzzzzzzz\"");
  EXPECT_EQ(error_of("[optim]\nlr = true\n"),
            "a.toml:2:6: optim.lr: expected a number, got true (true or false)");
  EXPECT_EQ(error_of("[trainer]\nmax_steps = 1e4\n"),
            "a.toml:2:13: trainer.max_steps: expected an integer, got 10000.0 (a number)");
  EXPECT_EQ(error_of("[optim]\nbetas = [0.9]\n"),
            "a.toml:2:9: optim.betas: expected a list of 2, got 1");
  EXPECT_EQ(error_of("[optim]\nbetas = [0.9, 'x']\n"),
            "a.toml:2:15: optim.betas[1]: expected a number, got \"x\" (a string)");
  EXPECT_EQ(error_of("[optim]\nlr = -1\n"),
            "a.toml:2:6: optim.lr: -1 is too small; it must be at least 0");
  EXPECT_EQ(error_of("[optim]\nlr = nan\n"), "a.toml:2:6: optim.lr: nan is not a finite number");
  EXPECT_EQ(error_of("[run]\nprecision = 'fp8'\n"),
            "a.toml:2:13: run.precision: \"fp8\" is not one of f32, f64, bf16, fp16; did you mean "
            "\"fp16\"?");
  EXPECT_EQ(error_of("[run]\nseed = 'tine'\n"),
            "a.toml:2:8: run.seed: expected an integer or \"time\", got \"tine\" (a string)");
  EXPECT_EQ(error_of("[trainer]\nbatches_per_epoch = 1.5\n"),
            "a.toml:2:21: trainer.batches_per_epoch: expected a count, or a share between 0 and 1, "
            "got 1.5");
  EXPECT_EQ(
      error_of("[optim]\ngroups = [{lr = 1, name = 'x'}]\n"),
      "a.toml:2:11: missing key \"optim.groups[0].parameters\" (Patterns of parameter names.)");
  EXPECT_EQ(error_of("run = 3\n"), "a.toml:1:7: run: expected a table, got an integer");
  EXPECT_EQ(error_of("[optim]\nlr = 1\nlr = 2\n").substr(0, 11), "a.toml:3:6:");
  EXPECT_EQ(error_of("[run]\nname = 1979-05-27\n"),
            "a.toml:2:8: dates and times have no use in a configuration");
  EXPECT_EQ(error_of("[run]\nlanes = 2\n", {}, ErrorKind::unsupported),
            "a.toml:2:9: run.lanes: not in this version; leave it at 1; trainer.accumulate makes a "
            "larger "
            "batch of several small ones");
  EXPECT_EQ(error_of(stop + "[run]\nlanes = 1\n"), "no error");
}

TEST(Config, keys_that_contradict_each_other) {
  const std::string train = stop + "[data.train]\npath='x'\n";
  EXPECT_EQ(error_of(train), "no error");
  EXPECT_EQ(error_of("[data.train]\npath='x'\n"),
            "a.toml:1:1: trainer: the run would never stop: set trainer.max_steps or "
            "trainer.max_epochs");
  EXPECT_EQ(error_of(train + "[data.valid]\nfrom='trian'\nfraction=0.1\n"),
            "a.toml:6:6: data.valid.from: there is no dataset \"trian\"");
  EXPECT_NE(error_of(train + "[data.valid]\nfrom='train'\n"), "no error");
  EXPECT_NE(error_of(train + "[data.valid]\nfraction=0.5\n"), "no error");
  EXPECT_EQ(error_of(train + "[data.test]\npath='y'\n", {"trainer.training_metric=test/loss"}),
            "--set trainer.training_metric=test/loss: trainer.training_metric: \"test\" is "
            "evaluated only at the end and cannot select the best");
  EXPECT_NE(error_of(train, {"trainer.training_metric=loss"}), "no error");
}

TEST(Config, paths_expand_and_count_from_the_file) {
  setenv("GRADUS_TEST_DIR", "/from/env", 1);
  setenv("HOME", "/home/ada", 1);
  const auto path = [](const std::string& text) {
    return parsed("[run]\ndirectory = '" + text + "'\n").run.directory;
  };
  EXPECT_EQ(path("${GRADUS_TEST_DIR}/x"), "/from/env/x");
  EXPECT_EQ(path("~/x"), "/home/ada/x");
  EXPECT_EQ(path("a~b"), "/folder/a~b");
  EXPECT_EQ(path("x/y"), "/folder/x/y");
  EXPECT_EQ(path(""), "");
  EXPECT_EQ(parsed("[run]\nname = '${GRADUS_TEST_DIR}'\n").run.name, "${GRADUS_TEST_DIR}")
      << "only in paths";
  EXPECT_EQ(parsed("", {"run.directory=x"}).run.directory, std::filesystem::absolute("x"))
      << "the command line counts from where it is typed";
  EXPECT_EQ(parsed("[run]\ndirectory = 'x'\n", {"run.directory=\"\""}).run.directory, "") << "none";
  EXPECT_EQ(error_of("[run]\ndirectory = '${GRADUS_NO_SUCH}/x'\n"),
            "a.toml:2:13: run.directory: the environment has no GRADUS_NO_SUCH");
  EXPECT_NE(error_of("[run]\ndirectory = '${x'\n"), "no error");
  setenv("HOME", "", 1);
  EXPECT_EQ(error_of("[run]\ndirectory = '~/x'\n"),
            "a.toml:2:13: run.directory: ~ is used, but the environment has no HOME");
  setenv("HOME", "/home/ada", 1);
  EXPECT_NE(error_of("[run]\ndirectory = \"a\\u0000b\"\n"), "no error");
}

TEST(Config, resolved_text_gives_the_same_configuration) {
  const Config c = parsed(R"(
[data."odd name.x"]
path = "it's \"here\"\t"
transforms = ["flip", {type = "crop", pads = [4, 4]}]
[data.train]
path = "x"
[model]
layers = [{type = "linear", out = 10}, "relu"]
width = 3
[optim]
lr = 0.1
groups = [{name = "head", parameters = ["h.*"]}]
[trainer]
max_samples = 5
valid_batches_per_epoch = 3
)");
  const std::string text = to_toml(c);
  EXPECT_EQ(to_toml(parse_config(text, "config.toml", "/elsewhere")), text);
  EXPECT_NE(text.find("lr = 0.1\n"), text.npos);
  EXPECT_NE(text.find("width = 3\n"), text.npos);
  EXPECT_NE(text.find("layers = [{type = \"linear\", out = 10}, \"relu\"]\n"), text.npos);
  EXPECT_NE(text.find("valid_batches_per_epoch = 3\n"), text.npos);
  EXPECT_NE(text.find("path = \"/folder/it's \\\"here\\\"\\t\"\n"), text.npos);
}

TEST(Config, description_is_a_file_that_reads_back_as_the_defaults) {
  const std::string text = describe_config();
  Config c = parse_config(text, "reference.toml", ".", {"trainer.max_steps=1"});
  Config defaults = parse_config("data.train = {}", "empty", ".", {"trainer.max_steps=1"});
  EXPECT_EQ(to_toml(c), to_toml(defaults));
  EXPECT_NE(text.find("# Learning rate before the schedule.\nlr = 0.001\n"), text.npos);
}

/// Every row says what its key is for, in one sentence, and no name comes twice.
void check_rows(const Keys& keys, const std::string& prefix) {
  std::vector<std::string> names;
  for (const Key& key : keys) {
    EXPECT_EQ(key.about.back(), '.') << prefix << key.name;
    EXPECT_EQ(std::count(names.begin(), names.end(), key.name), 0) << prefix << key.name;
    names.push_back(key.name);
    if (const auto* section = std::get_if<Keys>(&key.slot)) check_rows(*section, key.name + ".");
  }
}

TEST(Config, rows_are_complete) {
  Config config;
  check_rows(keys(config), "");
  DataConfig data;
  check_rows(keys(data), "data.");
}

TEST(Config, open_tables_are_resolved_by_who_reads_them) {
  struct Mlp {
    std::vector<std::int64_t> hidden = {64};
    double dropout = 0;
  } mlp;
  const Keys rows = {Key("hidden", &mlp.hidden, "Hidden sizes.").at_least(1),
                     Key("dropout", &mlp.dropout, "Dropout.").at_least(0).at_most(1)};
  Config c = parsed("[model]\ntype = 'mlp'\nhidden = [128, 32]\n");
  resolve(c.model.options, rows, "model", c.folder);
  EXPECT_EQ(mlp.hidden, (std::vector<std::int64_t>{128, 32}));
  EXPECT_NE(to_toml(c).find("hidden = [128, 32]\ndropout = 0.0\n"), std::string::npos);
  Config bad = parsed("[model]\ntype = 'mlp'\nhiden = [128, 32]\n");
  try {
    resolve(bad.model.options, rows, "model", bad.folder);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "a.toml:3:1: unknown key \"model.hiden\"; did you mean \"model.hidden\"?");
  }
  try {
    c.fail("model.type", "no such model");
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "a.toml:2:8: model.type: no such model");
  }
}

TEST(Config, letters_beyond_ascii_stand_in_quotes_and_comments) {
  const auto is_toml = [](const std::string& text) {
    EXPECT_TRUE(parse_toml(text, "a.toml").find("v") != nullptr) << text;
  };
  is_toml("\xef\xbb\xbfv = 'é' # є");
  is_toml("v = [\"\"\"é\"\"\"\", 'є']\n");
  is_toml("v = ['''é''''', \"є\"]\n");
  is_toml("v = \"\"\"a\\\n  є\"\"\"");
  is_toml("'é' = 1\nv.\"є\" = \"\\\"é\"\n");
  const std::string rest =
      "' outside of quotes; only \"...\", '...' and comments hold letters that are not ASCII";
  EXPECT_EQ(error_of("\n[run]\nname = “x”\n"), "a.toml:3:8: '“" + rest);
  EXPECT_EQ(error_of("v = 'é' є"), "a.toml:1:9: 'є" + rest);
  EXPECT_EQ(error_of("é = 1"), "a.toml:1:1: 'é" + rest);
  EXPECT_EQ(error_of("v =\u00a01"), "a.toml:1:4: '\u00a0" + rest);
  EXPECT_EQ(error_of("v = 1 \xfa"), "a.toml:1:6: Encountered invalid utf-8 sequence");
  EXPECT_EQ(error_of("v = [0.\"\"\"\u01fd, 9]"),
            "a.toml:1:8: Error while parsing floating-point: expected decimal digit, saw '\"'");
  EXPECT_EQ(error_of("\xef\xbb\xbfv = є"), "a.toml:1:5: 'є" + rest);
}

TEST(Config, hostile_files_end_in_one_clear_line) {
  std::string deep, list, strings = "a = \"";
  for (int i = 0; i < 300000; ++i) deep += "a.";
  for (int i = 0; i < 300000; ++i) list += "[";
  for (int i = 0; i < 100000; ++i) strings += "x.";
  EXPECT_EQ(error_of("\n" + deep + "b = 1"), "a.toml:2:1: a key of more than 64 parts");
  EXPECT_EQ(error_of("[" + deep + "b]"), "a.toml:1:1: a key of more than 64 parts");
  EXPECT_EQ(error_of("x = '''\n''' # '\n" + deep + "b = 1").substr(0, 11), "a.toml:3:1:");
  EXPECT_NE(error_of("a = " + list), "no error");
  EXPECT_EQ(error_of(strings + "\"\n"), "a.toml:1:1: unknown key \"a\"") << "dots in a string";
  EXPECT_NE(error_of(std::string(2 << 20, '#')), "no error");
  EXPECT_NE(error_of(std::string("a = \0", 5)), "no error");
  EXPECT_NE(error_of("a = \"\xff\xfe\"\n"), "no error");
  EXPECT_NE(error_of("\"\" = 1\n"), "no error");
  EXPECT_NE(error_of("[data.\"\"]\npath = 'x'\nfraction = 3\n"), "no error");
  EXPECT_NE(error_of("[trainer]\nmax_steps = 99999999999999999999\n"), "no error");
}

TEST(Config, files_that_cannot_be_read) {
  const auto message = [](const std::string& file) -> std::string {
    try {
      load_config(file);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::argument);
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(message("/no/such/file.toml"), "/no/such/file.toml: No such file or directory");
  EXPECT_EQ(message("/"), "/: is a directory; expected a configuration file");
  const std::string file = ::testing::TempDir() + "gradus_config.toml";
  std::ofstream(file) << "[run]\ndirectory = 'x'\n";
  EXPECT_EQ(load_config(file).run.directory, std::filesystem::path(::testing::TempDir()) / "x");
  std::filesystem::remove(file);
}

TEST(Config, defaults_that_depend_on_other_keys) {
  const std::string data = "[data.train]\npath='x.csv'\n[trainer]\nmax_steps = 1\n";
  EXPECT_EQ(parsed(data).trainer.training_metric, "");
  EXPECT_EQ(parsed(data + "[data.valid]\npath='y.csv'\n").trainer.training_metric, "valid/loss");
  EXPECT_EQ(parsed(data + "[data.valid]\npath='y.csv'\nwhen='end'\n").trainer.training_metric, "");
  EXPECT_EQ(parsed(data).schedule.gamma, 0.1);
  EXPECT_EQ(parsed(data + "[schedule]\ntype='restarts'\n").schedule.gamma, 1);
  EXPECT_EQ(parsed(data + "[schedule]\ntype='restarts'\ngamma=0.5\n").schedule.gamma, 0.5);
}

TEST(Config, nearest_counts_typing_errors) {
  EXPECT_EQ(nearest("momentmu", {"momentum", "nesterov"}), "momentum");
  EXPECT_EQ(nearest("adm", {"sgd", "adam", "adamw"}), "adam");
  EXPECT_EQ(nearest("lr", {"eps", "type"}), "");
  EXPECT_EQ(nearest("", {"a"}), "");
}

}  // namespace
}  // namespace gradus::trainer
