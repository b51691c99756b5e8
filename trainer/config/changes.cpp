// Two configurations as lists of keys, and the table of what each key may do.
#include "gradus/trainer/config/changes.h"

#include "gradus/tensor/error.h"
#include "gradus/trainer/patterns.h"

namespace gradus::trainer {
namespace {

using Flat = std::map<std::string, std::string>;

void flatten(const Value& value, const std::string& name, Flat& out) {
  const auto* table = value.as<Value::Table>();
  if (!table) {
    out[name] = to_toml(value);
    return;
  }
  for (const Member& member : *table)
    flatten(member.value, name.empty() ? member.key : name + "." + member.key, out);
}

/// Does a list of tables hold everything it held? What a new release adds to each changes nothing.
bool holds(const Value& now, const Value& before) {
  const auto* to = now.as<Value::Array>();
  const auto* from = before.as<Value::Array>();
  if (!to || !from || to->size() != from->size()) return false;
  for (std::size_t i = 0; i < to->size(); ++i) {
    Flat had, has;
    flatten((*from)[i], "", had);
    flatten((*to)[i], "", has);
    if (!(*from)[i].as<Value::Table>()) return false;
    for (const auto& [key, value] : had)
      if (!has.count(key) || has.at(key) != value) return false;
  }
  return true;
}

struct Row {
  const char* pattern;
  Change::Kind kind;
};
/// First match wins. Data sets that only evaluate are free; where they are parts of the training
/// set, what they take from it is not.
constexpr Row rows[] = {
    {"run.seed", Change::refused},
    {"run.precision", Change::refused},
    {"run.tf32", Change::refused},
    {"run.lanes", Change::refused},
    {"task.top_k", Change::free},  // what is told of the same training
    {"task.confusion", Change::free},
    {"task.sample", Change::free},
    {"task.temperature", Change::free},
    {"task.*", Change::refused},
    {"model.*", Change::refused},
    {"data.train.batch_size", Change::warned},
    {"data.train.drop_last", Change::warned},
    {"data.train.workers", Change::free},
    {"data.train.prefetch", Change::free},
    {"data.train.*", Change::refused},
    {"data.*.from", Change::refused},
    {"data.*.fraction", Change::refused},
    {"optim.type", Change::refused},
    {"optim.groups", Change::refused},
    {"optim.dynamic_clip.window", Change::refused},
    {"optim.ema_decay", Change::refused},
    {"optim.ema_adaptive", Change::refused},
    {"optim.*", Change::warned},
    {"schedule.*", Change::warned},
    {"optimizers.*.parameters", Change::refused},
    {"optimizers.*.type", Change::refused},
    {"optimizers.*.groups", Change::refused},
    {"optimizers.*.dynamic_clip.window", Change::refused},
    {"optimizers.*.ema_decay", Change::refused},
    {"optimizers.*.ema_adaptive", Change::refused},
    {"optimizers.*", Change::warned},
    {"trainer.freeze", Change::refused},
    {"trainer.unfreeze_at", Change::warned},
    {"trainer.accumulate", Change::warned},
    {"trainer.accumulate_schedule", Change::warned},
    {"trainer.split_batches", Change::warned},
    {"trainer.balance_losses", Change::warned},
    {"trainer.batches_per_epoch", Change::warned},
    {"trainer.skip_validation", Change::warned},
    {"trainer.training_metric", Change::warned},
    {"checkpoint.save", Change::refused},
    {"trainer.direction", Change::warned},
};

/// A split that is there on one side only: without it the training set is another one.
bool is_split(const std::string& key, const std::string& value) {
  return matches("data.*.from", key) && value != "\"\"";
}

}  // namespace

Change::Kind kind_of_change(const std::string& key, const std::string& before,
                            const std::string& after) {
  // An average cannot begin or end in the middle of a run.
  const bool toggled = (before == "0.0") != (after == "0.0");
  if (toggled && key.starts_with("optim") &&
      (key.ends_with(".ema_decay") || key.ends_with(".dynamic_clip.quantile")))
    return Change::refused;
  const std::string_view whole = std::string_view(key).substr(0, key.find('['));
  for (const Row& row : rows)
    if (matches(row.pattern, whole)) return row.kind;
  return Change::free;
}

std::vector<Change> changes(const std::string& before, const Config& after) {
  const Value was = parse_toml(before, "checkpoint"), is = parse_toml(to_toml(after), "");
  Flat old, now;
  flatten(was, "", old);
  flatten(is, "", now);
  std::vector<Change> out;
  for (const auto& [key, value] : old) {
    const auto found = now.find(key);
    if (found != now.end() ? found->second == value : !is_split(key, value)) continue;
    const Member *then = was.find(key), *given = is.find(key);
    if (key.ends_with(".groups") && then && given && holds(given->value, then->value)) continue;
    out.push_back({Change::free, key, value, found == now.end() ? "none" : found->second});
  }
  for (const auto& [key, value] : now)
    if (!old.count(key) && is_split(key, value)) out.push_back({Change::free, key, "none", value});
  for (Change& change : out) change.kind = kind_of_change(change.key, change.before, change.after);
  return out;
}

std::vector<std::string> check_changes(const std::vector<Change>& changes,
                                       const std::vector<std::string>& allowed) {
  std::vector<std::string> lines;
  std::string refused, options;
  for (const Change& change : changes) {
    const std::string text = change.key + ": " + change.before + " -> " + change.after;
    if (change.kind == Change::refused && !matches_any(allowed, change.key)) {
      refused += (refused.empty() ? "" : "; ") + text;
      options += " --allow-change " + change.key;
    } else if (change.kind != Change::free) {
      lines.push_back("changed since the checkpoint: " + text);
    }
  }
  check(refused.empty(), ErrorKind::argument,
        "this would be another run than the checkpoint's: ", refused,
        "; give it a run.directory of its own, or say", options);
  return lines;
}

}  // namespace gradus::trainer
