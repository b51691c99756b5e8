// gradus train and gradus resume: a run from its first line to its exit status.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/checkpoint/start.h"
#include "gradus/trainer/cli/record.h"
#include "gradus/trainer/cli/result_line.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/cli/terminal.h"
#include "gradus/trainer/cli/warm_start.h"
#include "gradus/trainer/config/changes.h"
#include "gradus/trainer/config/differences.h"
#include "gradus/trainer/model_table.h"
#include "gradus/trainer/patterns.h"
#include "gradus/trainer/run/command.h"
#include "gradus/trainer/run/directory.h"
#include "gradus/trainer/run/signals.h"
#include "gradus/trainer/text.h"
#include "gradus/trainer/trainer.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using trainer::Files;
using trainer::LockType;
using trainer::Result;
using trainer::RunDirectory;
using trainer::SignalHandlers;
using trainer::Start;
using trainer::Trainer;

/// Signals are looked at after each step, and at each batch of an evaluation; the handlers only set
/// flags.
void obey_signals(Trainer& trainer) {
  const auto look = [&trainer](trainer::HookContext&) {
    if (const int signal = SignalHandlers::leave_requested()) trainer.request_stop(signal);
    if (SignalHandlers::take_save_request()) trainer.request_save();
  };
  for (const auto phase : {trainer::HookPhase::step_end, trainer::HookPhase::before_eval_step})
    trainer.add(trainer::make_hook("signals", phase, look));
}

int status_of(const Result& result) {
  if (result.status == "diverged") return 3;
  if (result.status == "interrupted") return 130;
  if (result.status == "requeue") return 75;
  return 0;
}

/// Will no later start go on with it?
bool is_final(const Result& result) {
  return result.status == "done" || result.status == "early_stopped" || result.status == "diverged";
}

/// A pattern that names no key allows nothing, which its writer should know.
void check_allowed(const std::string& before, const trainer::Config& config,
                   const std::vector<std::string>& allowed) {
  const auto leaves = [](const std::string& text) {
    return differences(trainer::Value{}, trainer::parse_toml(text, ""));
  };
  auto keys = leaves(to_toml(config));
  for (auto& leaf : leaves(before)) keys.push_back(std::move(leaf));
  for (const std::string& pattern : allowed) {
    const bool known = std::any_of(keys.begin(), keys.end(), [&](const auto& leaf) {
      const std::string_view key = std::string_view(leaf.key).substr(0, leaf.key.find('['));
      return trainer::matches_any(std::vector<std::string>{pattern}, key);
    });
    check(known, ErrorKind::argument, "--allow-change ", pattern, ": no key has that name");
  }
}

/// Resuming promises the run that was begun: what has changed in its configuration since is
/// refused, or told and obeyed.
/// True if something was only allowed by --allow-change.
bool go_on(Trainer& trainer, const Start& start, const std::vector<std::string>& allowed) {
  const trainer::Config& config = trainer.config();
  const trainer::SavedState saved = trainer::read_saved_state(start.path);
  check_allowed(saved.config, config, allowed);
  const auto changes = trainer::changes(saved.config, config);
  for (const std::string& line : check_changes(changes, allowed)) print(line + "\n");
  const std::int64_t samples = trainer.samples("train");
  const bool other = samples != saved.samples;
  if (other && !trainer::matches_any(allowed, "data.train.path")) {
    config.fail("data.train", fmt::format("{} samples, the checkpoint's run had {}; "
                                          "--allow-change data.train.path goes on all the same",
                                          samples, saved.samples));
  }
  restore_frozen(trainer);
  trainer.load(start.path);
  const auto any = [&](auto&& is) { return std::any_of(changes.begin(), changes.end(), is); };
  if (any([](const trainer::Change& change) {
        return change.key.starts_with("optim") &&
               (change.key.ends_with(".lr") || change.key.ends_with(".groups"));
      }))
    trainer.use_given_rates();
  return other || any([](const auto& change) { return change.kind == trainer::Change::refused; });
}

void begin(Trainer& trainer, const RunDirectory& run, const Start& start,
           const std::vector<std::string>& allowed) {
  if (start.kind == Start::resumed) {
    const bool another = go_on(trainer, start, allowed);
    trainer::CheckpointStore(Files::system(), run.path / "checkpoints").set_aside_after(start.step);
    if (another) trainer.save();  // allowed once is enough: the checkpoint is the changed run's now
  } else if (start.kind == Start::warm) {
    print(warm_start(trainer) + "\n");
  }
}

/// Saves what is finished after something went wrong; that is what the run ends with, even if it
/// cannot be saved.
void rescue(Trainer& trainer, Terminal& terminal) try {
  if (trainer.rescue()) terminal.say(fmt::format("saved step {}", trainer.state().attempted));
} catch (const std::exception& error) {
  terminal.say(fmt::format("the last step could not be saved: {}", error.what()));
}

/// Trains, and saves what is finished if something goes wrong on the way: also where something
/// could not be written, which may have been on another disk. Shapes and types that do not fit are
/// a fault of the configuration where the task is one of ours, and of the code where it is not.
Result fit(Trainer& trainer, Terminal& terminal, bool own_task) try {
  return trainer.fit();
} catch (const Error& error) {
  rescue(trainer, terminal);
  if (own_task && (error.kind() == ErrorKind::shape || error.kind() == ErrorKind::dtype))
    throw std::logic_error(error.what());
  throw;
} catch (...) {
  rescue(trainer, terminal);
  throw;
}

/// run.seed = "time".
bool draws_seed(const trainer::Config& config) {
  const trainer::Member* const seed = config.source.find("run.seed");
  return seed && seed->value.as<std::string>();
}

/// The seed that was drawn when the run in `own` began, or the one to be resumed, is kept.
void keep_drawn_seed(trainer::Config& config, const std::string& resume, const fs::path& own) {
  if (resume == "none") return;
  const fs::path directory = resume == "latest" ? own : fs::path(resume);
  std::vector<std::string> skipped;
  fs::path checkpoint = directory;
  if (!fs::exists(directory / trainer::manifest_name)) {
    const trainer::CheckpointStore store(Files::system(), directory / "checkpoints");
    const auto newest = store.newest_good(skipped);
    if (!newest) return;
    checkpoint = newest->path;
  }
  config.run.seed = trainer::read_saved_state(checkpoint).seed;
}

/// What a person wants to know who stopped a run.
void say_how_to_go_on(Terminal& terminal, const Result& result, const fs::path& run) {
  if (is_final(result) || result.status == "pruned") return;
  const auto steps = trainer::CheckpointStore(Files::system(), run / "checkpoints").steps();
  if (steps.empty())
    terminal.say(fmt::format("nothing is saved yet; `gradus train {}` starts again",
                             (run / "config.toml").string()));
  else
    terminal.say(fmt::format("step {} is saved; `gradus resume {}` goes on from there",
                             steps.back(), run.string()));
}

/// After a signal, with everything durable and the directory free for the next start, which the
/// command may bring about before it returns.
void leave(const trainer::Config& config, const Result& result) {
  if (result.status == "requeue" && !config.run.requeue_command.empty()) {
    const std::string wrong = trainer::run_command(config.run.requeue_command);
    if (!wrong.empty())
      std::fprintf(stderr, "gradus: run.requeue_command: %s: %s\n", wrong.c_str(),
                   trainer::printable(config.run.requeue_command).c_str());
  }
  if (result.signal != 0 && config.run.signals.wait > 0)
    std::this_thread::sleep_for(std::chrono::duration<double>(config.run.signals.wait));
}

int run_training(trainer::Config given, const std::string& resume, const Arguments& arguments,
                 const Tasks& tasks) {
  std::optional<RunDirectory> opened;
  const auto open = [&](const trainer::RunConfig& of) {
    opened = trainer::open_run_directory(Files::system(), of, job_from_environment());
  };
  if (draws_seed(given)) {  // which directory it is decides what the data and the task begin with
    open(given.run);
    keep_drawn_seed(given, resume, opened->path);
  }
  const SignalHandlers handlers(given.run.signals);  // opening the data may take long
  Session session = open_session(std::move(given), tasks);
  const trainer::Config& config = session.config;
  Trainer trainer(config, session.task, session.data);
  if (config.run.trial >= 0)
    trainer.set_trial(std::make_shared<trainer::ReportingTrial>(config.run.trial, print));
  trainer.prepare();
  if (!tasks.contains(config.task.type)) trainer.try_evaluations();  // ours bear it
  if (!opened) open(config.run);
  const RunDirectory& run = *opened;
  trainer::CheckpointStore(Files::system(), run.path / "checkpoints").clean();
  const Start start =
      trainer::choose_start(Files::system(), run.path, resume, config.checkpoint.warm_start.path);
  print(fmt::format("{} on {}\n", start.line, session.device));
  for (const std::string& skipped : start.skipped) print("passed over " + skipped + "\n");

  trainer.use_directory(run.path, [&run] { run.locks->verify(); });
  trainer.on_saved([&run] { run.locks->add(LockType::ckpt, true); });
  obey_signals(trainer);
  begin(trainer, run, start, arguments.allowed);
  if (start.kind != Start::resumed)
    print(model_table(trainer::module_rows(trainer.task().module()), 24));
  write_durably(Files::system(), run.path / "config.toml", trainer::to_toml(config));
  record_start(run.path, session, start);

  Terminal terminal(config.log);
  trainer.add(terminal.sink());
  const Result result = fit(trainer, terminal, tasks.contains(config.task.type));
  terminal.finish();
  if (config.run.trial < 0) say_how_to_go_on(terminal, result, run.path);
  print(result_line(result) + "\n");
  if (is_final(result)) run.locks->renew_ckpt(true);
  run.locks->remove(LockType::running, true);
  leave(config, result);
  return status_of(result);
}

}  // namespace

int train(const Arguments& arguments, const Tasks& tasks) {
  trainer::Config config = trainer::load_config(arguments.path, settings_of(arguments));
  const char* base = std::getenv("RUN_DIR");
  if (base && *base && !config.source.find("run.base")) config.run.base = fs::absolute(base);
  check(arguments.ranks == 1, ErrorKind::unsupported, "--ranks ", arguments.ranks,
        ": this version trains in one process; it uses all processors (run.threads)");
  if (arguments.trial >= 0) config.run.trial = arguments.trial;
  if (config.run.trial >= 0 && config.run.directory.empty())
    config.run.directory =
        fs::path(config.run.base) / ("trial_" + std::to_string(config.run.trial));
  return run_training(std::move(config), arguments.resume, arguments, tasks);
}

int resume(const Arguments& arguments, const Tasks& tasks) {
  std::error_code code;
  check(!arguments.path.empty(), ErrorKind::argument, "resume: the name of the run is empty");
  const fs::path directory = fs::canonical(arguments.path, code);
  if (code) throw FileError("open", fs::path(arguments.path).native(), code.value(), false);
  const fs::path file = directory / "config.toml";
  check(fs::exists(file, code), ErrorKind::argument, directory.string(),
        ": not a run directory: it has no config.toml");
  std::vector<std::string> settings = settings_of(arguments);
  settings.push_back("run.directory=" + trainer::to_toml(trainer::Value{directory.string(), {}}));
  const auto steps = trainer::CheckpointStore(Files::system(), directory / "checkpoints").steps();
  check(!steps.empty(), ErrorKind::argument, directory.string(),
        ": no checkpoint to resume; `gradus train ", file.string(), "` would start afresh");
  return run_training(trainer::load_config(file, settings), "latest", arguments, tasks);
}

}  // namespace gradus::cli
