// gradus inspect: what is in a safetensors file, a checkpoint or a run directory, and whether it is
// whole.
#include <fmt/format.h>

#include <array>

#include "gradus/tensor/json.h"
#include "gradus/tensor/reader.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/checkpoint/compare.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/log/console.h"
#include "gradus/trainer/run/lock.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using trainer::bytes_text;
using trainer::Files;

/// Other files are met here too (config.toml, metrics.csv): their first bytes would be read as an
/// absurd length.
bool begins_as_safetensors(const fs::path& file) {
  char start[9] = {};
  trainer::FileReader reader(Files::system(), file);
  return reader.read(start, 9) == 9 && start[8] == '{';
}

std::string number(double v) { return std::isnan(v) ? "-" : fmt::format("{:.4g}", v); }

/// A line a tensor, with what its numbers look like: one that was never trained, or that is no
/// longer finite, is seen at once.
std::string tensors_of(const fs::path& file) {
  Reader reader(file);
  const SafetensorsHeader header = read_safetensors_header(reader);
  std::vector<std::array<std::string, 8>> rows = {
      {"name", "type", "bytes", "mean", "deviation", "least", "most", ""}};
  std::int64_t elements = 0, not_finite = 0;
  for (const auto& entry : header.entries) {
    const Tensor t = load_safetensors(file, Device::cpu(), {entry.name}).at(entry.name);
    const trainer::Statistics s = trainer::statistics(t);
    elements += s.count;
    not_finite += s.not_finite;
    rows.push_back({entry.name, trainer::kind_text(entry.dtype, entry.shape),
                    bytes_text(static_cast<std::int64_t>(entry.end - entry.begin)), number(s.mean),
                    number(s.deviation), number(s.least), number(s.most),
                    s.not_finite ? fmt::format("{} NOT FINITE", s.not_finite) : ""});
  }
  std::array<std::size_t, 8> width{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line = fmt::format("  {:<{}}  {:<{}}", row[0], width[0], row[1], width[1]);
    for (std::size_t i = 2; i < 7; ++i) line += fmt::format("  {:>{}}", row[i], width[i]);
    text += line + (row[7].empty() ? "" : "  " + row[7]) + "\n";
  }
  text += fmt::format("  {} tensors, {} elements, {}", header.entries.size(), elements,
                      bytes_text(static_cast<std::int64_t>(reader.size())));
  text += not_finite ? fmt::format(", {} NOT FINITE\n", not_finite) : "\n";
  for (const auto& [name, value] : header.metadata) text += fmt::format("  {} = {}\n", name, value);
  return text;
}

/// The numbers of a state.json that a person asks for. It may be a later version's: what is not
/// known is passed over.
std::string state_of(const fs::path& checkpoint) {
  const auto text = read_file(Files::system(), checkpoint / "state.json", std::size_t{64} << 20);
  const std::optional<Json> json = Json::parse_if(text);
  if (!json || !json->is_object()) return "  state.json: not JSON\n";
  std::string out;
  const auto line = [&](const std::string& name, const Json* value) {
    if (value)
      out += fmt::format("  {}: {}\n", name, value->is_string() ? value->string() : value->text());
  };
  const auto members = [&](const char* name) {
    const Json* const found = json->find(name);
    return found && found->is_object() ? found->members() : Json::Members();
  };
  line("written by gradus", json->find("engine"));
  for (const auto& [name, value] : members("state")) line(name, &value);
  line("seed", json->find("seed"));
  for (const auto& [name, value] : members("data")) line("training " + name, &value);
  const Json best(members("selection"));
  if (const Json* const step = best.find("best_step");
      step && step->is_integer() && step->integer() >= 0)
    for (const char* name : {"metric", "best", "best_step", "since_best"})
      line(name, best.find(name));
  if (const Json* const last = json->find("last_validation"); last && last->is_list())
    for (const Json& pair : last->list())
      if (pair.is_list() && pair.list().size() == 2 && pair.at(0).is_string())
        line("last " + pair.at(0).string(), &pair.at(1));
  for (const auto& [name, value] : members("hooks"))
    out += fmt::format("  hook {}: {} bytes of state\n", name, value.text().size());
  return out;
}

int inspect_checkpoint(const fs::path& path) {
  const std::string wrong = verify_directory(Files::system(), path);
  std::string text = fmt::format("checkpoint {}: {}\n", path.string(),
                                 wrong.empty() ? "good" : "DAMAGED: " + wrong);
  if (wrong.empty()) {
    std::error_code code;
    if (fs::exists(path / "state.json", code)) text += state_of(path);
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(path))
      if (entry.path().extension() == ".safetensors")
        names.push_back(entry.path().lexically_relative(path).generic_string());
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) text += name + ":\n" + tensors_of(path / name);
  }
  print(text);
  return wrong.empty() ? 0 : 2;
}

/// What the newest checkpoint knows of the run's validations.
std::string validations_of(const fs::path& newest) try {
  const trainer::SavedState saved = trainer::read_saved_state(newest);
  std::string text;
  if (const auto& s = saved.selection; s.best_step >= 0)
    text += fmt::format("  best: {}, {} = {}\n", trainer::step_name(s.best_step), s.metric, s.best);
  for (const auto& [name, value] : saved.last_validation)
    text +=
        fmt::format("{} {} = {}", text.ends_with('\n') || text.empty() ? "  last validation:" : ",",
                    name, value);
  return text.empty() || text.ends_with('\n') ? text : text + "\n";
} catch (const Error&) {  // of another kind: inspect it by its name
  return "";
}

int inspect_run(const fs::path& path) {
  std::string text = fmt::format("run directory {}\n", path.string());
  const trainer::Locks locks(Files::system(), path);
  for (const trainer::LockType type : trainer::all_lock_types) {
    if (!locks.has(type)) continue;
    const auto holder = locks.holder(type);
    text += fmt::format("  {}{}\n", to_string(type), holder ? ": " + to_string(*holder) : "");
  }
  const trainer::CheckpointStore store(Files::system(), path / "checkpoints");
  bool all_good = true;
  fs::path newest;
  for (const std::int64_t step : store.steps()) {
    const std::string wrong = verify_directory(Files::system(), store.path_of(step));
    text += fmt::format("  {}: {}\n", trainer::step_name(step),
                        wrong.empty() ? "good" : "DAMAGED: " + wrong);
    all_good = all_good && wrong.empty();
    if (wrong.empty()) newest = store.path_of(step);
  }
  if (store.steps().empty()) text += "  no checkpoints\n";
  if (!newest.empty()) text += validations_of(newest);
  print(text);
  return all_good ? 0 : 2;
}

}  // namespace

int inspect(const Arguments& arguments, const Tasks&) {
  std::error_code code;
  const fs::path path = followed(arguments.path);
  if (!fs::is_directory(path)) {
    check(path.extension() == ".safetensors" || begins_as_safetensors(path), ErrorKind::argument,
          path.string(), ": not a safetensors file, a checkpoint or a run directory");
    print(fmt::format("{}\n{}", path.string(), tensors_of(path)));
    return 0;
  }
  if (trainer::step_of(path.filename().string()) || fs::exists(path / trainer::manifest_name, code))
    return inspect_checkpoint(path);
  list(Files::system(), path);  // says so if it cannot be read
  check(fs::exists(path / "checkpoints", code) || fs::exists(path / "config.toml", code),
        ErrorKind::argument, path.string(), ": neither a checkpoint nor a run directory");
  return inspect_run(path);
}

}  // namespace gradus::cli
