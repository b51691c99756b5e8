// gradus diff: in what two configurations, runs, checkpoints or files of tensors differ.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "gradus/tensor/json.h"
#include "gradus/trainer/checkpoint/compare.h"
#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/config/changes.h"
#include "gradus/trainer/config/differences.h"
#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using trainer::Change;
using trainer::Difference;
using trainer::Files;

/// One of the two things that are compared.
struct Side {
  fs::path path;        // as it was found
  fs::path checkpoint;  // "" for a configuration or a file of tensors
  fs::path tensors;     // "" but for a file of tensors
  std::string config;   // with every default; "" for a file of tensors
};

std::string resolved(const fs::path& file) {
  trainer::Config config = trainer::load_config(file);
  resolve_own_keys(config);
  return to_toml(config);
}

Side side_of(const fs::path& given) {
  Side side;
  side.path = followed(given);
  std::error_code code;
  if (side.path.extension() == ".safetensors") {
    side.tensors = side.path;
  } else if (!fs::is_directory(side.path, code)) {
    side.config = resolved(side.path);
  } else if (fs::exists(side.path / trainer::manifest_name, code)) {
    const std::string wrong = verify_directory(Files::system(), side.path);
    check(wrong.empty(), ErrorKind::corrupt, side.path.string(), ": damaged: ", wrong);
    side.checkpoint = side.path;
    side.config = trainer::read_saved_state(side.path).config;
  } else {
    check(fs::exists(side.path / "config.toml", code), ErrorKind::argument, side.path.string(),
          ": not a configuration, a checkpoint, a run directory or a .safetensors file");
    side.config = resolved(side.path / "config.toml");
    std::vector<std::string> skipped;
    const trainer::CheckpointStore store(Files::system(), side.path / "checkpoints");
    if (const auto newest = store.newest_good(skipped)) side.checkpoint = newest->path;
  }
  return side;
}

const char* kind_name(const Difference& d) {
  switch (trainer::kind_of_change(d.key, d.before, d.after)) {
    case Change::free: return "";
    case Change::warned: return "  # a resume tells";
    case Change::refused: return "  # a resume refuses";
  }
  return "";
}

/// Two lists of lines: what stands on the left only, and on the right only.
std::string config_text(const Side& a, const Side& b) {
  const auto found = trainer::differences(trainer::parse_toml(a.config, a.path.string()),
                                          trainer::parse_toml(b.config, b.path.string()));
  if (found.empty()) return "configuration: the same\n";
  std::string left, right;
  for (const Difference& d : found) {
    const std::string end = fmt::format("{}\n", kind_name(d));
    if (d.in_before) left += fmt::format("  - {} = {}{}", d.key, d.before, end);
    if (d.in_after) right += fmt::format("  + {} = {}{}", d.key, d.after, end);
  }
  return fmt::format("configuration: {} key{} differ{}\n{}{}", found.size(),
                     found.size() == 1 ? "" : "s", found.size() == 1 ? "s" : "", left, right);
}

std::string tensors_text(const std::string& name, const fs::path& a, const fs::path& b) {
  std::int64_t equal = 0;
  const auto found = trainer::compare_tensors(a, b, equal);
  if (found.empty()) return fmt::format("{}: {} tensors, the same\n", name, equal);
  std::string text = fmt::format("{}: {} differ, {} the same\n", name, found.size(), equal);
  for (const auto& d : found) {
    if (d.after.empty()) text += fmt::format("  - {}  {}\n", d.name, d.before);
    if (d.before.empty()) text += fmt::format("  + {}  {}\n", d.name, d.after);
    if (d.before.empty() || d.after.empty()) continue;
    if (d.before != d.after) {
      text += fmt::format("  {}  {} -> {}\n", d.name, d.before, d.after);
      continue;
    }
    text += fmt::format("  {}  {}  largest difference {:.4g} at ({}), {} of {} elements\n", d.name,
                        d.before, d.largest, fmt::join(d.at, ", "), d.differing, d.elements);
  }
  return text;
}

/// Names of a checkpoint's files of tensors: "model.safetensors", "optimizer/main.safetensors".
std::vector<std::string> tensor_files(const fs::path& checkpoint) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(checkpoint))
    if (entry.path().extension() == ".safetensors")
      names.push_back(entry.path().lexically_relative(checkpoint).generic_string());
  std::sort(names.begin(), names.end());
  return names;
}

/// The text of every value by its way there: "selection/best". A row ["valid/loss", 0.3] of a list
/// goes by its first value, "last_validation/valid/loss": places mean nothing to a reader.
void flatten(const Json& json, const std::string& way, std::map<std::string, std::string>& out) {
  const auto below = [&](const std::string& name) { return way.empty() ? name : way + '/' + name; };
  if (json.is_object()) {
    for (const auto& [name, value] : json.members()) flatten(value, below(name), out);
    return;
  }
  const bool rows = json.is_list() && std::ranges::all_of(json.list(), [](const Json& row) {
                      return row.is_list() && row.list().size() > 1;
                    });
  if (!rows) {
    out[way] = json.text();
    return;
  }
  for (const Json& row : json.list()) {
    const Json::List& values = row.list();
    const Json first = values[0];
    const Json rest =
        values.size() == 2 ? values[1] : Json(Json::List(values.begin() + 1, values.end()));
    flatten(rest, below(first.is_string() ? first.string() : first.text()), out);
  }
}

/// What a program writes into state.json about where it was; the configuration has its own part.
std::string state_text(const fs::path& a, const fs::path& b) {
  const auto flat = [](const fs::path& checkpoint) {
    std::map<std::string, std::string> values;
    flatten(
        Json::parse(read_file(Files::system(), checkpoint / "state.json", std::size_t{64} << 20)),
        "", values);
    values.erase("config");
    return values;
  };
  const auto left = flat(a), right = flat(b);
  std::string text;
  for (const auto& [key, value] : left)
    if (const auto other = right.find(key); other == right.end() || other->second != value)
      text += fmt::format("  {}: {} -> {}\n", key, value,
                          other == right.end() ? "none" : other->second);
  for (const auto& [key, value] : right)
    if (!left.contains(key)) text += fmt::format("  {}: none -> {}\n", key, value);
  return text.empty() ? "state: the same\n" : "state:\n" + text;
}

std::string checkpoints_text(const fs::path& a, const fs::path& b) {
  std::string text = state_text(a, b);
  const auto left = tensor_files(a), right = tensor_files(b);
  for (const std::string& name : left)
    text += std::count(right.begin(), right.end(), name) > 0
                ? tensors_text(name, a / name, b / name)
                : fmt::format("- {}\n", name);
  for (const std::string& name : right)
    if (std::count(left.begin(), left.end(), name) == 0) text += fmt::format("+ {}\n", name);
  return text;
}

}  // namespace

int diff(const Arguments& arguments, const Tasks&) {
  const Side a = side_of(arguments.path), b = side_of(arguments.input);
  check(a.tensors.empty() == b.tensors.empty(), ErrorKind::argument, a.path.string(), " and ",
        b.path.string(), ": a file of tensors can be compared with another one only");
  const auto named = [](const Side& side) {
    return side.checkpoint.empty() ? side.path.string() : side.checkpoint.string();
  };
  std::string text = fmt::format("- {}\n+ {}\n", named(a), named(b));
  if (!a.tensors.empty()) {
    text += tensors_text("tensors", a.tensors, b.tensors);
  } else {
    text += config_text(a, b);
    if (!a.checkpoint.empty() && !b.checkpoint.empty())
      text += checkpoints_text(a.checkpoint, b.checkpoint);
  }
  print(text);
  return 0;
}

}  // namespace gradus::cli
