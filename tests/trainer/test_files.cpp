// The file layer: durable replacement, reading only what is a file, errors that the command line
// can tell apart.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
using Fault = FailingFiles::Fault;

TEST(Files, write_durably_replaces_whole_files_only) {
  ScratchDirectory scratch;
  const fs::path file = scratch / "newest";
  Files& system = Files::system();
  write_durably(system, file, "old");
  EXPECT_EQ(read_file(system, file, 100), "old");
  for (int n = 1;; ++n) {
    FailingFiles files(Fault::fail_once, n);
    try {
      write_durably(files, file, "new");
    } catch (const FileError&) {
    }
    const std::string now = read_file(system, file, 100);
    EXPECT_TRUE(now == "old" || now == "new") << now;
    int entries = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(scratch.path())) ++entries;
    EXPECT_EQ(entries, 1) << "no temporary file stays";
    if (!files.reached()) break;
    write_durably(system, file, "old");
  }
  EXPECT_EQ(read_file(system, file, 100), "new");
}

TEST(Files, only_regular_files_of_bounded_size_are_read) {
  ScratchDirectory scratch;
  Files& system = Files::system();
  const auto refused = [&](const fs::path& path) {
    EXPECT_THROW(read_file(system, path, 10), Error) << path;
  };
  std::ofstream(scratch / "long") << "more than ten bytes";
  fs::create_symlink(scratch / "long", scratch / "link");
  mkfifo((scratch / "pipe").c_str(), 0600);
  refused(scratch / "long");
  refused(scratch / "link");
  refused(scratch / "pipe");
  refused(scratch.path());
  refused("/dev/zero");
  refused(scratch / "missing");
}

TEST(Files, directories_are_made_and_removed_whole) {
  ScratchDirectory scratch;
  Files& system = Files::system();
  make_directories(system, scratch / "a/b/c");
  make_directories(system, scratch / "a/b/c");
  std::ofstream(scratch / "a/b/file") << "x";
  std::ofstream(scratch / "keep") << "x";
  fs::create_symlink(scratch / "keep", scratch / "a/link");
  fs::create_directory_symlink("/", scratch / "a/root");
  remove_tree(system, scratch / "a");
  EXPECT_FALSE(fs::exists(scratch / "a"));
  EXPECT_TRUE(fs::exists(scratch / "keep")) << "links are removed, not followed";
  remove_tree(system, scratch / "a");
  std::ofstream(scratch / "file") << "x";
  EXPECT_THROW(make_directories(system, scratch / "file/below"), FileError);
}

TEST(Files, errors_tell_the_machine_from_the_input) {
  EXPECT_TRUE(FileError("write", "x", ENOSPC, true).environment());
  EXPECT_TRUE(FileError("open", "x", EACCES, true).environment());
  EXPECT_TRUE(FileError("read", "x", EIO, false).environment());
  EXPECT_FALSE(FileError("open", "x", ENOENT, false).environment());
  EXPECT_FALSE(FileError("open", "x", EACCES, false).environment());
  EXPECT_STREQ(FileError("write", "/a/b", ENOSPC, true).what(),
               "/a/b: cannot write: No space left on device");
  EXPECT_EQ(FileError("write", "x", ENOSPC, true).kind(), ErrorKind::io);
}

TEST(Files, a_full_disk_is_seen) {
  // /dev/full is no regular file, so only the writer's own error path is tested with a limit.
  ScratchDirectory scratch;
  FailingFiles files(Fault::fail_on, 2, ENOSPC);
  FileWriter writer(files, scratch / "x");
  EXPECT_THROW(writer.write("bytes"), FileError);
  EXPECT_THROW(FileWriter(Files::system(), scratch / "x"), FileError) << "it exists already";
}

}  // namespace
}  // namespace gradus::trainer
