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

/// Whether a child has ended, without taking note of it: it can still be waited for.
inline bool has_ended(pid_t child) {
  siginfo_t ended{};
  waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
  return ended.si_pid == child;
}

/// What became of a process of its own that first does `before`: its exit status (negative: ended
/// by that signal) and its errors; what else it says is lost.
inline Said run_apart_and_listen(const Words& words, const std::function<void()>& before,
                                 const std::function<void(pid_t)>& meanwhile = {},
                                 const Tasks& tasks = {}) {
  std::FILE* const errors = std::tmpfile();
  const pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stdout) || dup2(fileno(errors), STDERR_FILENO) < 0) _exit(99);
    before();
    _exit(call(words, tasks));
  }
  if (meanwhile) meanwhile(child);
  int status = 0;
  waitpid(child, &status, 0);
  std::string said;
  std::rewind(errors);
  for (int c = 0; (c = std::fgetc(errors)) != EOF;) said += static_cast<char>(c);
  std::fclose(errors);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), "", said};
}

inline int run_apart(const Words& words, const std::function<void()>& before,
                     const std::function<void(pid_t)>& meanwhile = {}, const Tasks& tasks = {}) {
  return run_apart_and_listen(words, before, meanwhile, tasks).status;
}

}  // namespace gradus::cli
