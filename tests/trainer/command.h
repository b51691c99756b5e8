// The command line called in this process, and what it said.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "gradus/trainer/cli/cli.h"

namespace gradus::cli {

using Words = std::vector<std::string>;

inline int call(Words words, const Tasks& tasks = {}) {
  words.insert(words.begin(), "gradus");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  return main(static_cast<int>(words.size()), arguments.data(), tasks);
}

struct Said {
  int status;
  std::string out, err;
  /// The last line of standard output.
  std::string last_line() const {
    const std::size_t end = out.rfind('\n', out.size() - 2);
    return out.substr(end == out.npos ? 0 : end + 1);
  }
};

inline Said run(const Words& words, const Tasks& tasks = {}) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const int status = call(words, tasks);
  const std::string out = ::testing::internal::GetCapturedStdout();
  return {status, out, ::testing::internal::GetCapturedStderr()};
}

/// The exit status of a process of its own that first does `before`; negative: ended by that
/// signal. What it says is lost.
inline int run_apart(const Words& words, const std::function<void()>& before,
                     const std::function<void(pid_t)>& meanwhile = {}, const Tasks& tasks = {}) {
  const pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(99);
    before();
    _exit(call(words, tasks));
  }
  if (meanwhile) meanwhile(child);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace gradus::cli
