// Words of the command line to a call of one sub-command. The only file that knows CLI11.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "gradus/tensor/build_info.h"
#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/config/key.h"

namespace gradus::cli {
namespace {

struct Command {
  const char* name;
  const char* about;
  const char* path_name;  // empty: takes no path
  bool path_required;
  const char* path_about;
  const char* example;
  int (*run)(const Arguments&);
};

constexpr Command commands[] = {
    {"config", "Print every configuration key, or a configuration with all defaults", "CONFIG",
     false, "a configuration file to print with every default",
     "gradus config\n  gradus config examples/digits.toml --set optim.lr=0.01", show_config},
    {"inspect", "Say what a file or directory holds", "PATH", true,
     "a safetensors file, a checkpoint, or a run directory",
     "gradus inspect runs/run_0\n  gradus inspect runs/run_0/checkpoints/step_000000500", inspect},
    {"doctor", "Say what this program finds: processor, memory, disk, libraries, data sets", "",
     false, "", "gradus doctor", doctor},
};

CLI::App* add(CLI::App& app, const Command& command, Arguments& arguments) {
  CLI::App* sub = app.add_subcommand(command.name, command.about);
  sub->footer(std::string("Example:\n  ") + command.example);
  if (*command.path_name) {
    auto* option = sub->add_option(command.path_name, arguments.path, command.path_about);
    option->type_name("")->required(command.path_required);
  }
  return sub;
}

/// A mistyped sub-command gets the nearest one named.
std::string explained(const CLI::ParseError& error, int argc, char** argv) {
  std::string text = error.what();
  for (char& c : text)
    if (c == '\n') c = ' ';
  if (argc < 2) return "a command is missing; `gradus --help` lists them";
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == std::string(argv[1])) return text;
    names.push_back(command.name);
  }
  const std::string near = trainer::nearest(argv[1], names);
  if (argv[1][0] == '-') return text;
  return "unknown command \"" + std::string(argv[1]) + "\"" +
         (near.empty() ? "; `gradus --help` lists them" : "; did you mean \"" + near + "\"?");
}

int fail(const std::string& text, int status) {
  std::fflush(stdout);
  std::fprintf(stderr, "gradus: %s\n", text.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv, const Tasks&) try {
  Arguments arguments;
  CLI::App app("Gradus: trains networks from a configuration file.", "gradus");
  app.set_version_flag("--version", build_info());
  app.require_subcommand(1);
  app.footer("`gradus COMMAND --help` shows the options of a command.");
  for (const Command& command : commands) {
    CLI::App* sub = add(app, command, arguments);
    if (command.run == show_config)
      sub->add_option("--set", arguments.settings, "override a key: --set optim.lr=0.01")
          ->type_name("KEY=VALUE")
          ->allow_extra_args(false);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return fail(explained(error, argc, argv), 2);
  }
  arguments.command = app.get_subcommands().front()->get_name();
  for (const Command& command : commands)
    if (arguments.command == command.name) return command.run(arguments);
  return 1;
} catch (...) {
  std::string text;
  const int status = exit_status(text);
  return fail(text, status);
}

}  // namespace gradus::cli
