// posix_spawn: no copy of a process that trains, and nothing of its own runs in the child.
#include "gradus/trainer/run/command.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

extern char** environ;

namespace gradus::trainer {
namespace {

/// What a child is started with. Signals that this process ignores must not be ignored there.
class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  /// The child's number, or -errno.
  pid_t start(std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = 0;
    const int code =
        posix_spawnp(&child, arguments[0], &files, &attributes, arguments.data(), environ);
    return code == 0 ? child : -code;
  }

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

int status_of_child(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

std::string run_command(const std::string& command) {
  SpawnSettings settings;
  posix_spawn_file_actions_adddup2(&settings.files, STDERR_FILENO, STDOUT_FILENO);
  std::vector<std::string> words = {"/bin/sh", "-c", command};
  const pid_t child = settings.start(words);
  if (child < 0) return std::strerror(-child);
  const int status = status_of_child(child);
  if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "exit status " + std::to_string(WEXITSTATUS(status));
}

std::optional<std::string> output_of(std::vector<std::string> words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  SpawnSettings settings;
  posix_spawn_file_actions_adddup2(&settings.files, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&settings.files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const pid_t child = settings.start(words);
  ::close(ends[1]);
  std::string text;
  char buffer[512];
  for (ssize_t n = 0; child > 0; text.append(buffer, static_cast<std::size_t>(n))) {
    do {
      n = ::read(ends[0], buffer, sizeof buffer);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) break;
  }
  ::close(ends[0]);
  if (child < 0) return {};
  const int status = status_of_child(child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return {};
  return text;
}

}  // namespace gradus::trainer
