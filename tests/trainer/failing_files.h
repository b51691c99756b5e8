// A Files whose n-th call goes wrong: SQLite's way of testing what happens when a disk is full, a
// device fails, or the process dies.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

class FailingFiles : public Files {
 public:
  enum class Fault { fail_once, fail_on, short_writes, die_before, die_after };

  /// The n-th call (from 1) goes wrong; n = 0: none does, all are counted.
  FailingFiles(Fault fault, int n, int code = ENOSPC) : fault_(fault), n_(n), code_(code) {}
  int calls() const { return calls_; }
  bool reached() const { return n_ > 0 && calls_ >= n_; }
  /// The n-th call from now goes wrong.
  void fail_after(int n) { n_ = calls_ + n; }

  int open(const std::filesystem::path& path, int flags) override {
    return call([&] { return Files::open(path, flags); });
  }
  std::int64_t read(int file, void* to, std::size_t n) override {
    return call([&] { return Files::read(file, to, n); });
  }
  std::int64_t write(int file, const void* from, std::size_t n) override {
    if (fault_ == Fault::short_writes) return Files::write(file, from, std::min<std::size_t>(n, 3));
    const bool dies = fault_ == Fault::die_after && calls_ + 1 == n_;
    return call([&] { return Files::write(file, from, dies ? n / 2 : n); });
  }
  int sync(int file) override {
    return call([&] { return Files::sync(file); });
  }
  int close(int file) override {
    const int result = Files::close(file);  // a failing close still closes
    return call([&] { return result; });
  }
  int rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return call([&] { return Files::rename(from, to); });
  }
  int exchange(const std::filesystem::path& a, const std::filesystem::path& b) override {
    if (no_exchange) return -EINVAL;
    return call([&] { return Files::exchange(a, b); });
  }
  int remove(const std::filesystem::path& file) override {
    return call([&] { return Files::remove(file); });
  }
  int remove_directory(const std::filesystem::path& path) override {
    return call([&] { return Files::remove_directory(path); });
  }
  int make_directory(const std::filesystem::path& path) override {
    return call([&] { return Files::make_directory(path); });
  }
  int list(const std::filesystem::path& path, std::vector<Entry>& to) override {
    return call([&] { return Files::list(path, to); });
  }

  bool no_exchange = false;  // a file system that cannot exchange two names

 private:
  template <class Call>
  auto call(Call really) -> decltype(really()) {
    ++calls_;
    const bool now = n_ > 0 && (calls_ == n_ || (fault_ == Fault::fail_on && calls_ > n_));
    if (now && fault_ == Fault::die_before) _exit(9);
    if (now && (fault_ == Fault::fail_once || fault_ == Fault::fail_on)) return -code_;
    auto result = really();
    if (now && fault_ == Fault::die_after) _exit(9);
    return result;
  }

  Fault fault_;
  int n_, code_, calls_ = 0;
};

/// An empty directory, in memory where there is such a place, that is removed with what is in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    const bool memory = access("/dev/shm", W_OK) == 0;
    const std::filesystem::path base = memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string name = (base / "gradus_XXXXXX").string();
    if (!mkdtemp(name.data())) throw FileError("make the directory", name, errno, true);
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code code;
    std::filesystem::remove_all(path_, code);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace gradus::trainer
