// The command line as a function: a program of your own gets every sub-command for its task by
//   int main(int c, char** v) { return gradus::cli::main(c, v, {{"mine", make_mine}}); }
// where [task] type = "mine" stands in the configuration. Reading order: this file, app.cpp,
// train.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace gradus::trainer {
struct Config;
class Dataset;
class Task;
}  // namespace gradus::trainer

namespace gradus::cli {

/// Makes a task from the configuration and the opened data sets. It may fill in defaults: the
/// configuration is written down afterwards.
using MakeTask = std::function<std::shared_ptr<trainer::Task>(
    trainer::Config&, const std::map<std::string, std::shared_ptr<const trainer::Dataset>>&)>;
/// By task.type; the stock tasks are there too.
using Tasks = std::map<std::string, MakeTask>;

/// Runs one sub-command. The last line of train, resume and eval on standard output is a JSON
/// object; errors are one line on standard error. Returns the exit status: 0 done, 1 failure in
/// code, 2 usage, configuration or input, 3 diverged, 4 the machine (disk full, no memory), 75
/// checkpointed on a signal, 130 interrupted.
int main(int argc, char** argv, const Tasks& tasks = {});

}  // namespace gradus::cli
