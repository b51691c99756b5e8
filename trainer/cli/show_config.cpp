// gradus config: the reference of all keys, or one configuration with everything that it leaves
// out.
#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/config.h"

namespace gradus::cli {

int show_config(const Arguments& arguments, const Tasks&) {
  if (arguments.path.empty())
    print(trainer::describe_config());
  else
    print(trainer::to_toml(trainer::load_config(arguments.path, arguments.settings)));
  return 0;
}

}  // namespace gradus::cli
