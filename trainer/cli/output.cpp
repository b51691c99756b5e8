#include "gradus/trainer/cli/output.h"

#include "gradus/tensor/error.h"
#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/checkpoint/store.h"

namespace gradus::cli {

namespace fs = std::filesystem;

void check_output(const fs::path& output) {
  std::error_code code;
  const fs::path real = fs::weakly_canonical(output, code),
                 folder = fs::absolute(output).parent_path();
  check(fs::is_directory(folder, code), ErrorKind::argument, "-o ", folder.string(),
        ": there is no such directory");
  check(!fs::is_directory(output, code), ErrorKind::argument, "-o ", output.string(),
        ": is a directory");
  for (fs::path inside = real.parent_path(); inside.has_relative_path();
       inside = inside.parent_path())
    check(!trainer::step_of(inside.filename().string()) &&
              !fs::exists(inside / trainer::manifest_name, code),
          ErrorKind::argument, "-o ", output.string(), ": is in a checkpoint, ", inside.string());
  check(real.filename() != "metrics.csv" || !fs::exists(real.parent_path() / "checkpoints", code),
        ErrorKind::argument, "-o ", output.string(), ": holds the rows of a run");
}

void check_not_input(const fs::path& output, const fs::path& input) {
  std::error_code code;
  check(!fs::equivalent(output, input, code), ErrorKind::argument, "-o ", output.string(),
        ": is what would be read, ", input.string());
}

}  // namespace gradus::cli
