// How a row looks as CSV and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/log/row_file.h"

namespace gradus::trainer {
namespace {

std::string_view event_name(const Record& record) { return record.at_end ? "end" : "step"; }

/// A name that holds a comma or a quote stands in quotes, quotes doubled (RFC 4180).
std::string csv_quoted(const std::string& text) {
  if (text.find_first_of(",\"") == text.npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::vector<std::string> csv_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      const bool doubled = quoted && line.substr(i, 2) == "\"\"";
      if (doubled)
        fields.back() += line[i++];
      else
        quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

/// The line of the columns' names.
std::string csv_head(const std::vector<std::string>& names) {
  std::string text = "step,epoch,event";
  for (const std::string& name : names) (text += ',') += csv_quoted(name);
  return text + "\n";
}

/// Takes a number from the front.
std::optional<std::int64_t> take_integer(std::string_view& text) {
  std::int64_t v = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (code != std::errc()) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return v;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<std::size_t> CsvFile::read_head(std::string_view text) {
  const std::size_t end = text.find('\n');
  auto fields = csv_fields(text.substr(0, end));
  head_written_ = end != text.npos && fields.size() >= 3 && fields[0] == "step" &&
                  fields[1] == "epoch" && fields[2] == "event";
  if (!head_written_) return {};
  names_.assign(fields.begin() + 3, fields.end());
  return 1;
}

std::string CsvFile::line(const Record& record) {
  std::vector<std::string> names = names_;
  for (const auto& [name, value] : record.values)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  if (!head_written_ || names.size() > names_.size()) {
    std::string wider = csv_head(names);
    if (head_written_) {
      // Each row by what it has: the file may be wider already, if an earlier try ended there.
      const std::string text = contents();
      for (std::size_t begin = text.find('\n') + 1; begin < text.size();) {
        const std::size_t end = text.find('\n', begin);
        const std::string_view row = std::string_view(text).substr(begin, end - begin);
        const auto has = static_cast<std::size_t>(std::count(row.begin(), row.end(), ','));
        wider += row;
        if (has < names.size() + 2) wider.append(names.size() + 2 - has, ',');
        wider += '\n';
        begin = end + 1;
      }
    }
    replace(wider);
    names_ = std::move(names);
    head_written_ = true;
  }
  std::string row = fmt::format("{},{},{}", record.step, record.epoch, event_name(record));
  for (const std::string& column : names_) {
    row += ',';
    // The last value wins where a name was logged twice.
    const auto found = std::find_if(record.values.rbegin(), record.values.rend(),
                                    [&](const auto& value) { return value.first == column; });
    if (found != record.values.rend()) row += number_text(found->second);
  }
  return row + "\n";
}

std::optional<RowFile::Place> CsvFile::place(std::string_view line) const {
  const auto commas = static_cast<std::size_t>(std::count(line.begin(), line.end(), ','));
  if (commas != names_.size() + 2) return {};
  const auto step = take_integer(line);
  if (!step || !take(line, ",") || !take_integer(line)) return {};
  if (take(line, ",step")) return Place{*step, false};
  if (take(line, ",end")) return Place{*step, true};
  return {};
}

std::string JsonlFile::line(const Record& record) {
  JsonLine json;
  json.add("event", event_name(record)).add("step", record.step).add("epoch", record.epoch);
  for (auto value = record.values.begin(); value != record.values.end(); ++value) {
    const auto again = std::find_if(value + 1, record.values.end(),
                                    [&](const auto& later) { return later.first == value->first; });
    if (again == record.values.end()) json.add(value->first, value->second);
  }
  return json.text() + "\n";
}

std::optional<RowFile::Place> JsonlFile::place(std::string_view line) const {
  const bool step_row = take(line, R"({"event": "step", "step": )");
  if (!step_row && !take(line, R"({"event": "end", "step": )")) return {};
  const auto step = take_integer(line);
  if (!step || line.empty() || line.back() != '}') return {};
  return Place{*step, !step_row};
}

}  // namespace gradus::trainer
