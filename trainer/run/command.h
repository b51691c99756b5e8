// Programs that are run beside this one: a scheduler's requeue command, git.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gradus::trainer {

/// Runs a command of the shell to its end; what it prints goes to standard error. Returns "" or
/// what went wrong: "exit status 3".
std::string run_command(const std::string& command);

/// What a program prints; nothing if it is not there or fails. `words`: its name and arguments.
std::optional<std::string> output_of(std::vector<std::string> words);

}  // namespace gradus::trainer
