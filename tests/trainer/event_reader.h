// Reads TensorBoard event files for tests. It shares nothing with the writer: checksums bit by bit,
// messages as trees of fields.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace gradus::trainer {

inline std::uint32_t slow_crc32c(const std::string& bytes) {
  std::uint32_t c = 0xffffffff;
  for (const char b : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const bool out =
          ((c ^ static_cast<std::uint32_t>(static_cast<unsigned char>(b)) >> bit) & 1) != 0;
      c = (c >> 1) ^ (out ? 0x82F63B78U : 0U);
    }
  return c ^ 0xffffffff;
}

/// A message: field number -> values in their order; a varint as decimal digits.
struct Message {
  std::map<int, std::vector<std::string>> fields;
  explicit Message(const std::string& bytes) {
    std::size_t i = 0;
    const auto varint = [&] {
      std::uint64_t v = 0;
      for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(bytes.at(i++));
        v += static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return v;
      }
    };
    while (i < bytes.size()) {
      const std::uint64_t key = varint();
      std::string value;
      if (key % 8 == 0) {
        value = std::to_string(varint());
      } else {
        const std::size_t n = key % 8 == 2 ? varint() : key % 8 == 1 ? 8 : 4;
        value = bytes.substr(i, n);
        EXPECT_EQ(value.size(), n);
        i += n;
      }
      fields[static_cast<int>(key / 8)].push_back(value);
    }
  }
  bool has(int field) const { return fields.count(field) > 0; }
  std::string text(int field) const { return has(field) ? fields.at(field)[0] : ""; }
  std::int64_t integer(int field) const { return has(field) ? std::stoll(text(field)) : 0; }
  Message message(int field) const { return Message(text(field)); }
  std::vector<Message> messages(int field) const {
    std::vector<Message> out;
    if (has(field))
      for (const std::string& one : fields.at(field)) out.emplace_back(one);
    return out;
  }
  template <class T>
  T number(int field) const {
    T v{};
    EXPECT_EQ(text(field).size(), sizeof v);
    std::memcpy(&v, text(field).data(), std::min(sizeof v, text(field).size()));
    return v;
  }
  std::vector<double> packed(int field) const {
    std::vector<double> out(text(field).size() / 8);
    std::memcpy(out.data(), text(field).data(), out.size() * 8);
    return out;
  }
};

/// The events of a file; every checksum is verified.
inline std::vector<Message> read_events(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  const auto word = [&](std::size_t at, auto v) {
    std::memcpy(&v, bytes.data() + at, sizeof v);
    return v;
  };
  const auto mask = [](std::uint32_t c) { return ((c >> 15) | (c << 17)) + 0xa282ead8U; };
  std::vector<Message> out;
  for (std::size_t i = 0; i + 16 <= bytes.size();) {
    const auto length = word(i, std::uint64_t{});
    EXPECT_EQ(word(i + 8, std::uint32_t{}), mask(slow_crc32c(bytes.substr(i, 8))));
    if (length > bytes.size() - i - 16) {
      ADD_FAILURE() << "a record is cut short";
      break;
    }
    const std::string payload = bytes.substr(i + 12, length);
    EXPECT_EQ(word(i + 12 + length, std::uint32_t{}), mask(slow_crc32c(payload)));
    out.emplace_back(payload);
    i += 16 + length;
  }
  return out;
}

/// The event files of a directory, oldest first.
inline std::vector<std::filesystem::path> event_files(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace gradus::trainer
