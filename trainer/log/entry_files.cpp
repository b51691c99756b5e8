#include "gradus/trainer/log/entry_files.h"

#include <fmt/format.h>

#include <charconv>

#include "gradus/tensor/json.h"
#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/log/json_line.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

bool is_due(const Moment& at, std::int64_t every) {
  return at.evaluating || at.at_end || at.step % every == 0;
}

/// Numbers as JSON; what JSON does not know is a word there.
std::string list_text(const auto& numbers) {
  std::string out = "[";
  for (const auto v : numbers)
    out += (out.size() > 1 ? ", " : "") + number_text(static_cast<double>(v));
  return out + "]";
}
std::string words_text(const std::vector<std::string>& words) {
  std::string out = "[";
  for (const std::string& word : words) out += (out.size() > 1 ? ", " : "") + json_quoted(word);
  return out + "]";
}

std::string content_text(const Entry& entry) {
  switch (entry.kind()) {
    case Entry::text: return "\"text\": " + json_quoted(std::get<Text>(entry.content).text);
    case Entry::table: {
      const auto& table = std::get<Table>(entry.content);
      std::string rows;
      for (const auto& row : table.rows) rows += (rows.empty() ? "" : ", ") + words_text(row);
      return fmt::format("\"columns\": {}, \"rows\": [{}]", words_text(table.columns), rows);
    }
    case Entry::histogram: {
      const auto& h = std::get<Histogram>(entry.content);
      return fmt::format("\"count\": {}, \"not_finite\": {}, \"edges\": {}, \"counts\": {}",
                         h.count, h.not_finite, list_text(h.edges), list_text(h.counts));
    }
    case Entry::image: break;
  }
  return "";
}

constexpr const char* events[] = {"text", "histogram", "image", "table"};

}  // namespace

ImageFiles::ImageFiles(Files& files, fs::path run_directory, std::int64_t every_n_steps,
                       std::string ending)
    : files_(files),
      directory_(std::move(run_directory) / "visualizations"),
      every_n_steps_(every_n_steps),
      ending_(std::move(ending)) {}

bool ImageFiles::wants_entry(const Moment& at, Entry::Kind kind) const {
  return kind == Entry::image && is_due(at, every_n_steps_);
}

void ImageFiles::write_entry(const Entry& entry) {
  if (entry.kind() != Entry::image || !is_due(entry.at, every_n_steps_)) return;
  check_file_name(entry.name);
  const fs::path path = directory_ /
                        fmt::format("{}{}", entry.at.step, entry.at.at_end ? "_end" : "") /
                        (entry.name + "." + ending_);
  make_directories(files_, path.parent_path());
  const auto& picture = std::get<Picture>(entry.content);
  write_durably(files_, path, ending_ == "png" ? png_of(picture) : jpg_of(picture));
}

void ImageFiles::resume(std::int64_t step) {
  std::error_code code;
  if (!fs::exists(directory_, code)) return;
  for (const Files::Entry& entry : list(files_, directory_)) {
    std::int64_t of = 0;
    const char* const last = entry.name.data() + entry.name.size();
    const auto [end, error] = std::from_chars(entry.name.data(), last, of);
    const std::string_view rest(end, static_cast<std::size_t>(last - end));
    if (error != std::errc() || !(rest.empty() || rest == "_end")) continue;  // not one of ours
    if (step < 0 || of > step || !rest.empty()) remove_tree(files_, directory_ / entry.name);
  }
}

EntryLines::EntryLines(Files& files, fs::path path, std::int64_t every_n_steps)
    : files_(files), path_(std::move(path)), every_n_steps_(every_n_steps) {}

bool EntryLines::wants_entry(const Moment& at, Entry::Kind kind) const {
  return kind != Entry::image && is_due(at, every_n_steps_);
}

void EntryLines::write_entry(const Entry& entry) {
  if (!wants_entry(entry.at, entry.kind())) return;
  if (!writer_) writer_ = std::make_unique<FileWriter>(files_, path_, FileWriter::Mode::append);
  writer_->write(fmt::format(
      "{{\"event\": \"{}\", \"step\": {}, \"epoch\": {}, \"evaluating\": {}, \"at_end\": {}, "
      "\"name\": {}, {}}}\n",
      events[entry.kind()], entry.at.step, entry.at.epoch, entry.at.evaluating, entry.at.at_end,
      json_quoted(entry.name), content_text(entry)));
}

void EntryLines::flush() {
  if (writer_) writer_->sync();
}

void EntryLines::resume(std::int64_t step) { cut(step, false); }

void EntryLines::resume_within(std::int64_t step) { cut(step, true); }

void EntryLines::cut(std::int64_t step, bool within) {
  std::error_code code;
  if (!fs::exists(path_, code)) return;
  const std::string text = read_file(files_, path_, std::size_t{1} << 32);
  std::string kept;
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    const std::optional<Json> json = Json::parse_if(line);
    const Json* const at = json ? json->find("step") : nullptr;
    if (at == nullptr || !at->is_integer()) continue;
    const auto says = [&](const char* name) {
      const Json* const found = json->find(name);
      return found && found->text() == "true";
    };
    const bool again = at->integer() > step || says("at_end") ||
                       (within && at->integer() == step && says("evaluating"));
    if (!again) kept += line + "\n";
  }
  if (kept != text) write_durably(files_, path_, kept);
}

}  // namespace gradus::trainer
