// CSV files of numbers, plain or gzip.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string>

#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/text.h"

namespace gradus::trainer {
namespace {

/// Without blanks around it and the quotes that some programs write around numbers too.
std::string_view trimmed(std::string_view cell) {
  while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
  while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t' || cell.back() == '\r'))
    cell.remove_suffix(1);
  const bool quoted = cell.size() >= 2 && cell.front() == '"' && cell.back() == '"';
  return quoted ? cell.substr(1, cell.size() - 2) : cell;
}

bool parse(std::string_view cell, float& value) {
  if (!cell.empty() && cell.front() == '+') cell.remove_prefix(1);
  const char* const last = cell.data() + cell.size();
  const auto [end, error] = std::from_chars(cell.data(), last, value);
  if (error == std::errc::result_out_of_range) {  // 1e-60 is 0, 1e60 is no number of ours
    double wide = HUGE_VAL;
    const auto again = std::from_chars(cell.data(), last, wide);
    value = static_cast<float>(wide);
    return again.ec == std::errc() && again.ptr == last && std::isfinite(value);
  }
  return error == std::errc() && end == last && std::isfinite(value);
}

/// What the first line may hold instead of numbers: a word, such as "label" or "pixel 1" in quotes.
/// "nan", "inf" and broken numbers are no names: a line with one of them is not passed over.
bool is_name(std::string_view cell) {
  if (cell.empty()) return false;
  const auto c = static_cast<unsigned char>(cell.front());
  if (c == '"' || c == '\'' || c == '_' || c == '#' || c >= 0x80) return true;
  std::string word(cell);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char l) { return static_cast<char>(std::tolower(l)); });
  return std::isalpha(c) && word != "nan" && word != "inf" && word != "infinity" && word != "na";
}

std::string_view advice(std::string_view row) {
  const bool others = row.find(',') == row.npos && row.find_first_of(";\t") != row.npos;
  return others ? "; columns are separated by commas" : "";
}

bool is_header(std::string_view row) {
  for (std::size_t from = 0; from <= row.size();) {
    const std::size_t comma = std::min(row.find(',', from), row.size());
    if (is_name(trimmed(row.substr(from, comma - from)))) return true;
    from = comma + 1;
  }
  return false;
}

}  // namespace

Tensor read_csv(const std::string& path) {
  const std::string text = read_all(path);
  std::vector<float> values;
  std::int64_t rows = 0, columns = 0, line = 0;
  const std::size_t start = text.rfind("\xef\xbb\xbf", 0) == 0 ? 3 : 0;  // a byte order mark
  for (std::size_t at = start; at < text.size();) {
    const std::size_t newline = std::min(text.find('\n', at), text.size());
    std::string_view row(text.data() + at, newline - at);
    at = newline + 1;
    ++line;
    if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;  // a blank line
    if (line == 1 && is_header(row)) continue;
    std::int64_t column = 0;
    for (std::size_t from = 0; from <= row.size(); ++column) {
      const std::size_t comma = std::min(row.find(',', from), row.size());
      const std::string_view cell = trimmed(row.substr(from, comma - from));
      float value = 0;
      if (!parse(cell, value)) [[unlikely]] {
        raise(ErrorKind::corrupt,
              {path, ":", line, ": column ", column + 1, ": expected a finite number, got \"",
               printable(cell.substr(0, 40)), "\"", advice(row)});
      }
      values.push_back(value);
      from = comma + 1;
    }
    check(rows == 0 || column == columns, ErrorKind::corrupt, path, ":", line, ": ", column,
          " columns, the lines before have ", columns);
    columns = column;
    ++rows;
  }
  check(rows > 0, ErrorKind::corrupt, path, ": no rows of numbers");
  return from_data(values.data(), {rows, columns});
}

}  // namespace gradus::trainer
