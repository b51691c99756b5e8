// Files and overrides to a checked Config, and back to text.
#include "gradus/trainer/config.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "gradus/tensor/error.h"
#include "gradus/trainer/config/key.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& file) {
  std::error_code code;
  check(!fs::is_directory(file, code), ErrorKind::argument, file.string(),
        ": is a directory; expected a configuration file");
  std::ifstream stream(file, std::ios::binary);
  check(stream.good(), ErrorKind::argument, file.string(), ": ", std::strerror(errno));
  std::string text((1 << 20) + 1, '\0');  // one byte more than is accepted
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  check(!stream.bad(), ErrorKind::argument, file.string(), ": ", std::strerror(errno));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

/// What each rule's own papers have, where nothing is said in the table `key`.
void set_defaults_of_rule(const Value& source, const std::string& key, OptimConfig& o) {
  const auto unset = [&](const char* name) { return !source.find(key + "." + name); };
  if (unset("betas") && o.type == "lion") o.betas = {0.9, 0.99};
  if (unset("betas") && o.type == "adan") o.betas = {0.98, 0.92, 0.99};
  if (unset("eps") && o.type == "adagrad") o.eps = 1e-10;
  if (unset("eps") && o.type == "lamb") o.eps = 1e-6;
  if (unset("eps") && o.type == "muon") o.eps = 1e-7;
  if (unset("momentum") && o.type == "lars") o.momentum = 0.9;
  if (unset("momentum") && o.type == "muon") o.momentum = 0.95;
  if (unset("nesterov") && o.type == "muon") o.nesterov = true;
  // Who names the table wants it.
  if (!unset("dynamic_clip") && unset("dynamic_clip.quantile")) o.dynamic_clip.quantile = 0.9;
  for (std::size_t i = 0; i < o.groups.size(); ++i) {
    GroupConfig& group = o.groups[i];
    const auto& given = *source.find(key + ".groups")->value.as<Value::Array>();
    if (!given[i].find("decay_by_role")) group.decay_by_role = o.decay_by_role;
    if (std::isnan(group.lr)) group.lr = o.lr;
    if (std::isnan(group.weight_decay)) group.weight_decay = o.weight_decay;
  }
}

/// Restarts at a tenth of the peak are nobody's wish; what other schedules multiply by is.
void set_defaults_of_schedule(const Value& source, const std::string& key, ScheduleConfig& s) {
  const auto unset = [&](const char* name) { return !source.find(key + "." + name); };
  if (s.type == "restarts" && unset("gamma")) s.gamma = 1;
  if (s.type == "credit_lambda" && unset("warmup") && unset("length") && unset("unit")) {
    s.unit = "epochs";
    s.warmup = 10;
    s.length = 100;
  }
}

void check_optimizers(const Config& config) {
  std::string rest;
  for (const auto& [name, optimizer] : config.optimizers) {
    const bool plain = name.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "0123456789_-") == name.npos;
    if (!plain || name.empty())
      config.fail("optimizers." + toml_key(name),
                  "the name of an optimizer has letters, digits, _ and - only");
    if (!optimizer.parameters.empty()) continue;
    if (!rest.empty())
      config.fail("optimizers." + name + ".parameters",
                  "\"" + rest + "\" takes already what no other optimizer names");
    rest = name;
  }
  for (const char* table : {"optim", "schedule"}) {
    if (!config.optimizers.empty() && config.source.find(table))
      config.fail(table, "there are several optimizers: its keys belong to [optimizers.<name>]");
  }
  if (config.optimizers.size() > 1 && config.trainer.count == "applied")
    config.fail("trainer.count",
                "several optimizers have applied steps of their own; count attempted ones");
  for (const auto& [name, own] : optimizer_configs(config)) {
    const std::size_t betas = own.optim.type == "adan" ? 3 : 2, given = own.optim.betas.size();
    if (given != betas) {
      own.fail("optim.betas",
               "expected a list of " + std::to_string(betas) + ", got " + std::to_string(given));
    }
    for (const double beta : own.optim.betas)
      if (!(beta >= 0 && beta < 1)) own.fail("optim.betas", "expected numbers from 0 to below 1");
  }
}

/// What no single key can know.
void check_together(const Config& config) {
  for (const auto& [name, data] : config.data) {
    const std::string key = "data." + name;
    if (data.from.empty() != (data.fraction == 0))
      config.fail(key, "from and fraction belong together: set both or none");
    if (data.from == name) config.fail(key + ".from", "a dataset cannot be a part of itself");
    if (!data.from.empty() && !config.data.count(data.from))
      config.fail(key + ".from", "there is no dataset \"" + data.from + "\"");
    if (!data.from.empty() && !config.data.at(data.from).from.empty())
      config.fail(key + ".from",
                  "a part of a part; take it from \"" + config.data.at(data.from).from + "\"");
    if (!data.from.empty() && !data.path.empty())
      config.fail(key, "from and path exclude each other");
  }
  const std::string& metric = config.trainer.training_metric;
  if (!metric.empty() && metric != "none") {
    const std::string set = metric.substr(0, metric.find('/'));
    if (set == metric)
      config.fail("trainer.training_metric", "expected <dataset>/<name>, got \"" + metric + "\"");
    if (!config.data.count(set))
      config.fail("trainer.training_metric",
                  "\"" + metric + "\": there is no dataset \"" + set + "\"");
    const bool skips = config.trainer.skip_validation;
    if (set == "train" && !skips)
      config.fail("trainer.training_metric",
                  "\"train\" is not evaluated; name a metric of another dataset, or set "
                  "trainer.skip_validation");
    if (set != "train" && skips)
      config.fail("trainer.training_metric",
                  "with trainer.skip_validation expected train/<name>, got \"" + metric + "\"");
    if (config.data.at(set).when == "end")
      config.fail("trainer.training_metric",
                  "\"" + set + "\" is evaluated only at the end and cannot select the best");
  }
  check_optimizers(config);
  const TrainerConfig& t = config.trainer;
  accumulate_pairs(config);
  const bool one_epoch = t.one_more_epoch || t.stop_after_epoch;
  if (one_epoch && config.source.find("trainer.epochs_per_job") && t.epochs_per_job != 1)
    config.fail("trainer.epochs_per_job", "contradicts one_more_epoch and stop_after_epoch");
  const WarmStartConfig& warm = config.checkpoint.warm_start;
  if (warm.path.empty() && (!warm.include.empty() || !warm.exclude.empty() || !warm.rename.empty()))
    config.fail("checkpoint.warm_start", "says what to take, but not from where: set its path");
  if (t.unfreeze_at > 0 && t.freeze.empty())
    config.fail("trainer.unfreeze_at", "nothing is frozen: set trainer.freeze");
  if (t.non_finite.starts_with("retry") && t.max_non_finite_retries == 0)
    config.fail("trainer.max_non_finite_retries", "0 would retry for ever");
  const bool selects = !t.training_metric.empty() && t.training_metric != "none";
  if (t.stopping_patience > 0 && !selects)
    config.fail("trainer.stopping_patience", "needs trainer.training_metric: what is to improve");
  if (config.data.count("train") && t.max_steps == 0 && t.max_epochs == 0 && t.max_samples == 0 &&
      t.max_seconds == 0)
    config.fail("trainer", "the run would never stop: set trainer.max_steps or trainer.max_epochs");
}

}  // namespace

std::vector<std::pair<std::int64_t, std::int64_t>> accumulate_pairs(const Config& config) {
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  for (const Value& value : config.trainer.accumulate_schedule) {
    const auto* pair = value.as<Value::Array>();
    const bool two =
        pair && pair->size() == 2 && (*pair)[0].as<std::int64_t>() && (*pair)[1].as<std::int64_t>();
    if (!two) {
      config.fail("trainer.accumulate_schedule",
                  "expected pairs [step, micro-batches], got " + to_toml(value));
    }
    pairs.emplace_back(*(*pair)[0].as<std::int64_t>(), *(*pair)[1].as<std::int64_t>());
    const bool rises = pairs.size() == 1 || pairs.back().first > pairs[pairs.size() - 2].first;
    if (pairs.back().first < 0 || pairs.back().second < 1 || !rises) {
      config.fail("trainer.accumulate_schedule",
                  "steps must rise from 0 and micro-batches be at least 1, got " + to_toml(value));
    }
  }
  return pairs;
}

std::vector<std::pair<std::string, Config>> optimizer_configs(const Config& config) {
  if (config.optimizers.empty()) return {{"main", config}};
  std::vector<std::pair<std::string, Config>> all;
  for (const auto& [name, optimizer] : config.optimizers) {
    Config own = config;
    own.optim = optimizer.optim;
    own.schedule = optimizer.schedule;
    own.optimizer = name;
    all.emplace_back(name, std::move(own));
  }
  return all;
}

void Config::fail(const std::string& in_optim, const std::string& text) const {
  std::string key = in_optim;
  if (!optimizer.empty() && key.starts_with("optim."))
    key = "optimizers." + toml_key(optimizer) + key.substr(5);
  else if (!optimizer.empty() && key.starts_with("schedule."))
    key = "optimizers." + toml_key(optimizer) + "." + key;
  std::string path = key;
  const Member* member = source.find(path);
  while (!member && path.find('.') != path.npos) {
    path = path.substr(0, path.rfind('.'));
    member = source.find(path);
  }
  const Where where = member ? member->value.where : source.where;
  throw Error(ErrorKind::argument, to_string(where) + key + ": " + text);
}

Config parse_config(std::string_view text, const std::string& source, const std::string& folder,
                    const std::vector<std::string>& settings) {
  Config config;
  config.folder = fs::absolute(folder.empty() ? "." : folder).lexically_normal();
  config.source = parse_toml(text, source);
  for (const std::string& setting : settings) apply_setting(config.source, setting);
  read_keys(config.source, keys(config), "", config.folder);
  for (auto& [name, data] : config.data)
    if (data.when == "auto") data.when = name == "test" ? "end" : "validation";
  set_defaults_of_rule(config.source, "optim", config.optim);
  set_defaults_of_schedule(config.source, "schedule", config.schedule);
  for (auto& [name, optimizer] : config.optimizers) {
    const std::string key = "optimizers." + name;
    set_defaults_of_rule(config.source, key, optimizer.optim);
    set_defaults_of_schedule(config.source, key + ".schedule", optimizer.schedule);
  }
  // A captured step has one shape of batch.
  const auto train = config.data.find("train");
  if (config.trainer.cuda_graph && train != config.data.end() &&
      !config.source.find("data.train.drop_last"))
    train->second.drop_last = true;
  TrainerConfig& t = config.trainer;
  if ((t.one_more_epoch || t.stop_after_epoch) && !config.source.find("trainer.epochs_per_job"))
    t.epochs_per_job = 1;
  if (t.skip_validation && t.training_metric.empty()) t.training_metric = "train/loss";
  const auto valid = config.data.find("valid");
  if (config.trainer.training_metric.empty() && valid != config.data.end() &&
      valid->second.when == "validation")
    config.trainer.training_metric = "valid/loss";
  config.run.base = fs::absolute(config.run.base);  // the default counts from the working directory
  check_together(config);
  return config;
}

Config load_config(const std::string& file, const std::vector<std::string>& settings) {
  return parse_config(read_text(file), file, fs::path(file).parent_path(), settings);
}

void resolve(Value& options, const Keys& keys, const std::string& prefix,
             const std::string& folder) {
  read_keys(options, keys, prefix, folder);
  options.data = parse_toml(write_keys(keys, false), "").data;
}

std::string to_toml(const Config& config) {
  Config copy = config;  // rows hold pointers to fields they may change
  return write_keys(keys(copy), false);
}

std::string describe_config() {
  Config config;
  config.data["train"];
  return write_keys(keys(config), true);
}

}  // namespace gradus::trainer
