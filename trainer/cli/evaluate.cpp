// gradus eval: the metrics of a checkpoint on the data sets of its run.
#include <algorithm>
#include <chrono>

#include "gradus/trainer/cli/result_line.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/cli/warm_start.h"
#include "gradus/trainer/trainer.h"

namespace gradus::cli {

int evaluate(const Arguments& arguments, const Tasks& tasks) {
  const auto began = std::chrono::steady_clock::now();
  OpenedCheckpoint opened = open_checkpoint(arguments.path, settings_of(arguments));
  Session session = open_session(std::move(opened.config), tasks);
  std::vector<std::string> names = arguments.data;
  if (names.empty())
    for (const auto& [name, set] : session.data)
      if (name != "train") names.push_back(name);
  for (std::size_t i = 0; i < names.size(); ++i)
    check(std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) ==
              names.begin() + static_cast<std::ptrdiff_t>(i),
          ErrorKind::argument, "--data ", names[i], ": given twice");
  for (const std::string& name : names)
    if (!session.data.count(name))
      session.config.fail("data", "there is no data set \"" + name + "\"");
  check(!names.empty(), ErrorKind::argument, arguments.path.string(),
        ": the run has no data set to evaluate; give one with --set data.test.path=FILE");
  print("evaluating " + opened.path.string() + " on " + session.device + "\n");

  const bool averaged = session.config.trainer.evaluate_average;
  trainer::Trainer trainer(session.config, session.task, session.data);
  restore_frozen(trainer);
  trainer.load_weights(opened.path, averaged);
  trainer::Values all;
  for (const std::string& name : names)
    for (const auto& value : trainer.evaluate(name)) all.push_back(value);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  print(result_line(opened.step, all, seconds.count()) + "\n");
  return 0;
}

}  // namespace gradus::cli
