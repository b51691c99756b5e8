// Arrays of NumPy (.npy), and bare numbers.
// Layout of .npy: "\x93NUMPY", version (2 bytes), length of the header (u16, from version 2 on
// u32), the header as a Python dict {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), },
// data.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "gradus/kernels/create.h"
#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/text.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

/// What follows `'name':` in the dict, up to the end of the text.
std::string_view after(std::string_view dict, const std::string& name, const std::string& path) {
  const std::size_t at = dict.find("'" + name + "'");
  std::size_t colon = at == dict.npos ? at : dict.find(':', at);
  check(colon != dict.npos, ErrorKind::corrupt, path, ": its header has no ", name);
  ++colon;
  while (colon < dict.size() && dict[colon] == ' ') ++colon;
  return dict.substr(colon);
}

struct NumpyType {
  const char* name;
  Dtype dtype;
};
constexpr NumpyType types[] = {{"<f4", Dtype::f32},    {"<f8", Dtype::f64}, {"<f2", Dtype::f16},
                               {"<i4", Dtype::i32},    {"<i8", Dtype::i64}, {"|u1", Dtype::u8},
                               {"|b1", Dtype::boolean}};

Dtype dtype_of(std::string_view dict, const std::string& path) {
  const std::string_view text = after(dict, "descr", path).substr(0, 16);
  for (const NumpyType& t : types)
    if (text.substr(0, 5) == std::string("'") + t.name + "'") return t.dtype;
  raise(ErrorKind::unsupported,
        {path, ": elements of type ", printable(text.substr(0, text.find(','))),
         ", expected f2, f4, f8, i4, i8, u1 or b1, little-endian"});
}

Shape shape_of(std::string_view dict, const std::string& path) {
  std::string_view text = after(dict, "shape", path);
  check(!text.empty() && text[0] == '(', ErrorKind::corrupt, path,
        ": its header's shape is no tuple");
  Shape shape;
  const char *at = text.data() + 1, *end = text.data() + text.size();
  for (;;) {
    while (at < end && (*at == ' ' || *at == ',')) ++at;
    check(at < end, ErrorKind::corrupt, path, ": its header's shape has no end");
    if (*at == ')') return shape;
    std::int64_t size = -1;
    const auto [next, error] = std::from_chars(at, end, size);
    check(error == std::errc() && size >= 0 && shape.size() < Shape::max_dims, ErrorKind::corrupt,
          path, ": its header's shape is not one of up to 8 sizes");
    shape.push_back(size);
    at = next;
  }
}

}  // namespace

Tensor read_npy(const std::string& path) {
  ByteStream file(path);
  std::array<unsigned char, 8> magic{};
  file.read_exactly(magic.data(), 8, "the header");
  check(std::memcmp(magic.data(), "\x93NUMPY", 6) == 0, ErrorKind::corrupt, path,
        ": not a .npy file");
  check(magic[6] >= 1 && magic[6] <= 3, ErrorKind::unsupported, path, ": .npy version ",
        int{magic[6]}, ", expected 1, 2 or 3");
  std::array<unsigned char, 4> size{};
  file.read_exactly(size.data(), magic[6] == 1 ? 2 : 4, "the header");
  const std::size_t length = size[0] | size[1] << 8 | size[2] << 16 | std::size_t{size[3]} << 24;
  check(length <= 65'536, ErrorKind::corrupt, path, ": a header of ", length, " bytes");
  std::string dict(length, '\0');
  file.read_exactly(dict.data(), length, "the header");

  const Dtype dtype = dtype_of(dict, path);
  const Shape shape = shape_of(dict, path);
  check(after(dict, "fortran_order", path).starts_with("False") || shape.size() <= 1,
        ErrorKind::unsupported, path, ": in Fortran order; save numpy.ascontiguousarray(x)");
  const auto count = static_cast<std::size_t>(checked_numel(path.c_str(), shape));
  return from_data(read_rest(file, count * size_of(dtype), "the elements").data(), shape, {dtype});
}

Tensor read_raw(const std::string& path, Dtype dtype, const Shape& shape) {
  const std::string data = read_all(path);
  const auto sample = static_cast<std::size_t>(checked_numel(path.c_str(), shape)) * size_of(dtype);
  check(sample > 0 && !data.empty() && data.size() % sample == 0, ErrorKind::corrupt, path, ": ",
        data.size(), " bytes are not a number of samples of ", shape, " ", to_string(dtype), " (",
        sample, " bytes each)");
  Shape all = shape;
  all.insert(0, static_cast<std::int64_t>(data.size() / sample));
  return from_data(data.data(), all, {dtype});
}

}  // namespace gradus::trainer
