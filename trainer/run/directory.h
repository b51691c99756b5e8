// Which directory a run works in, and that nobody else works there.
#pragma once

#include <memory>

#include "gradus/trainer/config.h"
#include "gradus/trainer/run/lock.h"

namespace gradus::trainer {

struct RunDirectory {
  std::filesystem::path path;
  std::unique_ptr<Locks> locks;  // holds `running`
};

/// `run.directory` where it is set; else the first directory under `run.base` that an earlier start
/// of the same job worked in (a requeued job finds its own again, and several runs of one job find
/// each its own; under PBS, which counts no restarts, one whose run has not finished); else the
/// smallest run_<n> without any lock. Throws Error(argument) that names the holder if
/// `run.directory` is in use.
RunDirectory open_run_directory(Files& files, const RunConfig& run, const Job& job = {});

}  // namespace gradus::trainer
