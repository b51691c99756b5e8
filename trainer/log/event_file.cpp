// The framing of TFRecord files: each record with two checksums.
#include <array>

#include "gradus/trainer/log/tensorboard.h"

namespace gradus::trainer {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? c >> 1 ^ 0x82F63B78U : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr auto table = make_table();

/// A sum of bytes that hold sums would often be bad; the format rotates and shifts it.
std::uint32_t masked(std::uint32_t c) { return ((c >> 15) | (c << 17)) + 0xa282ead8U; }

void append_little(std::string& out, std::uint64_t v, int n) {
  for (int i = 0; i < n; ++i) out += static_cast<char>(v >> 8 * i);
}
std::uint64_t little(std::string_view text) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    v |= std::uint64_t{static_cast<unsigned char>(text[i])} << 8 * i;
  return v;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t c = ~0U;
  for (const char b : bytes) c = c >> 8 ^ table[(c ^ static_cast<unsigned char>(b)) & 255];
  return ~c;
}

std::string event_record(std::string_view payload) {
  std::string out;
  append_little(out, payload.size(), 8);
  append_little(out, masked(crc32c(out)), 4);
  out += payload;
  append_little(out, masked(crc32c(payload)), 4);
  return out;
}

std::vector<std::string_view> event_records(std::string_view file) {
  std::vector<std::string_view> out;
  while (file.size() >= 16) {
    const std::uint64_t length = little(file.substr(0, 8));
    if (little(file.substr(8, 4)) != masked(crc32c(file.substr(0, 8)))) break;
    if (length > file.size() - 16) break;
    const std::string_view payload = file.substr(12, length);
    if (little(file.substr(12 + length, 4)) != masked(crc32c(payload))) break;
    out.push_back(payload);
    file.remove_prefix(16 + length);
  }
  return out;
}

}  // namespace gradus::trainer
