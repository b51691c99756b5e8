// Field numbers: tensorboard/compat/proto/{event,summary,tensor}.proto and plugins/hparams.
#include "gradus/trainer/log/tensorboard.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "gradus/trainer/clock.h"
#include "gradus/trainer/log/protobuf.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
// Marks of what a resume takes back.
constexpr std::string_view end_writer = "gradus/end", evaluation_writer = "gradus/evaluation";
constexpr std::string_view file_prefix = "events.out.tfevents.";

Protobuf plugin(std::string_view name, const Protobuf& content = {}) {
  Protobuf data;
  data.bytes(1, name);
  if (!content.text().empty()) data.message(2, content);
  return Protobuf().message(1, data);
}

/// A tensor of one string, which TensorBoard's text page renders as Markdown.
Protobuf text_value(const std::string& tag, std::string_view text) {
  constexpr int dt_string = 7;
  const Protobuf shape = Protobuf().message(2, Protobuf().integer(1, 1));
  const Protobuf tensor = Protobuf().integer(1, dt_string).message(2, shape).bytes(8, text);
  return Protobuf().bytes(1, tag).message(9, plugin("text")).message(8, tensor);
}

/// Only right edges are stored: an empty bucket in front has the left edge of the first.
Protobuf histogram_value(const std::string& tag, const Histogram& h) {
  std::vector<double> counts = {0};
  for (const std::int64_t n : h.counts) counts.push_back(static_cast<double>(n));
  const Protobuf histo = Protobuf()
                             .number(1, h.least)
                             .number(2, h.most)
                             .number(3, static_cast<double>(h.count))
                             .number(4, h.sum)
                             .number(5, h.sum_squares)
                             .packed(6, h.edges)
                             .packed(7, counts);
  return Protobuf().bytes(1, tag).message(5, histo);
}

Protobuf image_value(const std::string& tag, const Picture& p) {
  const auto size = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  const Protobuf image = Protobuf()
                             .integer(1, size(p.height))
                             .integer(2, size(p.width))
                             .integer(3, size(p.channels))
                             .bytes(4, png_of(p));
  return Protobuf().bytes(1, tag).message(4, image);
}

/// `what`: 2 experiment, 3 session start, 4 session end.
Protobuf hparams_value(const char* tag, int what, const Protobuf& content) {
  const Protobuf data = Protobuf().integer(1, 0).message(what, content);
  return Protobuf().bytes(1, tag).message(9, plugin("hparams", data));
}

Protobuf experiment(const TensorBoard::Options& options) {
  Protobuf out;
  for (const auto& [name, value] : options.parameters) {
    constexpr std::uint64_t types[] = {3, 2, 1};  // float64, bool, string
    out.message(4, Protobuf().bytes(1, name).integer(4, types[value.index()]));
  }
  for (const std::string& metric : options.metrics)
    out.message(5, Protobuf().message(1, Protobuf().bytes(2, metric)));
  return out;
}

Protobuf session_start(const TensorBoard::Options& options) {
  Protobuf out;
  for (const auto& [name, value] : options.parameters) {
    Protobuf v;
    if (const auto* number = std::get_if<double>(&value)) v.number(2, *number);
    if (const auto* text = std::get_if<std::string>(&value)) v.bytes(3, *text);
    if (const auto* yes = std::get_if<bool>(&value)) v.integer(4, *yes);
    out.message(1, Protobuf().bytes(1, name).message(2, v));
  }
  return out;
}

/// A summary of simple values.
bool is_row(std::string_view summary) {
  ProtobufFields values(summary);
  while (const auto value = values.next()) {
    ProtobufFields parts(value->bytes);
    while (const auto part = parts.next())
      if (part->number == 2) return true;
  }
  return false;
}

/// Where an event of ours stands; nothing for the first one, which only names the file's version. A
/// row of numbers is written again like what an evaluation says.
std::optional<Moment> moment_of(std::string_view event) {
  Moment at;
  ProtobufFields fields(event);
  while (const auto field = fields.next()) {
    if (field->number == 3) return {};
    if (field->number == 2) at.step = static_cast<std::int64_t>(field->integer);
    if (field->number == 5) at.evaluating = at.evaluating || is_row(field->bytes);
    if (field->number == 10) {
      ProtobufFields source(field->bytes);
      while (const auto inner = source.next()) {
        if (inner->number != 1) continue;
        at.at_end = at.at_end || inner->bytes == end_writer;
        at.evaluating = at.evaluating || inner->bytes == evaluation_writer;
      }
    }
  }
  return at;
}

}  // namespace

TensorBoard::TensorBoard(Files& files, fs::path directory, Options options)
    : files_(files), directory_(std::move(directory)), options_(std::move(options)) {}

bool TensorBoard::wants(std::int64_t step, std::string_view) const {
  return step % options_.every_n_steps == 0;
}

bool TensorBoard::wants_entry(const Moment& at, Entry::Kind kind) const {
  if (at.evaluating || at.at_end) return true;
  if (kind == Entry::image) return at.step % options_.images_every_n_steps == 0;
  const std::int64_t more = kind == Entry::histogram ? options_.histograms_every_n_steps : 0;
  return at.step % options_.every_n_steps == 0 || (more > 0 && at.step % more == 0);
}

void TensorBoard::add(const Moment& at, const Protobuf& summary) {
  Protobuf event;
  event.number(1, wall_seconds());
  if (at.step != 0) event.integer(2, static_cast<std::uint64_t>(at.step));
  event.message(5, summary);
  if (at.at_end || at.evaluating)
    event.message(10, Protobuf().bytes(1, at.at_end ? end_writer : evaluation_writer));
  pending_ += event_record(event.text());
}

void TensorBoard::write(const Record& record) {
  Protobuf summary;
  for (const auto& [name, value] : record.values) {
    Protobuf one;
    one.bytes(1, record.kind == Record::timing ? "timing/" + name : name);
    summary.message(1, one.single(2, static_cast<float>(value)));
  }
  add({record.step, record.epoch, false, record.at_end}, summary);
}

void TensorBoard::write_entry(const Entry& entry) {
  Protobuf value;
  switch (entry.kind()) {
    case Entry::text:
      value = text_value(entry.name + "/text_summary", std::get<Text>(entry.content).text);
      break;
    case Entry::table:
      value = text_value(entry.name + "/text_summary", markdown_of(std::get<Table>(entry.content)));
      break;
    case Entry::histogram: {
      const auto& h = std::get<Histogram>(entry.content);
      if (h.count == 0) return;  // no finite number: there is nothing to draw
      value = histogram_value(entry.name, h);
      break;
    }
    case Entry::image: value = image_value(entry.name, std::get<Picture>(entry.content)); break;
  }
  add(entry.at, Protobuf().message(1, value));
}

/// Opens the file of this start, under a name that is not taken.
void TensorBoard::begin() {
  utsname about{};
  uname(&about);
  const auto now = static_cast<std::int64_t>(wall_seconds());
  for (int n = 0; !writer_; ++n) {
    const fs::path path = directory_ / fmt::format("{}{:010}.{}.{}.{}", file_prefix, now,
                                                   about.nodename, getpid(), n);
    std::error_code code;
    if (!fs::exists(path, code)) writer_ = std::make_unique<FileWriter>(files_, path);
  }
  std::string text =
      event_record(Protobuf().number(1, wall_seconds()).bytes(3, "brain.Event:2").text());
  text.swap(pending_);
  if (!described_) {
    Protobuf summary;
    if (!options_.configuration.empty())
      summary.message(
          1, text_value("config/text_summary", "```toml\n" + options_.configuration + "```\n"));
    summary.message(1, hparams_value("_hparams_/experiment", 2, experiment(options_)));
    summary.message(1, hparams_value("_hparams_/session_start_info", 3, session_start(options_)));
    add({}, summary);
    described_ = true;
  }
  pending_ += text;
}

void TensorBoard::write_pending() {
  if (pending_.empty()) return;
  if (!writer_) begin();
  writer_->write(pending_);
  pending_.clear();
}

void TensorBoard::tick(const Progress&) { write_pending(); }

void TensorBoard::flush() {
  write_pending();
  if (writer_) writer_->sync();
}

void TensorBoard::end(std::string_view status) {
  const bool failed = status == "diverged";
  const Protobuf info = Protobuf().integer(1, failed ? 2 : 1);
  add({.at_end = true},
      Protobuf().message(1, hparams_value("_hparams_/session_end_info", 4, info)));
  flush();
}

void TensorBoard::resume(std::int64_t step) { cut(step, false); }

void TensorBoard::resume_within(std::int64_t step) { cut(step, true); }

/// The files of earlier starts keep what is not written again; one that keeps nothing goes.
void TensorBoard::cut(std::int64_t step, bool within) {
  for (const Files::Entry& file : list(files_, directory_)) {
    if (file.kind != Files::Entry::file || !file.name.starts_with(file_prefix) ||
        file.name.find(".tmp_") != std::string::npos)
      continue;
    const fs::path path = directory_ / file.name;
    const std::string text = read_file(files_, path, std::size_t{1} << 32);
    std::string kept;
    bool any = false;
    for (const std::string_view event : event_records(text)) {
      const auto at = moment_of(event);
      if (at && (step < 0 || at->step > step || at->at_end)) continue;
      if (at && within && at->step == step && at->evaluating) continue;
      kept += event_record(event);
      any = any || at;
    }
    if (!any)
      done(files_.remove(path), "remove", path);
    else if (kept != text)
      write_durably(files_, path, kept);
    described_ = described_ || any;
  }
}

}  // namespace gradus::trainer
