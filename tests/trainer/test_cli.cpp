// The command line from outside: what it prints, where, and its exit status.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <new>

#include "gradus/kernels/create.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/cli/machine.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using trainer::ScratchDirectory;

/// One clear line on standard error, nothing on standard output.
void expect_refused(const std::vector<std::string>& words, int status, const std::string& line) {
  const Said said = run(words);
  EXPECT_EQ(said.status, status) << said.err;
  EXPECT_EQ(said.out, "");
  EXPECT_EQ(said.err, "gradus: " + line + "\n");
}

TEST(CommandLine, help_and_version) {
  EXPECT_EQ(run({"--version"}).status, 0);
  EXPECT_EQ(run({"--version"}).out.substr(0, 7), "gradus ");
  const Said help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("Exit status: 0 done;"), std::string::npos) << help.out;
  for (const char* command : {"train", "resume", "eval", "predict", "config", "inspect", "diff",
                              "export", "plan", "plot", "bench", "doctor"}) {
    EXPECT_NE(help.out.find(command), std::string::npos);
    const Said one = run({command, "--help"});
    EXPECT_EQ(one.status, 0);
    EXPECT_NE(one.out.find("Example:"), std::string::npos) << one.out;
  }
}

TEST(CommandLine, wrong_use_is_one_line_and_status_2) {
  expect_refused({}, 2, "a command is missing; `gradus --help` lists them");
  expect_refused({"confg"}, 2, "unknown command \"confg\"; did you mean \"config\"?");
  expect_refused({"xyzzy"}, 2, "unknown command \"xyzzy\"; `gradus --help` lists them");
  EXPECT_EQ(run({"config", "--nonsense"}).status, 2);
  expect_refused({"config", "--set", "optim.lr=1"}, 2,
                 "config: --set changes a configuration: name its file");
  EXPECT_EQ(run({"inspect"}).status, 2);
  EXPECT_EQ(run({"doctor", "x"}).status, 2);
}

TEST(CommandLine, config_prints_the_reference_or_a_resolved_file) {
  const Said reference = run({"config"});
  EXPECT_EQ(reference.status, 0);
  EXPECT_EQ(reference.out, trainer::describe_config() + trainer::describe_own_keys());
  EXPECT_NE(reference.out.find("# [task] of type = \"classify\" also has:\n# # Mixed into"),
            std::string::npos);
  ScratchDirectory scratch;
  const std::string file = scratch / "a.toml";
  std::ofstream(file) << "[trainer]\nmax_steps = 10\n";
  const Said resolved = run({"config", file, "--set", "optim.lr=0.5", "--set", "run.name=b"});
  EXPECT_EQ(resolved.status, 0) << resolved.err;
  EXPECT_NE(resolved.out.find("\nlr = 0.5\n"), std::string::npos);
  EXPECT_NE(resolved.out.find("\nname = \"b\"\n"), std::string::npos);
  EXPECT_NE(resolved.out.find("\nmax_steps = 10\n"), std::string::npos);
  EXPECT_NE(resolved.out.find("\nlabel_smoothing = 0.0\n"), std::string::npos);
  std::ofstream(file) << "[optim]\nlearning_rate = 1\n";
  expect_refused({"config", file}, 2,
                 file + ":2:1: unknown key \"optim.learning_rate\"; did you mean \"optim.lr\"?");
  expect_refused({"config", "/no/such.toml"}, 2, "/no/such.toml: No such file or directory");
}

TEST(CommandLine, doctor_describes_the_machine) {
  const Said said = run({"doctor"});
  EXPECT_EQ(said.status, 0) << said.err;
  for (const char* part : {"processor: ", "memory: ", "cores: ", "disk: ", "libraries: fmt 9",
                           "toml++ 3", "Fashion-MNIST: "})
    EXPECT_NE(said.out.find(part), std::string::npos) << part;
  const Machine machine = this_machine();
  EXPECT_GT(machine.cores, 0);
  EXPECT_GT(machine.memory, machine.memory_available);
  EXPECT_GT(free_space("/no/such/directory/below"), -1);
}

TEST(CommandLine, inspect_shows_files_checkpoints_and_runs) {
  ScratchDirectory scratch;
  const fs::path run_directory = scratch / "run";
  trainer::CheckpointStore store(trainer::Files::system(), run_directory / "checkpoints");
  const TensorMap weights = {{"fc.weight", zeros({2, 3})}};
  const auto write = [&](trainer::CheckpointFile& file) {
    save_safetensors([&](const void* p, std::size_t n) { file.write(p, n); }, weights);
  };
  const auto state = [](trainer::CheckpointFile& file) {
    file.write("{\"engine\": \"0.1.0\", \"state\": {\"attempted\": 7}}");
  };
  store.publish(7, {{"model.safetensors", write}, {"state.json", state}});

  const Said file = run({"inspect", store.path_of(7) / "model.safetensors"});
  EXPECT_EQ(file.status, 0) << file.err;
  EXPECT_NE(file.out.find("  1 tensors, 6 elements"), std::string::npos) << file.out;
  const Said checkpoint = run({"inspect", store.path_of(7)});
  EXPECT_EQ(checkpoint.status, 0) << checkpoint.err;
  EXPECT_NE(checkpoint.out.find("step_000000007: good\n"), std::string::npos) << checkpoint.out;
  EXPECT_NE(checkpoint.out.find("attempted: 7\n"), std::string::npos) << checkpoint.out;
  EXPECT_NE(checkpoint.out.find("fc.weight"), std::string::npos) << checkpoint.out;
  EXPECT_NE(run({"inspect", run_directory}).out.find("step_000000007: good\n"), std::string::npos);

  std::ofstream(store.path_of(7) / "state.json") << "?";
  const Said damaged = run({"inspect", run_directory});
  EXPECT_EQ(damaged.status, 2);
  EXPECT_NE(damaged.out.find("DAMAGED: state.json: checksum differs"), std::string::npos);
  EXPECT_EQ(run({"inspect", store.path_of(7)}).status, 2);
  std::ofstream(scratch / "x.safetensors") << "not one";
  EXPECT_EQ(run({"inspect", scratch / "x.safetensors"}).status, 2);
  expect_refused({"inspect", scratch.path()}, 2,
                 scratch.path().string() + ": neither a checkpoint nor a run directory");
  expect_refused({"inspect", "/no/such"}, 2, "/no/such: cannot open: No such file or directory");
}

TEST(CommandLine, every_exception_has_its_status) {
  const auto status = [](auto error) {
    std::string text;
    try {
      throw error;
    } catch (...) {
      return exit_status(text);
    }
  };
  EXPECT_EQ(status(Error(ErrorKind::argument, "")), 2);
  EXPECT_EQ(status(Error(ErrorKind::shape, "")), 2);
  EXPECT_EQ(status(Error(ErrorKind::corrupt, "")), 2);
  EXPECT_EQ(status(Error(ErrorKind::unsupported, "")), 2);
  EXPECT_EQ(status(Error(ErrorKind::io, "")), 2);
  EXPECT_EQ(status(Error(ErrorKind::memory, "")), 4);
  EXPECT_EQ(status(Error(ErrorKind::internal, "")), 1);
  EXPECT_EQ(status(FileError("write", "x", ENOSPC, true)), 4);
  EXPECT_EQ(status(FileError("open", "x", ENOENT, false)), 2);
  EXPECT_EQ(status(std::bad_alloc()), 4);
  EXPECT_EQ(status(std::runtime_error("")), 1);
  EXPECT_EQ(status(3), 1);
  std::string text;
  try {
    throw std::runtime_error("two\nlines");
  } catch (...) {
    exit_status(text);
  }
  EXPECT_EQ(text, "two lines");
}

}  // namespace
}  // namespace gradus::cli
