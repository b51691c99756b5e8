// The sub-commands, one function each. They return the exit status and throw what goes wrong.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "gradus/trainer/cli/cli.h"

namespace gradus::cli {

/// What the command line said.
struct Arguments {
  std::string command;
  std::filesystem::path path;                // CONFIG, RUN_DIR, CHECKPOINT or FILE
  std::vector<std::string> settings;         // --set a.b=v
  std::string device;                        // --device
  std::string resume = "latest";             // --resume: latest, none, or a path
  std::int64_t trial = -1;                   // --trial
  int ranks = 1;                             // --ranks
  std::vector<std::string> allowed;          // --allow-change: keys or patterns
  std::vector<std::string> data;             // --data: names of data sets
  std::filesystem::path input;               // INPUT, or the second of two paths
  std::filesystem::path output;              // -o
  bool averaged = false;                     // --ema
  std::vector<std::filesystem::path> paths;  // RUN_DIR...
  std::vector<std::string> select;           // --select: patterns of metrics' names
};

int train(const Arguments& arguments, const Tasks& tasks);
int resume(const Arguments& arguments, const Tasks& tasks);
int evaluate(const Arguments& arguments, const Tasks& tasks);
int predict(const Arguments& arguments, const Tasks& tasks);
int show_config(const Arguments& arguments, const Tasks& tasks);
int inspect(const Arguments& arguments, const Tasks& tasks);
int diff(const Arguments& arguments, const Tasks& tasks);
int export_weights(const Arguments& arguments, const Tasks& tasks);
int plan(const Arguments& arguments, const Tasks& tasks);
int plot(const Arguments& arguments, const Tasks& tasks);
int doctor(const Arguments& arguments, const Tasks& tasks);

/// The exit status for the exception being handled, and its text on one line.
int exit_status(std::string& text);

/// Writes to standard output; throws FileError if that is a full disk.
void print(std::string_view text);
/// A line on standard error, which is no part of what a command gives.
void warn(std::string_view text);

}  // namespace gradus::cli
