// gradus doctor: everything one would ask first when something does not work.
#include <fmt/format.h>

#include <filesystem>

#include "gradus/tensor/allocator.h"
#include "gradus/tensor/build_info.h"
#include "gradus/tensor/device.h"
#include "gradus/tensor/parallel.h"
#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/cli/machine.h"
#include "gradus/trainer/cli/record.h"
#include "gradus/trainer/log/console.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;

/// Where data sets are found without being asked for, and what it takes to have them.
std::string data_sets() {
  struct Known {
    const char *name, *file, *package;
  };
  constexpr Known known[] = {{"Fashion-MNIST",
                              "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz",
                              "Debian package dataset-fashion-mnist"}};
  std::string text;
  std::error_code code;
  for (const Known& set : known) {
    const bool found = fs::exists(set.file, code);
    text += fmt::format("  {}: {}\n", set.name,
                        found ? fs::path(set.file).parent_path().string()
                              : std::string("not found; ") + set.package);
  }
  return text;
}

std::string size_text(std::int64_t bytes) {
  return bytes < 0 ? "not known" : trainer::bytes_text(bytes);
}

std::string cuda_devices() {
  if (!has_cuda) return "cuda: not in this build\n";
  if (!cuda_available()) return "cuda: no device: no GPU, or no driver for it\n";
  std::string text;
  for (int i = 0; i < cuda_device_count(); ++i)
    text += fmt::format("cuda:{}: {}, {} available\n", i, device_name(Device::cuda(i)),
                        size_text(available_memory(Device::cuda(i))));
  return text;
}

}  // namespace

int doctor(const Arguments&, const Tasks&) {
  const Machine m = this_machine();
  const char* missing = missing_instruction_set();
  std::string text = build_info() + "\n";
  text += fmt::format("host: {}, {}\n", m.host, m.system);
  text += fmt::format("processor: {}\n", m.processor.empty() ? "not known" : m.processor);
  text += fmt::format("instruction sets: {}\n", m.instruction_sets);
  text += missing ? fmt::format("  MISSING: {}, which this build uses\n", missing) : "";
  text += fmt::format("cores: {} ({} threads by default)\n", m.cores, num_threads());
  text +=
      fmt::format("memory: {}, {} available\n", size_text(m.memory), size_text(m.memory_available));
  text +=
      fmt::format("disk: {} free in {}\n", size_text(free_space(".")), fs::current_path().string());
  text += cuda_devices();
  text += fmt::format("libraries: {}\n", library_versions());
  text += "data sets:\n" + data_sets();
  print(text);
  return missing ? 4 : 0;
}

}  // namespace gradus::cli
