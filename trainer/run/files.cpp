// What is built on the system calls: writers, durable replacement, directories.
#include "gradus/trainer/run/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace gradus::trainer {

namespace fs = std::filesystem;

std::int64_t done(std::int64_t result, const char* action, const fs::path& path, bool writing) {
  if (result < 0) throw FileError(action, path.native(), static_cast<int>(-result), writing);
  return result;
}

FileWriter::FileWriter(Files& files, fs::path path, Mode mode)
    : files_(files), path_(std::move(path)) {
  const int flags = mode == Mode::append ? O_APPEND | O_CREAT : O_CREAT | O_EXCL;
  file_ = static_cast<int>(
      done(files_.open(path_, O_WRONLY | O_NOFOLLOW | flags), "open for writing", path_));
}

FileWriter::~FileWriter() {
  if (file_ >= 0) files_.close(file_);
}

void FileWriter::write(const void* bytes, std::size_t n) {
  const char* from = static_cast<const char*>(bytes);
  while (n > 0) {
    const auto written =
        static_cast<std::size_t>(done(files_.write(file_, from, n), "write", path_));
    from += written;
    n -= written;
  }
}

void FileWriter::sync() { done(files_.sync(file_), "write to the disk", path_); }

void FileWriter::close() {
  const int file = file_;
  file_ = -1;
  done(files_.close(file), "close", path_);
}

FileReader::FileReader(Files& files, const fs::path& path) : files_(files), path_(path) {
  // Without O_NONBLOCK opening a pipe that someone put here would wait for ever.
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  file_ = static_cast<int>(done(files_.open(path, flags), "open", path_, false));
}

void write_durably(Files& files, const fs::path& path, std::string_view bytes) {
  static std::atomic<unsigned> counter{0};
  fs::path temporary = path;
  temporary += ".tmp_" + std::to_string(getpid()) + "_" + std::to_string(counter++);
  try {
    FileWriter writer(files, temporary);
    writer.write(bytes);
    writer.sync();
    writer.close();
    done(files.rename(temporary, path), "replace", path);
  } catch (const FileError& error) {
    files.remove(temporary);
    throw FileError("write", path.native(), error.code(), true);  // not the temporary name
  } catch (...) {
    files.remove(temporary);
    throw;
  }
  sync_directory(files, path.parent_path());
}

std::string read_file(Files& files, const fs::path& path, std::size_t max_bytes) {
  std::string text;
  read_pieces(files, path, [&](const char* bytes, std::size_t n) {
    check(text.size() + n <= max_bytes, ErrorKind::corrupt, path.string(), ": larger than ",
          max_bytes, " bytes");
    text.append(bytes, n);
  });
  return text;
}

void sync_directory(Files& files, const fs::path& path) {
  const fs::path& directory = path.empty() ? fs::path(".") : path;
  const auto file =
      static_cast<int>(done(files.open(directory, O_RDONLY | O_DIRECTORY), "open", directory));
  const int result = files.sync(file);
  files.close(file);
  done(result, "write to the disk", directory);
}

void make_directories(Files& files, const fs::path& path) {
  std::error_code code;
  if (path.empty() || fs::is_directory(path, code)) return;
  make_directories(files, path.parent_path());
  const int result = files.make_directory(path);
  if (result == -EEXIST && fs::is_directory(path, code)) return;  // someone else was faster
  if (result == -EEXIST) throw FileError("make the directory", path.native(), ENOTDIR, true);
  done(result, "make the directory", path);
  sync_directory(files, path.parent_path());
}

void remove_tree(Files& files, const fs::path& path) {
  std::vector<Files::Entry> entries;
  const int result = files.list(path, entries);
  if (result == -ENOENT) return;
  if (result == -ENOTDIR || result == -ELOOP) {  // a file or a link stands there
    done(files.remove(path), "remove", path);
    return;
  }
  done(result, "list", path);
  for (const Files::Entry& entry : entries) {
    if (entry.kind == Files::Entry::directory)
      remove_tree(files, path / entry.name);
    else
      done(files.remove(path / entry.name), "remove", path / entry.name);
  }
  done(files.remove_directory(path), "remove", path);
}

std::vector<Files::Entry> list(Files& files, const fs::path& path) {
  std::vector<Files::Entry> entries;
  done(files.list(path, entries), "list", path, false);
  return entries;
}

}  // namespace gradus::trainer
