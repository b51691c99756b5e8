// gradus config: the reference of all keys, or one configuration with everything that it leaves
// out.
#include "gradus/tensor/error.h"
#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::cli {

int show_config(const Arguments& arguments, const Tasks&) {
  if (arguments.path.empty()) {
    check(arguments.settings.empty(), ErrorKind::argument,
          "config: --set changes a configuration: name its file");
    print(trainer::describe_config() + trainer::describe_own_keys());
    return 0;
  }
  trainer::Config config = trainer::load_config(arguments.path, arguments.settings);
  resolve_own_keys(config);
  print(trainer::to_toml(config));
  return 0;
}

}  // namespace gradus::cli
