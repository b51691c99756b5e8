// CIFAR's binary files: records of one label byte (CIFAR-100: coarse, then fine) and 3072 bytes,
// the red, green and blue planes of 32 x 32.
#include <algorithm>
#include <filesystem>

#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/readers.h"

namespace gradus::trainer {
namespace fs = std::filesystem;

Cifar read_cifar(const std::string& path, bool hundred, const std::string& prefix) {
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() == ".bin" && name.starts_with(prefix))
        files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    check(!files.empty(), ErrorKind::argument, path, ": no files ", prefix, "*.bin");
  } else {
    files.push_back(path);
  }
  constexpr std::size_t pixels = 3072;
  const std::size_t labels_each = hundred ? 2 : 1, record = labels_each + pixels;
  const int classes = hundred ? 100 : 10;
  std::string images;
  std::vector<std::int64_t> labels;
  for (const fs::path& file : files) {
    const std::string data = read_all(file);
    check(!data.empty() && data.size() % record == 0, ErrorKind::corrupt, file.native(), ": ",
          data.size(), " bytes are not a number of records of ", record, " bytes");
    for (std::size_t at = 0; at < data.size(); at += record) {
      const auto label = static_cast<unsigned char>(data[at + labels_each - 1]);
      check(label < classes, ErrorKind::corrupt, file.native(), ": label ", int{label}, " at byte ",
            at + labels_each - 1, ", expected less than ", classes);
      labels.push_back(label);
      images.append(data, at + labels_each, pixels);
    }
  }
  const auto n = static_cast<std::int64_t>(labels.size());
  return {from_data(images.data(), {n, 3, 32, 32}, {Dtype::u8}),
          from_data(labels.data(), {n}, {Dtype::i64})};
}

}  // namespace gradus::trainer
