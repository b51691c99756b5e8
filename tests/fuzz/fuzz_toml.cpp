// Configurations: TOML, and the keys of a run. What is accepted reads back as the same.
#include "gradus/tests/fuzz/harness.h"
#include "gradus/trainer/config.h"

namespace gradus::fuzz::toml_config {

int one_input(Bytes bytes) {
  const std::string text(text_of(bytes.first(std::min<std::size_t>(bytes.size(), 1 << 16))));
  answered([&] {
    const trainer::Value value = trainer::parse_toml(text, "fuzz.toml");
    const std::string written = "v = " + to_toml(value);
    const trainer::Value again = trainer::parse_toml(written, "again.toml");
    must(to_toml(again.find("v")->value) == to_toml(value), "TOML that is written reads back");
  });
  answered([&] {
    const trainer::Config config = trainer::parse_config(text, "fuzz.toml", "/nowhere");
    must(!to_toml(config).empty(), "a configuration can be written");
  });
  return answered([&] {
    trainer::Value root = trainer::parse_toml("[optim]\nlr = 1\n", "base.toml");
    apply_setting(root, text);
  });
}

const Registered registered("toml", one_input);

}  // namespace gradus::fuzz::toml_config
