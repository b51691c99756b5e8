// gradus export: a model's weights in one file that other libraries load.
#include <fmt/format.h>

#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/cli/output.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/log/console.h"
#include "gradus/trainer/run/files.h"

namespace gradus::cli {

namespace fs = std::filesystem;

int export_weights(const Arguments& arguments, const Tasks&) {
  const fs::path& output = arguments.output;
  check(output.extension() == ".safetensors", ErrorKind::argument, "-o ", output.string(),
        ": expected a name that ends in .safetensors");
  check_output(output);
  const fs::path checkpoint = checkpoint_of(arguments.path);
  const trainer::SavedState saved = trainer::read_saved_state(checkpoint);
  check(saved.frozen.empty(), ErrorKind::unsupported, checkpoint.string(),
        ": holds the trainable weights only (checkpoint.save); gradus eval and predict take the "
        "others from where the run took them, an export does not");
  TensorMap weights = load_safetensors(checkpoint / "model.safetensors");
  if (arguments.averaged) {
    const fs::path ema = checkpoint / "ema.safetensors";
    std::error_code code;
    check(fs::exists(ema, code), ErrorKind::argument, checkpoint.string(),
          ": has no averaged weights; they are kept where optim.ema_decay is not 0");
    for (auto& [name, tensor] : load_safetensors(ema)) weights[name] = tensor;
  }
  // load_state_dict(strict=True) wants every name of a tied tensor: each gets a copy of its own.
  std::int64_t elements = 0;
  for (auto& [name, tensor] : weights) {
    tensor = tensor.clone();
    elements += tensor.numel();
  }
  const trainer::State& state = saved.state;
  std::vector<std::byte> bytes;
  save_safetensors(bytes, weights,
                   {{"format", "pt"},
                    {"gradus.step", std::to_string(state.attempted)},
                    {"gradus.weights", arguments.averaged ? "average" : "live"}});
  write_durably(trainer::Files::system(), fs::weakly_canonical(output),  // follows links
                {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  print(fmt::format("{}: {} tensors, {} elements, {}, {} weights of step {}\n", output.string(),
                    weights.size(), elements,
                    trainer::bytes_text(static_cast<std::int64_t>(bytes.size())),
                    arguments.averaged ? "averaged" : "live", state.attempted));
  return 0;
}

}  // namespace gradus::cli
