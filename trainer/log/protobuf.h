// Writing and reading protocol buffers by hand: field number and wire type, then the value. The few
// messages of TensorBoard and W&B that we write need no library.
// Format: protobuf.dev/programming-guides/encoding.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::trainer {

class Protobuf {
 public:
  Protobuf& integer(int field, std::uint64_t v) {
    key(field, 0);
    varint(v);
    return *this;
  }
  Protobuf& number(int field, double v) {
    key(field, 1);
    little(std::bit_cast<std::uint64_t>(v), 8);
    return *this;
  }
  Protobuf& single(int field, float v) {
    key(field, 5);
    little(std::bit_cast<std::uint32_t>(v), 4);
    return *this;
  }
  Protobuf& bytes(int field, std::string_view v) {
    key(field, 2);
    varint(v.size());
    text_ += v;
    return *this;
  }
  Protobuf& message(int field, const Protobuf& m) { return bytes(field, m.text_); }
  Protobuf& packed(int field, const std::vector<double>& numbers) {
    key(field, 2);
    varint(numbers.size() * 8);
    for (const double v : numbers) little(std::bit_cast<std::uint64_t>(v), 8);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  void key(int field, unsigned type) { varint(static_cast<std::uint64_t>(field) << 3 | type); }
  void varint(std::uint64_t v) {
    for (; v >= 128; v >>= 7) text_ += static_cast<char>(v | 128);
    text_ += static_cast<char>(v);
  }
  void little(std::uint64_t v, int n) {
    for (int i = 0; i < n; ++i) text_ += static_cast<char>(v >> 8 * i);
  }
  std::string text_;
};

/// The fields of a message, one after the other.
class ProtobufFields {
 public:
  explicit ProtobufFields(std::string_view text) : rest_(text) {}
  struct Field {
    int number = 0;
    std::uint64_t integer = 0;  // or the bits of a fixed number
    std::string_view bytes;
  };
  /// Nothing at the end, and from the first byte on that is no field.
  std::optional<Field> next() {
    const auto key = varint();
    if (!key || *key >> 3 == 0) return {};
    Field field;
    field.number = static_cast<int>(*key >> 3);
    const unsigned type = *key & 7;
    if (type == 0) {
      const auto v = varint();
      if (!v) return {};
      field.integer = *v;
    } else if (type == 1 || type == 5) {
      const std::size_t n = type == 1 ? 8 : 4;
      if (rest_.size() < n) return {};
      for (std::size_t i = 0; i < n; ++i)
        field.integer |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << 8 * i;
      rest_.remove_prefix(n);
    } else if (type == 2) {
      const auto n = varint();
      if (!n || *n > rest_.size()) return {};
      field.bytes = rest_.substr(0, *n);
      rest_.remove_prefix(*n);
    } else {
      return {};
    }
    return field;
  }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      v |= std::uint64_t{byte & 127U} << shift;
      if (byte < 128) return v;
    }
    return {};
  }
  std::string_view rest_;
};

}  // namespace gradus::trainer
