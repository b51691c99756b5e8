// Words of the command line to a call of one sub-command. The only file that knows CLI11.
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <sstream>

#include "gradus/tensor/build_info.h"
#include "gradus/trainer/cli/bench.h"
#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/config/key.h"
#include "gradus/trainer/text.h"

namespace gradus::cli {
namespace {

/// Which options a command takes.
enum Takes {
  nothing = 0,
  path = 1,
  maybe_path = 2,
  settings = 4,
  start = 8,
  changes = 64,
  data = 16,
  files = 32,
  second_path = 128,
  output = 256,
  average = 512,
  many_paths = 1024,
  device = 2048,
};

struct Command {
  const char* name;
  const char* about;
  int takes;
  const char *path_name, *path_about;
  const char* example;
  int (*run)(const Arguments&, const Tasks&);
};

constexpr Command commands[] = {
    {"train", "Train what a configuration describes; go on where the run's directory has got to",
     path | settings | start | changes, "CONFIG",
     "a configuration file; `gradus config` prints all keys",
     "gradus train examples/digits.toml\n"
     "  gradus train examples/digits.toml --set optim.lr=0.01 --set run.directory=runs/lr01",
     train},
    {"resume", "Go on with a run from its newest good checkpoint", path | settings | changes,
     "RUN_DIR", "a run directory", "gradus resume runs/run_0 --set trainer.max_epochs=40", resume},
    {"eval", "Evaluate a checkpoint, or a run's best one, on the run's data sets",
     path | settings | data, "PATH", "a run directory or a checkpoint",
     "gradus eval runs/run_0\n  gradus eval runs/run_0 --data test", evaluate},
    {"predict", "Write what a trained model gives for new samples", path | settings | files, "PATH",
     "a run directory or a checkpoint", "gradus predict runs/run_0 new.csv -o predictions.csv",
     predict},
    {"config", "Print every configuration key, or a configuration with all defaults",
     maybe_path | settings, "CONFIG", "a configuration file to print with every default",
     "gradus config\n  gradus config examples/digits.toml --set optim.lr=0.01", show_config},
    {"inspect", "Say what a file or directory holds", path, "PATH",
     "a safetensors file, a checkpoint, or a run directory",
     "gradus inspect runs/run_0\n  gradus inspect runs/run_0/checkpoints/newest", inspect},
    {"diff", "Say in what two configurations, run directories, checkpoints or tensor files differ",
     path | second_path, "A", "a configuration, a run directory, a checkpoint or .safetensors file",
     "gradus diff runs/run_0 runs/run_1\n  gradus diff a.toml b.toml\n"
     "  gradus diff runs/run_0/checkpoints/best runs/run_0/checkpoints/newest",
     diff},
    {"export", "Write a model's weights to a file that PyTorch and others load",
     path | output | average, "PATH", "a run directory (its best checkpoint) or a checkpoint",
     "gradus export runs/run_0 -o model.safetensors --ema\n"
     "  python: model.load_state_dict(safetensors.torch.load_file(\"model.safetensors\"))",
     export_weights},
    {"plan", "Say what a configuration takes: modules, memory of a step, steps of an epoch",
     path | settings, "CONFIG", "a configuration file",
     "gradus plan examples/digits.toml --set data.train.batch_size=512", plan},
    {"plot", "Draw loss, metrics and learning rate of one run or of several in one picture",
     many_paths, "RUN_DIR", "run directories",
     "gradus plot runs/run_0\n  gradus plot runs/run_0 runs/run_1 -o compared.png\n"
     "  gradus plot runs/* --select '*/loss' -o loss.svg",
     plot},
    {"bench", "Measure how fast this machine is at what training does, in a few seconds", device,
     "", "", "gradus bench --device cpu", bench},
    {"doctor", "Say what this program finds: processor, memory, disk, libraries, data sets",
     nothing, "", "", "gradus doctor", doctor},
};

void add(CLI::App& app, const Command& command, Arguments& arguments) {
  CLI::App* sub = app.add_subcommand(command.name, command.about);
  sub->footer(std::string("Example:\n  ") + command.example);
  if (command.takes & (path | maybe_path))
    sub->add_option(command.path_name, arguments.path, command.path_about)
        ->type_name("")
        ->required(command.takes & path);
  if (command.takes & files) {
    sub->add_option("INPUT", arguments.input,
                    "samples: .csv, IDX, .npy, or a .png or .jpg; a text for a task that writes")
        ->type_name("")
        ->required();
    sub->add_option("-o,--output", arguments.output, "a .csv or .safetensors file; else CSV here")
        ->type_name("FILE");
  }
  if (command.takes & second_path)
    sub->add_option("B", arguments.input, "what to compare it with")->type_name("")->required();
  if (command.takes & output)
    sub->add_option("-o,--output", arguments.output, "the file to write")
        ->type_name("FILE")
        ->required();
  if (command.takes & many_paths) {
    sub->add_option(command.path_name, arguments.paths, command.path_about)
        ->type_name("...")
        ->required();
    sub->add_option("-o,--output", arguments.output,
                    "a .svg or .png file; else plot.svg, of one run in its directory")
        ->type_name("FILE");
    sub->add_option("--select", arguments.select, "only metrics whose names fit: '*/loss'")
        ->type_name("PATTERN ...")
        ->allow_extra_args(false);
  }
  if (command.takes & average)
    sub->add_flag("--ema", arguments.averaged, "the moving average instead of the live weights");
  if (command.takes & settings) {
    sub->add_option("--set", arguments.settings, "override a key: --set optim.lr=0.01")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    if (command.run != show_config)
      sub->add_option("--device", arguments.device, "auto, cpu or cuda:N")->type_name("DEVICE");
  }
  if (command.takes & device)
    sub->add_option("--device", arguments.device, "auto, cpu or cuda:N")->type_name("DEVICE");
  if (command.takes & start) {
    sub->add_option("--resume", arguments.resume,
                    "latest (the default): the run's newest good checkpoint, if it has one; none: "
                    "start afresh; or one checkpoint")
        ->type_name("latest|none|PATH");
    sub->add_option("--trial", arguments.trial,
                    "a trial of a search: a JSON line for each validation, SIGTERM prunes, no "
                    "checkpoints, base/trial_<N>")
        ->type_name("N")
        ->check([](const std::string& text) {
          return text.find_first_not_of("0123456789") == text.npos
                     ? ""
                     : "expected a number from 0, got " + text;
        });
    sub->add_option("--ranks", arguments.ranks, "processes to train with")->type_name("N");
  }
  if (command.takes & changes)
    sub->add_option("--allow-change", arguments.allowed,
                    "resume although this key differs from the checkpoint's: model.*, run.seed")
        ->type_name("KEY ...")
        ->allow_extra_args(false);
  if (command.takes & data)
    sub->add_option("--data", arguments.data, "names of the data sets; else all but train")
        ->type_name("NAME")
        ->allow_extra_args(false);
}

/// Mistyped commands and options get the nearest one named.
std::string explained(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (argc < 2) return "a command is missing; `gradus --help` lists them";
  const auto meant = [](const std::string& near, const std::string& otherwise) {
    return near.empty() ? otherwise : "; did you mean \"" + near + "\"?";
  };
  const std::string command = argv[1];
  std::vector<std::string> names;
  for (const Command& known : commands) names.push_back(known.name);
  const bool is_command = std::count(names.begin(), names.end(), command) > 0;
  if (!is_command && command[0] != '-')
    return "unknown command \"" + command + "\"" +
           meant(trainer::nearest(command, names), "; `gradus --help` lists them");
  const CLI::App* const sub = is_command ? app.get_subcommand(command) : &app;
  std::vector<std::string> options;
  for (const CLI::Option* option : sub->get_options())
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  const std::string help = "gradus " + (is_command ? command + " " : "") + "--help";
  for (int i = is_command ? 2 : 1; i < argc; ++i) {
    std::string word = argv[i];
    word = word.substr(0, word.find('='));
    const bool option = word.rfind("--", 0) == 0 && word.size() > 2;
    if (option && std::count(options.begin(), options.end(), word) == 0)
      return "unknown option " + word +
             meant(trainer::nearest(word, options), "; `" + help + "` lists them");
  }
  return std::string(error.what()) + "; see `" + help + "`";
}

/// What a program may rely on that writes files and lines. Missing standard streams would give
/// their numbers to the next files that are opened: lines meant for a person would then end in a
/// checkpoint. A reader that went away and a file at its size limit are errors where they happen,
/// and no reason to be killed.
void prepare_process() {
  for (int file = 0; file <= 2; ++file)
    if (::fcntl(file, F_GETFD) < 0 && ::open("/dev/null", file == 0 ? O_RDONLY : O_WRONLY) != file)
      std::_Exit(4);  // there is nowhere to say why
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

int fail(const std::string& text, int status) {
  std::fflush(stdout);
  warn(text);
  return status;
}

}  // namespace

void warn(std::string_view text) {
  std::fprintf(stderr, "gradus: %.*s\n", static_cast<int>(text.size()), text.data());
}

int main(int argc, char** argv, const Tasks& tasks) try {
  prepare_process();
  Arguments arguments;
  CLI::App app("Gradus: trains networks from a configuration file.", "gradus");
  app.set_version_flag("--version", build_info());
  app.require_subcommand(1);
  app.footer(
      "`gradus COMMAND --help` shows the options of a command.\n"
      "Exit status: 0 done; 1 a failure in code; 2 usage, configuration or input; 3 diverged;\n"
      "4 the machine (disk full, no permission to write, out of memory); 75 stopped by a signal\n"
      "and saved, start it again; 130 Ctrl-C, saved.");
  for (const Command& command : commands) add(app, command, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0)
      return fail(trainer::printable(explained(app, error, argc, argv)), 2);
    std::ostringstream text;  // of --help or --version
    app.exit(error, text, text);
    print(text.str());
    return 0;
  }
  arguments.command = app.get_subcommands().front()->get_name();
  for (const Command& command : commands)
    if (arguments.command == command.name) return command.run(arguments, tasks);
  return 1;
} catch (...) {
  std::string text;
  const int status = exit_status(text);
  return fail(text, status);
}

}  // namespace gradus::cli
