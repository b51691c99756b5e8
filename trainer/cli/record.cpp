// The record of a start: versions of everything that the bits of a run may depend on.
#include "gradus/trainer/cli/record.h"

#include <fmt/format.h>
#include <jpeglib.h>
#include <toml++/impl/version.h>
#include <xxhash.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <nlohmann/json_fwd.hpp>

#include "gradus/tensor/build_info.h"
#include "gradus/trainer/cli/machine.h"
#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/run/command.h"

namespace gradus::cli {

namespace fs = std::filesystem;

std::string library_versions() {
  return fmt::format(
      "fmt {}.{}.{}, nlohmann-json {}.{}.{}, toml++ {}.{}.{}, CLI11 {}, xxHash {}.{}.{}, "
      "zlib {}, libjpeg {}.{}",
      FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100, NLOHMANN_JSON_VERSION_MAJOR,
      NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH, TOML_LIB_MAJOR, TOML_LIB_MINOR,
      TOML_LIB_PATCH, CLI11_VERSION, XXH_VERSION_MAJOR, XXH_VERSION_MINOR, XXH_VERSION_RELEASE,
      zlibVersion(), JPEG_LIB_VERSION / 10, JPEG_LIB_VERSION % 10);
}

std::string git_state(const fs::path& folder) {
  std::error_code code;
  fs::path top = fs::absolute(folder, code);
  while (!fs::exists(top / ".git", code) && top.has_relative_path()) top = top.parent_path();
  if (!fs::exists(top / ".git", code)) return "";  // git itself is asked only where it has a say
  auto commit = trainer::output_of({"git", "-C", top.string(), "rev-parse", "HEAD"});
  if (!commit || commit->empty()) return "";
  commit->pop_back();
  const auto changes =
      trainer::output_of({"git", "-C", top.string(), "status", "--porcelain", "-uno"});
  return *commit + (changes && !changes->empty() ? " (changed)" : "");
}

void record_start(const fs::path& run, const Session& session, const trainer::Start& start) {
  const Machine machine = this_machine();
  const trainer::Holder holder = trainer::this_process(job_from_environment());
  const std::string line = trainer::JsonLine()
                               .add("event", "start")
                               .add("time", holder.started)
                               .add("start", start.line)
                               .add("step", start.step)
                               .add("seed", session.config.run.seed)
                               .add("device", session.device)
                               .add("build", build_info())
                               .add("libraries", library_versions())
                               .add("git", git_state(session.config.folder))
                               .add("host", machine.host)
                               .add("system", machine.system)
                               .add("processor", machine.processor)
                               .add("cores", std::int64_t{machine.cores})
                               .add("memory_bytes", machine.memory)
                               .add("job", holder.job)
                               .text();
  trainer::FileWriter writer(trainer::Files::system(), run / "starts.jsonl",
                             trainer::FileWriter::Mode::append);
  writer.write(line + "\n");
  writer.close();
}

}  // namespace gradus::cli
