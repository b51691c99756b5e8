// PNG and JPEG files, one folder a class.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "gradus/trainer/data/geometry.h"
#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/jpeg.h"
#include "gradus/trainer/data/readers.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 65536
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

/// One image a sample, found when the data set is opened and read when it is asked for.
class ImageFolder final : public Dataset {
 public:
  struct File {
    fs::path path;
    std::int64_t label;
  };
  ImageFolder(std::vector<File> files, std::int64_t classes, const Shape& shape)
      : files_(std::move(files)), classes_(classes), shape_(shape) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(files_.size()); }
  std::vector<Field> fields() const override {
    return {{"x", shape_, Dtype::f32}, {"y", {}, Dtype::i64}};
  }
  std::int64_t classes() const override { return classes_; }
  std::vector<Tensor> get(std::int64_t index) const override {
    const File& file = files_.at(static_cast<std::size_t>(index));
    const Tensor pixels = read_image(file.path, static_cast<int>(shape_[0]));
    Sample x{std::vector<float>(static_cast<std::size_t>(pixels.numel())), pixels.shape()};
    for (std::size_t i = 0; i < x.values.size(); ++i)
      x.values[i] = static_cast<float>(pixels.data<std::uint8_t>()[i]) * (1.f / 255);
    resize(x, shape_[1], shape_[2]);
    return {from_data(x.values.data(), shape_), from_data(&file.label, {}, {Dtype::i64})};
  }

 private:
  std::vector<File> files_;
  std::int64_t classes_;
  Shape shape_;
};

bool is_image(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

/// Refuses a PNG with a chunk that ends beyond the file: stb_image makes room for it first.
void check_chunks(const std::string& path, std::string_view file) {
  for (std::size_t i = 8; i + 8 <= file.size();) {
    std::size_t length = 0;
    for (std::size_t k = 0; k < 4; ++k)
      length = length << 8 | static_cast<unsigned char>(file[i + k]);
    check(length + 12 <= file.size() - i, ErrorKind::corrupt, path, ": a chunk of ", length,
          " bytes at byte ", i, " of ", file.size());
    if (file.substr(i + 4, 4) == "IEND") return;
    i += 12 + length;
  }
}

Pixels read_png(const std::string& path, std::string_view file, int channels) {
  check_chunks(path, file);
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  const int size = static_cast<int>(std::min<std::size_t>(file.size(), 1u << 30));
  int width = 0, height = 0, found = 0;
  const bool known = stbi_info_from_memory(bytes, size, &width, &height, &found) != 0;
  check(known, ErrorKind::corrupt, path, ": not a PNG image: ", stbi_failure_reason());
  // A few bytes may announce a huge image. Deflate shrinks at most 1,032 times, so a file of this
  // size cannot hold more; the constant lets tiny uniform images be.
  const double pixels = double(width) * double(height);
  check(pixels <= 2064.0 * double(file.size()) + 65'536, ErrorKind::corrupt, path, ": announces ",
        width, " x ", height, " pixels in ", file.size(), " bytes");
  const std::unique_ptr<stbi_uc, void (*)(void*)> data(
      stbi_load_from_memory(bytes, size, &width, &height, &found, channels), stbi_image_free);
  check(data != nullptr, ErrorKind::corrupt, path, ": ", stbi_failure_reason());
  return {height, width, {data.get(), data.get() + std::int64_t{height} * width * channels}};
}

}  // namespace

Tensor read_image(const std::string& path, int channels) {
  const std::string file = read_all(path);
  const bool png = file.starts_with("\x89PNG\r\n\x1a\n"), jpeg = file.starts_with("\xff\xd8\xff");
  check(png || jpeg, ErrorKind::corrupt, path, ": not a PNG or JPEG image");
  const Pixels pixels = png ? read_png(path, file, channels) : read_jpeg(path, file, channels);
  const Tensor image = empty({channels, pixels.height, pixels.width}, {Dtype::u8});
  auto* to = image.data<std::uint8_t>();
  const std::int64_t n = pixels.height * pixels.width;
  for (int c = 0; c < channels; ++c)
    for (std::int64_t i = 0; i < n; ++i)
      to[c * n + i] = pixels.values[static_cast<std::size_t>(i * channels + c)];
  return image;
}

DatasetPointer open_image_folder(const std::string& path, const Shape& shape) {
  check(fs::is_directory(path), ErrorKind::argument, path,
        ": not a folder; expected one with a folder of images a class");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  check(!names.empty(), ErrorKind::argument, path,
        ": no folders; expected one folder of images a class");
  std::vector<ImageFolder::File> files;
  for (std::size_t label = 0; label < names.size(); ++label) {
    const fs::path folder = fs::path(path) / names[label];
    std::vector<fs::path> images;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file() && is_image(entry.path())) images.push_back(entry.path());
    std::sort(images.begin(), images.end());
    check(!images.empty(), ErrorKind::argument, folder.native(), ": no .png, .jpg or .jpeg files");
    for (fs::path& image : images)
      files.push_back({std::move(image), static_cast<std::int64_t>(label)});
  }
  Shape form = shape;
  if (form.empty()) {  // as the first one is
    const Tensor first = read_image(files[0].path, 3);
    form = first.shape();
  }
  return std::make_shared<ImageFolder>(std::move(files), static_cast<std::int64_t>(names.size()),
                                       form);
}

}  // namespace gradus::trainer
