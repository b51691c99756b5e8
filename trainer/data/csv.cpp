// CSV files of numbers, plain or gzip.
#include <charconv>
#include <cmath>
#include <string>

#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/readers.h"

namespace gradus::trainer {
namespace {

std::string read_all(const std::filesystem::path& path) {
  ByteStream file(path);
  std::string text;
  constexpr std::size_t step = std::size_t{1} << 20;
  for (;;) {
    const std::size_t at = text.size();
    text.resize(at + step);
    const std::size_t got = file.read(text.data() + at, step);
    text.resize(at + got);
    if (got < step) return text;
  }
}

bool parse(std::string_view cell, float& value) {
  while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
  while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t' || cell.back() == '\r'))
    cell.remove_suffix(1);
  if (!cell.empty() && cell.front() == '+') cell.remove_prefix(1);
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return error == std::errc() && end == cell.data() + cell.size() && std::isfinite(value);
}

}  // namespace

Tensor read_csv(const std::filesystem::path& path) {
  const std::string text = read_all(path);
  std::vector<float> values;
  std::int64_t rows = 0, columns = 0, line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t newline = std::min(text.find('\n', at), text.size());
    std::string_view row(text.data() + at, newline - at);
    at = newline + 1;
    ++line;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;  // a blank line
    const std::size_t before = values.size();
    std::int64_t column = 0;
    bool header = false;
    for (std::size_t from = 0; from <= row.size(); ++column) {
      const std::size_t comma = std::min(row.find(',', from), row.size());
      float value = 0;
      if (!parse(row.substr(from, comma - from), value)) {
        header = rows == 0 && line == 1;
        check(header, ErrorKind::corrupt, path.native(), ":", line, ": column ", column + 1,
              ": expected a finite number, got \"",
              row.substr(from, std::min<std::size_t>(comma - from, 40)), "\"");
        break;
      }
      values.push_back(value);
      from = comma + 1;
    }
    if (header) {
      values.resize(before);
      continue;
    }
    check(rows == 0 || column == columns, ErrorKind::corrupt, path.native(), ":", line, ": ",
          column, " columns, the lines before have ", columns);
    columns = column;
    ++rows;
  }
  check(rows > 0, ErrorKind::corrupt, path.native(), ": no rows of numbers");
  return from_data(values.data(), {rows, columns});
}

}  // namespace gradus::trainer
