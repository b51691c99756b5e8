// What is kept of every start of a run: starts.jsonl.
#pragma once

#include <filesystem>
#include <string>

#include "gradus/trainer/checkpoint/start.h"
#include "gradus/trainer/cli/session.h"

namespace gradus::cli {

/// Appends one line: who, where, with what. A run may go on with another machine or version.
void record_start(const std::filesystem::path& run, const Session& session,
                  const trainer::Start& start);

/// "fmt 9.1.0, nlohmann-json 3.11.2, ..."
std::string library_versions();

/// The commit that a folder is at, with " (changed)" where tracked files differ from it; "" where
/// there is no repository of git's, or no git.
std::string git_state(const std::filesystem::path& folder);

}  // namespace gradus::cli
