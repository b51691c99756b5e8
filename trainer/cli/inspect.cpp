// gradus inspect: what is in a safetensors file, a checkpoint or a run directory, and whether it is
// whole.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gradus/tensor/reader.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/log/console.h"
#include "gradus/trainer/run/lock.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using trainer::bytes_text;
using trainer::Files;

std::string dims(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (const std::int64_t d : shape) text += fmt::format("{}{}", text.size() > 1 ? ", " : "", d);
  return text + ")";
}

/// Other files are met here too (config.toml, metrics.csv): their first bytes would be read as an
/// absurd length.
bool begins_as_safetensors(const fs::path& file) {
  char start[9] = {};
  trainer::FileReader reader(Files::system(), file);
  return reader.read(start, 9) == 9 && start[8] == '{';
}

std::string tensors_of(const fs::path& file) {
  Reader reader(file);
  const SafetensorsHeader header = read_safetensors_header(reader);
  std::size_t widest = 4;
  for (const auto& entry : header.entries) widest = std::max(widest, entry.name.size());
  std::string text;
  std::int64_t elements = 0;
  for (const auto& entry : header.entries) {
    std::int64_t n = 1;
    for (const std::int64_t d : entry.shape) n *= d;
    elements += n;
    text += fmt::format("  {:<{}}  {:<5} {}\n", entry.name, widest, entry.dtype, dims(entry.shape));
  }
  text += fmt::format("  {} tensors, {} elements, {}\n", header.entries.size(), elements,
                      bytes_text(static_cast<std::int64_t>(reader.size())));
  for (const auto& [name, value] : header.metadata) text += fmt::format("  {} = {}\n", name, value);
  return text;
}

/// The numbers of a state.json that a person asks for.
std::string state_of(const fs::path& checkpoint) {
  const auto text = read_file(Files::system(), checkpoint / "state.json", std::size_t{64} << 20);
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return "  state.json: not JSON\n";
  std::string out;
  if (const auto engine = json.find("engine"); engine != json.end() && engine->is_string())
    out += fmt::format("  written by gradus {}\n", engine->get<std::string>());
  if (const auto state = json.find("state"); state != json.end() && state->is_object())
    for (const auto& [name, value] : state->items())
      out += fmt::format("  {}: {}\n", name, value.dump());
  return out;
}

int inspect_checkpoint(const fs::path& path) {
  const std::string wrong = verify_directory(Files::system(), path);
  std::string text = fmt::format("checkpoint {}: {}\n", path.string(),
                                 wrong.empty() ? "good" : "DAMAGED: " + wrong);
  if (wrong.empty()) {
    std::error_code code;
    if (fs::exists(path / "state.json", code)) text += state_of(path);
    for (const Files::Entry& entry : list(Files::system(), path))
      if (fs::path(entry.name).extension() == ".safetensors")
        text += entry.name + ":\n" + tensors_of(path / entry.name);
  }
  print(text);
  return wrong.empty() ? 0 : 2;
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
  for (const std::int64_t step : store.steps()) {
    const std::string wrong = verify_directory(Files::system(), store.path_of(step));
    text += fmt::format("  {}: {}\n", trainer::step_name(step),
                        wrong.empty() ? "good" : "DAMAGED: " + wrong);
    all_good = all_good && wrong.empty();
  }
  if (store.steps().empty()) text += "  no checkpoints\n";
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
