// The table of contents of a safetensors file, read with suspicion: the JSON is parsed as a stream
// of events against the one shape it may have, so neither depth nor size is the file's to choose.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "gradus/tensor/reader.h"
#include "gradus/tensor/safetensors.h"

namespace gradus {
namespace {

constexpr std::uint64_t largest_header = 100'000'000;

/// Bits of an element, 0 if the format has no such dtype.
int bits_of(std::string_view dtype) {
  static constexpr std::pair<std::string_view, int> sizes[] = {
      {"BOOL", 8},    {"U8", 8},   {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8},
      {"F8_E8M0", 8}, {"I16", 16}, {"U16", 16},    {"F16", 16},    {"BF16", 16},
      {"I32", 32},    {"U32", 32}, {"F32", 32},    {"F64", 64},    {"I64", 64},
      {"U64", 64},    {"F4", 4},   {"F6_E2M3", 6}, {"C64", 64},    {"F6_E3M2", 6}};
  for (const auto& [name, bits] : sizes) {
    if (name == dtype) return bits;
  }
  return 0;
}

/// Bytes of a tensor; none if they overflow (also where a later size is 0) or end within a byte.
std::optional<std::uint64_t> bytes_of(const SafetensorsEntry& e) {
  std::int64_t strides = 1, numel = 1;
  for (std::int64_t size : e.shape) {
    if (__builtin_mul_overflow(strides, std::max<std::int64_t>(size, 1), &strides)) return {};
    numel *= size;
  }
  std::uint64_t bits = 0;
  if (strides > (std::int64_t{1} << 58)) return {};
  bits = static_cast<std::uint64_t>(numel) * static_cast<std::uint64_t>(bits_of(e.dtype));
  if (bits % 8 != 0) return {};
  return bits / 8;
}

/// Receives the parser's events. `field_` is what a value may be now.
class Events {
 public:
  explicit Events(const Reader& reader) : reader_(reader) {}
  SafetensorsHeader header;

  bool start_object(std::size_t) {
    ++depth_;
    if (depth_ == 1) return true;
    must(depth_ == 2 && field_ == Field::member, "unexpected object");
    field_ = in_metadata_ ? Field::text : Field::none;
    seen_.clear();
    return true;
  }
  bool key(std::string& name) {
    if (depth_ == 1) {
      reader_.expect(names_.insert(name).second, "header: \"", name, "\" is there twice");
      in_metadata_ = name == "__metadata__";
      if (!in_metadata_) header.entries.push_back({name, {}, {}, 0, 0});
      field_ = Field::member;
      return true;
    }
    key_ = name;
    if (in_metadata_) {
      must(header.metadata.emplace(name, "").second, "a text is there twice:", name);
      return true;
    }
    must(seen_.insert(name).second, "a field is there twice:", name);
    field_ = name == "dtype"          ? Field::dtype
             : name == "shape"        ? Field::shape
             : name == "data_offsets" ? Field::offsets
                                      : Field::none;
    must(field_ != Field::none, "unexpected field", name);
    return true;
  }
  bool string(std::string& value) {
    if (depth_ == 2 && in_metadata_) {
      header.metadata[key_] = value;
      return true;
    }
    must(depth_ == 2 && field_ == Field::dtype, "unexpected text");
    header.entries.back().dtype = value;
    field_ = Field::none;
    return true;
  }
  bool start_array(std::size_t) {
    must(!in_array_ && (field_ == Field::shape || field_ == Field::offsets), "unexpected list");
    in_array_ = true;
    offsets_ = 0;
    return true;
  }
  bool end_array() {
    must(field_ == Field::shape || offsets_ == 2, "data_offsets that are not two");
    in_array_ = false;
    field_ = Field::none;
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    must(in_array_, "unexpected number");
    SafetensorsEntry& e = header.entries.back();
    if (field_ == Field::shape) {
      must(value <= INT64_MAX, "a size beyond 2^63");
      e.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    must(offsets_ < 2, "data_offsets that are not two");
    (offsets_++ == 0 ? e.begin : e.end) = value;
    return true;
  }
  bool end_object() {
    if (depth_-- == 2) {
      must(in_metadata_ || seen_.size() == 3, "no dtype, shape or data_offsets");
      field_ = Field::none;
    }
    return true;
  }
  bool null() { return refuse("unexpected null"); }
  bool boolean(bool) { return refuse("unexpected true or false"); }
  bool number_integer(std::int64_t) { return refuse("unexpected negative number"); }
  bool number_float(double, const std::string&) {
    return refuse("unexpected fraction or huge number");
  }
  bool binary(std::vector<std::uint8_t>&) { return refuse("unexpected bytes"); }
  bool parse_error(std::size_t position, const std::string&, const std::exception&) {
    raise(ErrorKind::corrupt,
          {reader_.name(), ": offset ", 8 + position, ": the header is not valid JSON in UTF-8"});
  }

 private:
  enum class Field { none, member, text, dtype, shape, offsets };
  bool refuse(std::string_view problem) const {
    must(false, problem);
    return false;
  }
  std::string where() const {
    if (in_metadata_) return "__metadata__";
    return header.entries.empty() ? "the header" : "\"" + header.entries.back().name + "\"";
  }
  /// Throws "name: header: problem subject in entry": the text is built only then.
  void must(bool ok, std::string_view problem, std::string_view subject = {}) const {
    if (ok) return;
    raise(ErrorKind::corrupt, {reader_.name(), ": header: ", problem, subject.empty() ? "" : " ",
                               subject, " in ", where()});
  }

  const Reader& reader_;
  int depth_ = 0, offsets_ = 0;
  bool in_metadata_ = false, in_array_ = false;
  Field field_ = Field::none;
  std::string key_;
  std::set<std::string> names_, seen_;
};

}  // namespace

SafetensorsHeader read_safetensors_header(Reader& reader) {
  const std::uint64_t length = reader.little<std::uint64_t>("the header's length");
  reader.expect(length <= largest_header, "a header of ", std::to_string(length),
                " bytes, at most 100000000 are allowed");
  reader.expect(length <= reader.left(), "a header of ", length, " bytes, ", reader.left(),
                " are left");
  std::string text(static_cast<std::size_t>(length), '\0');
  reader.read(text.data(), length, "header");
  reader.expect(text.starts_with('{'), "the header does not begin with {");
  // The library takes one for the end of the text, with anything at all behind it.
  reader.expect(text.find('\0') == text.npos, "a zero byte in the header");
  Events events(reader);
  nlohmann::json::sax_parse(text, &events);
  SafetensorsHeader header = std::move(events.header);
  header.data = reader.offset();

  std::sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t end = 0;
  for (const SafetensorsEntry& e : header.entries) {
    reader.expect(bits_of(e.dtype) > 0, "\"", e.name, "\": unknown dtype \"", e.dtype, "\"");
    reader.expect(e.begin == end && e.end >= e.begin, "\"", e.name, "\" is at bytes ",
                  std::to_string(e.begin), " to ", std::to_string(e.end),
                  ", the tensor before it ends at ", end);
    const std::optional<std::uint64_t> bytes = bytes_of(e);
    reader.expect(bytes == e.end - e.begin, "\"", e.name,
                  "\": shape and dtype do not need the bytes ", std::to_string(e.begin), " to ",
                  std::to_string(e.end));
    end = e.end;
  }
  reader.expect(end == reader.left(), "the tensors need ", end, " bytes, ", reader.left(),
                " are left");
  return header;
}

}  // namespace gradus
