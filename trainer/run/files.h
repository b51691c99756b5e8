// The only way in which the trainer writes: one method a system call, so that a test can put an
// object in its place that fails, or ends the process, at the n-th call; and what is built on
// these.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "gradus/tensor/error.h"

namespace gradus::trainer {

/// System calls. Each returns 0 or a count, or -errno; interrupted calls are made again.
class Files {
 public:
  struct Entry {
    std::string name;
    enum Kind { file, directory, other } kind;  // a symbolic link is `other`
  };
  virtual ~Files() = default;
  virtual int open(const std::filesystem::path& path, int flags);  // mode 0666, close-on-exec
  virtual std::int64_t read(int file, void* to, std::size_t n);
  virtual std::int64_t write(int file, const void* from, std::size_t n);  // may write less
  virtual int sync(int file);
  virtual int close(int file);
  virtual int rename(const std::filesystem::path& from, const std::filesystem::path& to);
  virtual int exchange(const std::filesystem::path& a, const std::filesystem::path& b);
  virtual int remove(const std::filesystem::path& file);
  virtual int remove_directory(const std::filesystem::path& path);
  virtual int make_directory(const std::filesystem::path& path);
  virtual int list(const std::filesystem::path& path, std::vector<Entry>& to);  // sorted by name

  static Files& system();
};

/// A file being written or appended to. Closing is explicit: only close() can report an error.
class FileWriter {
 public:
  enum class Mode { create_new, append };
  FileWriter(Files& files, std::filesystem::path path, Mode mode = Mode::create_new);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void write(const void* bytes, std::size_t n);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void sync();
  void close();
  const std::filesystem::path& path() const { return path_; }

 private:
  Files& files_;
  std::filesystem::path path_;
  int file_;
};

/// Replaces a file so that, whatever happens, either the old or the new bytes are there: a
/// temporary file beside it, fsync, rename, fsync of the directory.
void write_durably(Files& files, const std::filesystem::path& path, std::string_view bytes);

/// The whole file. It must be a regular one of at most `max_bytes`; links are not followed.
std::string read_file(Files& files, const std::filesystem::path& path, std::size_t max_bytes);

/// Calls take(pointer, n) for each piece of a regular file; links are not followed.
template <class Take>
void read_pieces(Files& files, const std::filesystem::path& path, Take take);

void sync_directory(Files& files, const std::filesystem::path& path);
/// Makes a directory and those above it; each new name is durable.
void make_directories(Files& files, const std::filesystem::path& path);
/// Removes a directory with all that is in it, or a file or link of that name. Follows no links;
/// what is not there is no error.
void remove_tree(Files& files, const std::filesystem::path& path);
std::vector<Files::Entry> list(Files& files, const std::filesystem::path& path);

/// The result of a call, or FileError.
std::int64_t done(std::int64_t result, const char* action, const std::filesystem::path& path,
                  bool writing = true);

/// A regular file open for reading.
class FileReader {
 public:
  FileReader(Files& files, const std::filesystem::path& path);
  ~FileReader() { files_.close(file_); }
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  std::size_t read(void* to, std::size_t n) {
    return static_cast<std::size_t>(done(files_.read(file_, to, n), "read", path_, false));
  }

 private:
  Files& files_;
  std::filesystem::path path_;
  int file_;
};

template <class Take>
void read_pieces(Files& files, const std::filesystem::path& path, Take take) {
  FileReader reader(files, path);
  std::vector<char> buffer(1 << 16);
  while (const std::size_t n = reader.read(buffer.data(), buffer.size())) take(buffer.data(), n);
}

}  // namespace gradus::trainer
