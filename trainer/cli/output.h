// Where a command's -o goes.
#pragma once

#include <filesystem>

namespace gradus::cli {

/// Refuses (argument) a result that cannot be written (there is no such directory, or the name is
/// one's), or that would take the place of what is not the user's to replace by it: a file in a
/// checkpoint, or the rows of a run.
void check_output(const std::filesystem::path& output);

/// Refuses (argument) a result that would take the place of what it is made from.
void check_not_input(const std::filesystem::path& output, const std::filesystem::path& input);

}  // namespace gradus::cli
