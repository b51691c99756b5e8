// JPEG files, decoded by libjpeg.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::trainer {

/// Row by row, channels last, 0 to 255.
struct Pixels {
  std::int64_t height = 0, width = 0;
  std::vector<unsigned char> values;  // height * width * channels
};

/// A baseline or progressive JPEG in memory, in 1 channel (grey) or 3 (RGB); also one in CMYK.
/// Throws (corrupt) naming `path` and what is wrong, also where the file ends before the picture.
Pixels read_jpeg(const std::string& path, std::string_view file, int channels);

}  // namespace gradus::trainer
