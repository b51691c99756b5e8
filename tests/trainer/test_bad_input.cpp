// What a user may hand to the program by mistake or on purpose: one clear line on standard error,
// status 2, no run directory. Readers alone are tested in test_readers.cpp, checkpoints whose
// checksums do not hold in test_store.cpp.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/checkpoint/store.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using trainer::ScratchDirectory;

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return (std::stringstream() << stream.rdbuf()).str();
}

void write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

const std::string rows = "1,2,3,4,0\n4,3,2,1,1\n0,1,0,1,2\n9,8,7,6,0\n5,5,5,5,1\n2,0,2,0,2\n";

/// An IDX file of unsigned bytes.
std::string idx(const std::vector<std::uint32_t>& dims, std::size_t elements) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (const std::uint32_t d : dims)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(d >> shift);
  return bytes + std::string(elements, '\1');
}

struct BadInput : ::testing::Test {
  ScratchDirectory scratch;

  void SetUp() override {
    write(scratch / "rows.csv", rows);
    write(scratch / "run.toml", config("path = \"rows.csv\""));
  }
  static std::string config(const std::string& train) {
    return "[data.train]\n" + train +
           "\n[model]\ntype = \"mlp\"\nhidden = [4]\n[trainer]\nmax_steps = 3\n";
  }
  Words train(const Words& settings = {}) const {
    Words words = {"train", scratch / "run.toml",
                   "--set", "run.directory=" + (scratch / "run").string(),
                   "--set", "run.threads=1"};
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    return words;
  }
  void expect_refused(const Words& words, const std::string& part, const std::string& what) const {
    const Said said = run(words);
    EXPECT_EQ(said.status, 2) << what << ": " << said.err;
    EXPECT_EQ(said.out, "") << what;
    EXPECT_EQ(said.err.rfind("gradus: ", 0), 0u) << what << ": " << said.err;
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << what << ": " << said.err;
    EXPECT_NE(said.err.find(part), std::string::npos) << what << ": " << said.err;
    EXPECT_FALSE(fs::exists(scratch / "run")) << what;
  }
};

TEST_F(BadInput, files_that_are_not_what_the_configuration_says) {
  struct {
    const char *what, *samples, *labels;  // names of files; labels "" for CSV
    std::string sample_bytes, label_bytes;
    const char* says;
  } const cases[] = {
      {"labels of another number", "x.idx", "y.idx", idx({4, 2, 2}, 16), idx({3}, 3),
       "y.idx: labels of shape (3) do not fit images of shape (4, 2, 2) in "},
      {"images in place of labels", "x.idx", "y.idx", idx({4, 2, 2}, 16), idx({4, 2, 2}, 16),
       "y.idx: labels of shape (4, 2, 2) do not fit"},
      {"no samples", "x.idx", "y.idx", idx({0, 2, 2}, 0), idx({0}, 0), "x.idx: no samples"},
      {"samples of no pixels", "x.idx", "y.idx", idx({4, 0, 2}, 0), idx({4}, 4),
       "x.idx: no samples"},
      {"a file that announces 8 TiB", "x.idx", "y.idx", idx({0x7fffffff, 0x1000, 1}, 9),
       idx({4}, 4), "x.idx: ends within the IDX elements"},
      {"labels that are empty", "x.idx", "y.idx", idx({4, 2, 2}, 16), "",
       "y.idx: ends within the IDX header"},
      {"one class", "x.csv", "", "1,2,0\n3,4,0\n", "", "at least two classes"},
      {"a negative class", "x.csv", "", rows + "1,1,1,1,-1\n", "",
       "x.csv: row 7: the last column is -1, expected a class"},
      {"a class that is no integer", "x.csv", "", rows + "1,1,1,1,0.5\n", "",
       "x.csv: row 7: the last column is 0.5"},
      {"a class beyond every integer", "x.csv", "", rows + "1,1,1,1,1e30\n", "",
       "x.csv: row 7: the last column is"},
      {"only a class", "x.csv", "", "1\n2\n", "", "x.csv: one column"},
      {"an escape sequence and a zero byte", "x.csv", "",
       rows + std::string("1,\x1b[2J\0,1,1,1\n", 15), "",
       "x.csv:7: column 2: expected a finite number, got \"\\x1b[2J\\x00\""},
      {"other separators", "x.csv", "", "1;2;0\n3;4;1\n", "", "separated by commas"},
      {"a broken first line", "x.csv", "", "1,nan,3,4,0\n" + rows, "",
       "x.csv:1: column 2: expected a finite number, got \"nan\""},
      {"an unknown kind of file", "x.parquet", "", "PAR1", "", "x.parquet does not say"},
  };
  for (const auto& c : cases) {
    write(scratch / c.samples, c.sample_bytes);
    const std::string labels = c.labels;
    if (!labels.empty()) write(scratch / labels, c.label_bytes);
    write(scratch / "run.toml", config("path = \"" + std::string(c.samples) + "\"" +
                                       (labels.empty() ? "" : "\nlabels = \"" + labels + "\"")));
    expect_refused(train(), c.says, c.what);
  }
}

TEST_F(BadInput, numbers_and_names_that_do_not_fit) {
  struct {
    std::string setting;
    const char* says;
  } const cases[] = {
      {"data.trian.batch_size=8",
       "data.trian: needs path (a file) or from (another dataset); did "
       "you mean \"data.train\"?"},
      {"data.train={path=\"x.csv\", from=\"train\", fraction=0.5}",
       "data.train.from: a dataset cannot be a part of itself"},
      {"data.valid={from=\"train\", fraction=1e-9}",
       "data.valid.fraction: takes 0 of the 6 samples of \"train\""},
      {"data.valid={from=\"train\", fraction=1.0}", "data.valid.fraction: takes 6 of the 6"},
      {"data={train={path=\"rows.csv\"}, a={from=\"train\", fraction=0.5}, "
       "b={from=\"train\", fraction=0.5}}",
       "data.b.fraction: takes 3 of the 3 samples that others left of \"train\""},
      {"data.train.shape=[9223372036854775807, 9223372036854775807]",
       "data.train.shape: (9223372036854775807, 9223372036854775807) does not fit the 4 features"},
      {"data.train.shape=[1,1,1,1,1,1,1,1,4]", "data.train.shape: (1, 1, 1, 1, 1, 1, 1, 1, 4)"},
      {"data.train.batch_size=1000000000000000000", "is too large; it must be at most 1000000000"},
      {"data.train.prefetch=1000000000", "is too large"},
      {"trainer.accumulate=9223372036854775807", "is too large"},
      {"trainer.max_steps=-1", "-1 is too small; it must be at least 0"},
      {"trainer.max_steps=99999999999999999999", "trainer.max_steps"},
      {"trainer.max_epochs=9223372036854775807", "is too large"},
      {"trainer.stopping_patience=3", "needs trainer.training_metric"},
      {"trainer.training_metric=train/loss", "\"train\" is not evaluated"},
      {"optim.lr=nan", "optim.lr: nan is not a finite number"},
      {"schedule.warmup=1e300", "schedule.warmup: more steps than any run will take"},
      {"schedule={type=\"step\", period=1e-9}", "schedule.period: this schedule needs a period"},
      {"schedule={type=\"restarts\", period=9, mult=1e18}", "schedule.mult: 1e+18 is too large"},
      {"schedule={type=\"plateau\", gamma=2}", "plateau watches trainer.training_metric"},
      {"model.hidden=[9000000000000000000]", "model: empty: too many elements"},
      {"log.images_format=gif", "\"gif\" is not one of png, jpg"},
      {"run.lanes=2", "run.lanes: not in this version; leave it at 1; trainer.accumulate makes"},
      {"run.precision=half", "\"half\" is not one of f32, f64, bf16, fp16"},
      {"run.directory=" + (scratch / "a\xff").string(), "the path is not valid UTF-8: "},
      {"run.directory=" + (scratch / "rows.csv").string(), "rows.csv: cannot make the directory"},
      {"run.directory=" + (scratch / "rows.csv/below").string(), "rows.csv: cannot make the"},
      {"run.directory=" + (scratch / std::string(300, 'x')).string(), "File name too long"},
  };
  for (const auto& c : cases) expect_refused(train({c.setting}), c.says, c.setting);
}

TEST_F(BadInput, words_of_the_command_line) {
  struct {
    Words words;
    const char* says;
  } const cases[] = {
      {{"evaluate", "x"}, "unknown command \"evaluate\"; did you mean \"eval\"?"},
      {{"plot", "x"}, "x: there is no such run directory"},
      {{"train", "x.toml", "--st", "a=1"}, "unknown option --st; did you mean \"--set\"?"},
      {{"train", "--xyzzy=3"}, "unknown option --xyzzy; `gradus train --help` lists them"},
      {{"--hepl"}, "unknown option --hepl; did you mean \"--help\"?"},
      {{"train"}, "CONFIG is required; see `gradus train --help`"},
      {{"train", "a", "b"}, "The following argument was not expected: b"},
      {{"inspect", scratch / "rows.csv"}, "not a safetensors file, a checkpoint or a run"},
      {{"predict", scratch / "x", scratch / "rows.csv", "-o", scratch / "no/such/p.csv"},
       "no/such: there is no such directory"},
      {{"predict", scratch / "x", scratch / "rows.csv", "-o", scratch / "folder.csv"},
       "folder.csv: is a directory"},
  };
  fs::create_directory(scratch / "folder.csv");
  for (const auto& c : cases) expect_refused(c.words, c.says, c.words.back());
}

TEST_F(BadInput, a_state_that_no_program_of_ours_wrote) {
  ASSERT_EQ(run(train()).status, 0);
  const fs::path checkpoint = scratch / "run/checkpoints/step_000000003";
  const std::string good = text_of(checkpoint / "state.json");
  const std::string manifest = text_of(checkpoint / trainer::manifest_name);
  const std::string before = manifest.substr(manifest.find("  state.json") - 32, 32);
  struct {
    std::string from, to;
    const char* says;
  } const cases[] = {
      {"{", "", "state.json: offset 17: not valid JSON in UTF-8"},
      {"\"format_version\": 1", "\"format_version\": 99",
       "checkpoint format 99, written by version 0.1.0, is newer than this program"},
      {"\"format_version\": 1", "\"format\": 1", "state.json: \"format_version\" is missing"},
      {"\"attempted\": 3", "\"attempted\": -3", "state.json: attempted is -3, expected a count"},
      {"\"cursor\": 0", "\"cursor\": \"x\"", "state.json: cursor is \"x\", expected a count"},
      {"\"best\": \"nan\"", "\"best\": \"nat\"", "state.json: not a number: nat"},
      {"\"hooks\": {}", "\"hooks\": 7", "state.json: expected an object, got 7"},
  };
  for (const auto& c : cases) {
    std::string changed = good;
    ASSERT_NE(changed.find(c.from), std::string::npos) << c.from;
    changed.replace(changed.find(c.from), c.from.size(), c.to);
    trainer::Checksum checksum;
    checksum.update(changed.data(), changed.size());
    std::string lines = manifest;
    lines.replace(lines.find(before), 32, checksum.text());
    write(checkpoint / "state.json", changed);
    write(checkpoint / trainer::manifest_name, lines);
    for (const char* command : {"resume", "eval"}) {
      const Said said = run({command, scratch / "run"});
      EXPECT_EQ(said.status, 2) << command << " " << c.to << said.err;
      EXPECT_NE(said.err.find(c.says), std::string::npos) << command << " " << said.err;
    }
  }
}

TEST_F(BadInput, a_file_in_place_of_a_checkpoint_is_passed_over) {
  ASSERT_EQ(run(train()).status, 0);
  write(scratch / "run/checkpoints/step_000000009", "?");
  const Said said = run(train());
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_NE(said.out.find("passed over step_000000009"), std::string::npos) << said.out;
  // Pointer files are followed where a person names them.
  EXPECT_EQ(run({"inspect", scratch / "run/checkpoints/newest"}).status, 0);
  write(scratch / "run/checkpoints/newest", "../../elsewhere\n");
  EXPECT_EQ(run({"inspect", scratch / "run/checkpoints/newest"}).status, 2);
}

TEST_F(BadInput, readme_s_example_in_the_working_directory) {
  const std::string readme = text_of(std::string(GRADUS_SOURCE_DIR) + "/README.md");
  const std::size_t from = readme.find("```toml\n") + 8;
  write(scratch / "my.toml", readme.substr(from, readme.find("```", from) - from));
  write(scratch / "my.csv", rows + rows);
  const fs::path before = fs::current_path();
  fs::current_path(scratch.path());
  const Said trained = run({"train", "my.toml"});
  const Said evaluated = run({"eval", "runs/run_0"});
  const Said predicted = run({"predict", "runs/run_0", "my.csv"});
  fs::current_path(before);
  EXPECT_EQ(trained.status, 0) << trained.err;
  EXPECT_EQ(evaluated.status, 0) << evaluated.err;
  EXPECT_EQ(predicted.out.rfind("argmax,y0,y1,y2\n", 0), 0u) << predicted.out << predicted.err;
}

TEST_F(BadInput, a_process_without_streams_or_with_limits) {
  const auto limited = [](int what, rlim_t soft) {
    return [what, soft] {
      rlimit limit{};
      getrlimit(static_cast<__rlimit_resource>(what), &limit);
      limit.rlim_cur = soft;
      setrlimit(static_cast<__rlimit_resource>(what), &limit);
    };
  };
  // Without standard streams their numbers must not become those of a lock or a checkpoint.
  EXPECT_EQ(run_apart(train(), [] { close(0), close(1), close(2); }), 0);
  EXPECT_EQ(run_apart({"inspect", scratch / "run"}, [] {}), 0);
  fs::remove_all(scratch / "run");
  // The reader of standard output has gone: training goes on.
  EXPECT_EQ(run_apart(train(),
                      [] {
                        int ends[2];
                        if (pipe(ends) != 0) _exit(99);
                        close(ends[0]);
                        dup2(ends[1], 1);
                      }),
            0);
  fs::remove_all(scratch / "run");
  EXPECT_EQ(run_apart(train(),
                      [] {
                        const int full = open("/dev/full", O_WRONLY);
                        dup2(full, 1);
                      }),
            4);
  fs::remove_all(scratch / "run");
  EXPECT_EQ(run_apart(train(), limited(RLIMIT_FSIZE, 1500)), 4) << "no SIGXFSZ";
  EXPECT_FALSE(fs::exists(scratch / "run/.lock_running"));
  fs::remove_all(scratch / "run");
  // One file at a time. Whoever runs the tests may have left files open in this process.
  EXPECT_EQ(run_apart(train(),
                      [&] {
                        const int next = open("/dev/null", O_RDONLY);
                        close(next);
                        limited(RLIMIT_NOFILE, static_cast<rlim_t>(next) + 1)();
                      }),
            4);
}

}  // namespace
}  // namespace gradus::cli
