// IDX files (the format of MNIST and Fashion-MNIST), plain or gzip.
// Layout: 0 0 <type> <dimensions>, one big-endian u32 a dimension, then the elements, row-major.
#include <array>

#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/readers.h"

namespace gradus::trainer {

Tensor read_idx(const std::string& path) {
  ByteStream file(path);
  std::array<unsigned char, 4> magic{};
  file.read_exactly(magic.data(), 4, "the IDX header");
  check(magic[0] == 0 && magic[1] == 0, ErrorKind::corrupt, path,
        ": not an IDX file (its first bytes are ", int{magic[0]}, " ", int{magic[1]},
        ", expected 0 0)");
  check(magic[2] == 0x08, ErrorKind::unsupported, path, ": IDX element type ", int{magic[2]},
        ", expected 8 (unsigned bytes)");
  check(magic[3] >= 1 && magic[3] <= Shape::max_dims, ErrorKind::corrupt, path, ": ", int{magic[3]},
        " dimensions, expected 1 to 8");
  Shape shape;
  for (int d = 0; d < magic[3]; ++d) {
    std::array<unsigned char, 4> b{};
    file.read_exactly(b.data(), 4, "the IDX dimensions");
    shape.push_back(std::int64_t{b[0]} << 24 | std::int64_t{b[1]} << 16 | std::int64_t{b[2]} << 8 |
                    b[3]);
  }
  const auto bytes = static_cast<std::size_t>(checked_numel(path.c_str(), shape));
  return from_data(read_rest(file, bytes, "the IDX elements").data(), shape, {Dtype::u8});
}

}  // namespace gradus::trainer
