// Which checkpoints stay, and the traces of crashes and of rewritten histories.
#include <algorithm>
#include <set>

#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/checkpoint/store.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view superseded_prefix = "superseded_";

/// What follows a prefix; nothing for other names.
std::optional<std::string> after(std::string_view prefix, const std::string& name) {
  if (name.compare(0, prefix.size(), prefix) != 0) return {};
  return name.substr(prefix.size());
}

}  // namespace

std::vector<std::int64_t> steps_to_delete(const std::vector<std::int64_t>& steps,
                                          const CheckpointConfig& rules, std::int64_t newest,
                                          std::optional<std::int64_t> best,
                                          const IsEpochEnd& is_epoch_end) {
  std::vector<std::int64_t> older;  // newest first
  for (const std::int64_t step : steps)
    if (step < newest) older.push_back(step);
  std::sort(older.rbegin(), older.rend());
  const auto at_epoch = [&](std::int64_t step) {
    const bool asked = rules.keep_epochs || rules.keep_previous_epoch;
    return asked && is_epoch_end && is_epoch_end(step);
  };
  bool previous_epoch = rules.keep_previous_epoch;  // still to be found
  std::vector<std::int64_t> gone;
  for (std::size_t i = 0; i < older.size(); ++i) {
    const std::int64_t step = older[i];
    const bool epoch = at_epoch(step), is_previous = epoch && previous_epoch;
    previous_epoch = previous_epoch && !is_previous;
    const bool wanted = rules.keep_all || (epoch && rules.keep_epochs) || is_previous ||
                        static_cast<std::int64_t>(i) < rules.keep_previous ||
                        (rules.keep_interval > 0 && step % rules.keep_interval == 0) ||
                        (rules.keep_best && best == step) ||
                        std::count(rules.keep_steps.begin(), rules.keep_steps.end(), step) > 0;
    if (!wanted) gone.push_back(step);
  }
  return gone;
}

void CheckpointStore::prune(const CheckpointConfig& rules, std::int64_t newest,
                            std::optional<std::int64_t> best) {
  const auto is_epoch_end = [this](std::int64_t step) {
    try {
      const State state = read_saved_state(path_of(step)).state;
      return state.cursor == 0 && state.attempted > 0;
    } catch (const Error&) {
      return true;  // who knows: it stays
    }
  };
  for (const std::int64_t step : steps_to_delete(steps(), rules, newest, best, is_epoch_end))
    remove(path_of(step));
  for (const Files::Entry& entry : list(files_, directory_)) {
    const auto name = after(superseded_prefix, entry.name);
    const auto step = name ? step_of(*name) : std::nullopt;
    if (step && *step <= newest) remove(directory_ / entry.name);
  }
}

void CheckpointStore::clean() {
  std::error_code code;
  if (!fs::exists(directory_, code)) return;
  sync_directory(files_, directory_);  // an exchange whose process died may not be durable yet
  for (const Files::Entry& entry : list(files_, directory_)) {
    const fs::path path = directory_ / entry.name;
    if (const auto name = after(replaced_prefix, entry.name)) {
      const fs::path final = directory_ / *name;
      if (fs::exists(final, code)) {
        remove_tree(files_, path);
      } else {
        done(files_.rename(path, final), "rename", path);
        sync_directory(files_, directory_);
      }
    } else if (after(temporary_prefix, entry.name) && entry.kind == Files::Entry::directory) {
      remove_tree(files_, path);
    } else if (entry.kind == Files::Entry::file && entry.name.find(".tmp_") != std::string::npos) {
      done(files_.remove(path), "remove", path);  // of a pointer file that was being replaced
    }
  }
}

void CheckpointStore::set_aside_after(std::int64_t step) {
  for (const std::int64_t later : steps()) {
    if (later <= step) continue;
    const fs::path aside = directory_ / (std::string(superseded_prefix) + step_name(later));
    remove_tree(files_, aside);
    done(files_.rename(path_of(later), aside), "rename", path_of(later));
  }
  if (!steps().empty()) sync_directory(files_, directory_);
}

}  // namespace gradus::trainer
