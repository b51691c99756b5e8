// NetCDF of the classic formats: CDF-1, CDF-2 (64-bit offsets) and CDF-5 (64-bit sizes),
// big-endian. Layout: "CDF" version, number of records, dimensions, attributes, variables, then the
// data: fixed variables one after another, those along the unlimited dimension interleaved, a
// record each. Source: "NetCDF Classic Format Specification", Unidata.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "gradus/kernels/create.h"
#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/text.h"

namespace gradus::trainer {
namespace {

constexpr int size_of_type[] = {0, 1, 1, 2, 4, 4,
                                8, 1, 2, 4, 8, 8};  // byte char short int float ...

struct Variable {
  std::string name;
  std::vector<std::size_t> dimensions;
  std::map<std::string, double> attributes;  // of one number each
  int type = 0;
  std::uint64_t begin = 0;
};

/// A file in memory, read with checks.
class Classic {
 public:
  Classic(const std::string& path, const std::string& bytes) : path_(path), bytes_(bytes) {}
  std::vector<NetcdfVariable> read();

 private:
  template <class... Parts>
  void need(bool ok, const Parts&... parts) const {
    check(ok, ErrorKind::corrupt, path_, ": ", parts...);
  }
  std::uint64_t bits(std::uint64_t at, int bytes) const {  // big-endian
    need(at + static_cast<std::uint64_t>(bytes) <= bytes_.size() && at <= bytes_.size(),
         "ends before byte ", at + static_cast<std::uint64_t>(bytes));
    std::uint64_t v = 0;
    for (int i = 0; i < bytes; ++i)
      v = v << 8 | static_cast<unsigned char>(bytes_[at + unsigned(i)]);
    return v;
  }
  std::uint64_t next(int bytes) {
    const std::uint64_t v = bits(at_, bytes);
    at_ += static_cast<std::uint64_t>(bytes);
    return v;
  }
  /// A count of things of at least `each` bytes: more than the rest of the file holds is a lie.
  std::uint64_t count(std::uint64_t each) {
    const std::uint64_t n = next(version_ == 5 ? 8 : 4);
    need(n <= (bytes_.size() - at_) / each, n, " announced at byte ", at_, " do not fit the file");
    return n;
  }
  std::string text() {
    const std::uint64_t n = count(1);
    std::string s = bytes_.substr(at_, n);
    at_ += (n + 3) / 4 * 4;
    return printable(s);
  }
  double number(std::uint64_t at, int type) const;
  std::map<std::string, double> attributes();
  bool list(std::uint64_t tag);
  void read_header();
  NetcdfVariable values(const Variable& v) const;
  std::uint64_t elements_of_record(const Variable& v) const;
  bool is_record(const Variable& v) const {
    return !v.dimensions.empty() && sizes_[v.dimensions[0]] == 0;
  }

  const std::string path_;
  const std::string& bytes_;
  std::uint64_t at_ = 0;
  int version_ = 1;
  std::uint64_t records_ = 0, record_bytes_ = 0;
  std::vector<std::string> names_;    // of dimensions
  std::vector<std::uint64_t> sizes_;  // 0: the unlimited one
  std::vector<Variable> variables_;
};

double Classic::number(std::uint64_t at, int type) const {
  const std::uint64_t v = bits(at, size_of_type[type]);
  switch (type) {
    case 1: return static_cast<std::int8_t>(v);
    case 3: return static_cast<std::int16_t>(v);
    case 4: return static_cast<std::int32_t>(v);
    case 5: return double{std::bit_cast<float>(static_cast<std::uint32_t>(v))};
    case 6: return std::bit_cast<double>(v);
    case 10: return static_cast<double>(static_cast<std::int64_t>(v));
    default: return static_cast<double>(v);  // unsigned ones
  }
}

/// The tag of a list that is there; false for an absent one.
bool Classic::list(std::uint64_t tag) {
  const std::uint64_t found = next(4);
  need(found == tag || found == 0, "list ", found, " at byte ", at_ - 4, ", expected ", tag);
  if (found == 0) need(next(version_ == 5 ? 8 : 4) == 0, "an absent list that has elements");
  return found != 0;
}

std::map<std::string, double> Classic::attributes() {
  std::map<std::string, double> numbers;
  if (!list(12)) return numbers;
  for (std::uint64_t n = count(8); n > 0; --n) {
    const std::string name = text();
    const auto type = next(4);
    need(type >= 1 && type <= (version_ == 5 ? 11u : 6u), "type ", type, " at byte ", at_ - 4);
    const int size = size_of_type[type];
    const std::uint64_t elements = count(static_cast<std::uint64_t>(size));
    if (elements == 1 && type != 2) numbers[name] = number(at_, static_cast<int>(type));
    at_ += (elements * static_cast<std::uint64_t>(size) + 3) / 4 * 4;
  }
  return numbers;
}

void Classic::read_header() {
  need(bytes_.size() >= 8 && bytes_.compare(0, 3, "CDF") == 0,
       bytes_.compare(0, 4, "\x89HDF") == 0
           ? "is NetCDF-4 (HDF5); convert it: nccopy -k classic IN OUT"
           : "not a NetCDF file");
  version_ = bytes_[3];
  need(version_ == 1 || version_ == 2 || version_ == 5, "NetCDF version ", version_);
  at_ = 4;
  records_ = next(version_ == 5 ? 8 : 4);
  if (list(10)) {
    for (std::uint64_t n = count(8); n > 0; --n) {
      names_.push_back(text());
      sizes_.push_back(next(version_ == 5 ? 8 : 4));
    }
  }
  attributes();
  if (!list(11)) return;
  for (std::uint64_t n = count(20); n > 0; --n) {
    Variable v;
    v.name = text();
    for (std::uint64_t d = count(4); d > 0; --d) {
      v.dimensions.push_back(next(version_ == 5 ? 8 : 4));
      need(v.dimensions.back() < names_.size(), v.name, ": dimension ", v.dimensions.back());
      need(v.dimensions.size() == 1 || sizes_[v.dimensions.back()] != 0, v.name,
           ": the unlimited dimension is not its first");
    }
    v.attributes = attributes();
    v.type = static_cast<int>(next(4));
    need(v.type >= 1 && v.type <= (version_ == 5 ? 11 : 6), v.name, ": type ", v.type);
    next(version_ == 5 ? 8 : 4);  // its size, which follows from the rest
    v.begin = next(version_ == 1 ? 4 : 8);
    variables_.push_back(std::move(v));
  }
}

/// Numbers of one record, or all of a fixed variable; no more than the file has bytes.
std::uint64_t Classic::elements_of_record(const Variable& v) const {
  std::uint64_t n = 1;
  for (std::size_t d = is_record(v) ? 1 : 0; d < v.dimensions.size(); ++d) {
    const std::uint64_t size = sizes_[v.dimensions[d]];
    need(size == 0 || n <= bytes_.size() / size, v.name, ": more numbers than the file has bytes");
    n *= size;
  }
  return n;
}

NetcdfVariable Classic::values(const Variable& v) const {
  NetcdfVariable out{v.name, {}, {}};
  Shape shape;
  const bool record = is_record(v);
  need(v.dimensions.size() <= static_cast<std::size_t>(Shape::max_dims), v.name, ": ",
       v.dimensions.size(), " dimensions, expected up to 8");
  for (std::size_t d = 0; d < v.dimensions.size(); ++d) {
    out.dimensions.push_back(names_[v.dimensions[d]]);
    const bool unlimited = record && d == 0;
    shape.push_back(static_cast<std::int64_t>(unlimited ? records_ : sizes_[v.dimensions[d]]));
  }
  const std::uint64_t each = elements_of_record(v), groups = record ? records_ : 1;
  const auto size = static_cast<std::uint64_t>(size_of_type[v.type]);
  const std::uint64_t step = record ? record_bytes_ : each * size;
  if (each > 0 && groups > 0) {  // the last one must be within the file
    need(groups <= bytes_.size() && step <= bytes_.size() && v.begin <= bytes_.size() &&
             (groups - 1) <= (bytes_.size() - v.begin) / std::max<std::uint64_t>(step, 1) &&
             v.begin + (groups - 1) * step + each * size <= bytes_.size(),
         v.name, ": its data go beyond the end of the file");
  }
  const auto attribute = [&](const char* name, double otherwise) {
    const auto found = v.attributes.find(name);
    return found == v.attributes.end() ? otherwise : found->second;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double scale = attribute("scale_factor", 1), offset = attribute("add_offset", 0);
  const double fill = attribute("_FillValue", nan), missing = attribute("missing_value", nan);
  out.data = empty(shape, {Dtype::f64});
  double* to = out.data.data<double>();
  for (std::uint64_t g = 0; g < groups; ++g) {
    for (std::uint64_t i = 0; i < each; ++i) {
      const double raw = number(v.begin + g * step + i * size, v.type);
      *to++ = raw == fill || raw == missing ? nan : raw * scale + offset;
    }
  }
  return out;
}

std::vector<NetcdfVariable> Classic::read() {
  read_header();
  std::size_t record_variables = 0;
  for (const Variable& v : variables_) record_variables += is_record(v);
  for (const Variable& v : variables_) {
    if (!is_record(v)) continue;
    const std::uint64_t bytes =
        elements_of_record(v) * static_cast<std::uint64_t>(size_of_type[v.type]);
    record_bytes_ += record_variables == 1 ? bytes : (bytes + 3) / 4 * 4;
  }
  if (records_ == (version_ == 5 ? ~std::uint64_t{0} : 0xffffffffu))  // being streamed: count them
    records_ = 0;
  std::vector<NetcdfVariable> all;
  std::uint64_t total = 0;  // many that lie over one another would fill any memory
  for (const Variable& v : variables_) {
    if (v.type == 2) continue;
    all.push_back(values(v));
    total += static_cast<std::uint64_t>(all.back().data.numel() * size_of_type[v.type]);
    need(total <= bytes_.size(), v.name, ": its data lie over those of other variables");
  }
  return all;
}

}  // namespace

std::vector<NetcdfVariable> read_netcdf(const std::string& path) {
  const std::string bytes = read_all(path);
  return Classic(path, bytes).read();
}

}  // namespace gradus::trainer
