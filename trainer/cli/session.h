// What every command that runs a model needs: configuration, data, task, and what was said about
// them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/data/dataset.h"
#include "gradus/trainer/run/lock.h"
#include "gradus/trainer/task.h"

namespace gradus::cli {

struct Session {
  trainer::Config config;
  std::map<std::string, trainer::DatasetPointer> data;
  std::shared_ptr<trainer::Task> task;
  std::string device;  // "cpu, 2 threads"
};
/// Chooses the device, sets the number of threads, opens the data and makes the task.
Session open_session(trainer::Config config, const Tasks& tasks);

/// --set and --device as settings of the configuration.
std::vector<std::string> settings_of(const Arguments& arguments);

/// The job of the cluster's scheduler that this process is a part of, from its environment.
trainer::Job job_from_environment();

/// A checkpoint that was found whole, and the configuration it was trained with.
struct OpenedCheckpoint {
  std::filesystem::path path;
  std::int64_t step = 0;
  trainer::Config config;
};
/// The real path of what the user named: links resolved, and the checkpoint that a pointer file
/// `checkpoints/best` or `checkpoints/newest` names.
std::filesystem::path followed(const std::filesystem::path& path);
/// `path` is a checkpoint, or a run directory: then its best checkpoint, or the newest good one.
/// Throws unless it is whole.
std::filesystem::path checkpoint_of(const std::filesystem::path& path);
OpenedCheckpoint open_checkpoint(const std::filesystem::path& path,
                                 const std::vector<std::string>& settings);

}  // namespace gradus::cli
