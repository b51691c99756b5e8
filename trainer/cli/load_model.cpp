// A run's model for the program that asks: what `gradus predict` does before it predicts.
#include "gradus/trainer/load_model.h"

#include "gradus/kernels/matmul.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/cli/warm_start.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {

std::shared_ptr<nn::Module> load_model(const std::string& path,
                                       const std::vector<std::string>& settings,
                                       const cli::Tasks& tasks) {
  cli::OpenedCheckpoint opened = cli::open_checkpoint(path, settings);
  // How many threads work and how products round is the program's to say, not the run's.
  opened.config.run.threads = 0;
  opened.config.run.tf32 = matmul_uses_tf32();
  const cli::Session session = cli::open_session(std::move(opened.config), tasks);
  Trainer trainer(session.config, session.task, session.data);
  cli::restore_frozen(trainer);
  trainer.load_weights(opened.path, session.config.trainer.evaluate_average);
  nn::Module& module = session.task->module();
  module.eval();
  return {session.task, &module};  // the task, which owns the module, lives as long
}

}  // namespace gradus::trainer
