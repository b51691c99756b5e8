// Field numbers: wandb/proto/wandb_internal.proto.
#include "gradus/trainer/log/wandb.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>

#include "gradus/trainer/clock.h"
#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/log/protobuf.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t block = 32768, head = 7;
constexpr std::string_view end_mark = "gradus/end";  // the uuid of what a resume takes back
namespace wire {  // of a record: which piece of it a block holds, and what it says
enum Piece { full = 1, first = 2, middle = 3, last = 4 };
enum Field { history = 2, summary = 3, run = 17, exit_record = 18, header = 21 };
}  // namespace wire

/// Python's names for what JSON has none.
std::string python_number(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "Infinity" : "-Infinity";
  return number_text(v);
}

std::uint32_t sum_of(wire::Piece piece, std::string_view bytes) {
  const auto type = static_cast<unsigned char>(piece);
  const uLong start = crc32(0, &type, 1);
  return static_cast<std::uint32_t>(crc32(start,
                                          reinterpret_cast<const unsigned char*>(bytes.data()),
                                          static_cast<unsigned>(bytes.size())));
}

Protobuf item(const std::string& key, const std::string& json, int value_field = 16) {
  return Protobuf().bytes(1, key).bytes(value_field, json);
}

/// The step of a history record; -1: a record of the run's begin; nothing: of its end.
std::optional<std::int64_t> step_of_payload(std::string_view payload) {
  std::int64_t step = -1;
  ProtobufFields fields(payload);
  while (const auto field = fields.next()) {
    if (field->number == wire::summary || field->number == wire::exit_record) return {};
    if (field->number == 19 && field->bytes == end_mark) return {};
    if (field->number != wire::history) continue;
    ProtobufFields row(field->bytes);
    while (const auto part = row.next()) {
      if (part->number != 2) continue;
      step = 0;
      ProtobufFields inner(part->bytes);
      while (const auto number = inner.next())
        if (number->number == 1) step = static_cast<std::int64_t>(number->integer);
    }
  }
  return step;
}

/// Eight letters and digits, drawn by the system: two runs must never share them.
std::string fresh_id() {
  constexpr std::string_view letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::random_device device;
  std::string id;
  for (int i = 0; i < 8; ++i) id += letters[device() % letters.size()];
  return id;
}

}  // namespace

std::string wandb_framed(std::string_view payload, std::uint64_t offset) {
  std::string out;
  for (bool begun = false; !begun || !payload.empty(); begun = true) {
    std::uint64_t room = block - (offset + out.size()) % block;
    if (room < head) {
      out.append(room, '\0');
      room = block;
    }
    const std::string_view part = payload.substr(0, room - head);
    payload.remove_prefix(part.size());
    const bool ends = payload.empty();
    const wire::Piece piece = begun  ? ends ? wire::last : wire::middle
                              : ends ? wire::full
                                     : wire::first;
    const std::uint32_t sum = sum_of(piece, part);
    for (int i = 0; i < 4; ++i) out += static_cast<char>(sum >> 8 * i);
    for (int i = 0; i < 2; ++i) out += static_cast<char>(part.size() >> 8 * i);
    out += static_cast<char>(piece);
    out += part;
  }
  return out;
}

std::vector<std::string> wandb_payloads(std::string_view file) {
  std::vector<std::string> out;
  if (file.substr(0, wandb_head.size()) != wandb_head) return out;
  std::string payload;
  for (std::uint64_t at = wandb_head.size();;) {
    if (block - at % block < head) at += block - at % block;
    if (at + head > file.size()) return out;
    const auto byte = [&](std::uint64_t i) { return static_cast<unsigned char>(file[at + i]); };
    const std::uint64_t length = byte(4) | std::uint64_t{byte(5)} << 8;
    const auto piece = static_cast<wire::Piece>(byte(6));
    if (piece < wire::full || piece > wire::last || length > file.size() - at - head) return out;
    const std::string_view part = file.substr(at + head, length);
    const std::uint32_t sum = byte(0) | std::uint32_t{byte(1)} << 8 | std::uint32_t{byte(2)} << 16 |
                              std::uint32_t{byte(3)} << 24;
    if (sum != sum_of(piece, part)) return out;
    at += head + length;
    if (piece == wire::full || piece == wire::first) payload.clear();
    payload += part;
    if (piece == wire::full || piece == wire::last) out.push_back(payload);
  }
}

WandbRun::WandbRun(Files& files, fs::path run_directory, Options options)
    : files_(files), directory_(std::move(run_directory) / "wandb"), options_(std::move(options)) {}

bool WandbRun::wants(std::int64_t step, std::string_view) const {
  return step % options_.every_n_steps == 0;
}

void WandbRun::write(const Record& record) {
  if (pending_ && (pending_->step != record.step || pending_->at_end != record.at_end))
    write_pending();
  if (!pending_) pending_ = Record{Record::metrics, record.step, record.epoch, record.at_end, {}};
  for (const auto& [name, value] : record.values)
    pending_->values.emplace_back(record.kind == Record::timing ? "timing/" + name : name, value);
}

void WandbRun::add(int field, const Protobuf& message, bool at_end) {
  if (!writer_) begin();
  Protobuf record;
  record.integer(1, ++records_).message(field, message);
  if (at_end) record.bytes(19, end_mark);
  const std::string framed = wandb_framed(record.text(), offset_);
  writer_->write(framed);
  offset_ += framed.size();
}

/// A new file with what the run is, or the one of an earlier start.
void WandbRun::begin() {
  if (!file_.empty()) {
    writer_ = std::make_unique<FileWriter>(files_, file_, FileWriter::Mode::append);
    return;
  }
  began_ = wall_seconds();
  const std::string id = fresh_id();
  const std::time_t seconds = static_cast<std::time_t>(began_);
  std::tm date{};
  gmtime_r(&seconds, &date);
  char when[32] = {};
  std::strftime(when, sizeof when, "%Y%m%d_%H%M%S", &date);
  const fs::path folder = directory_ / fmt::format("offline-run-{}-{}", when, id);
  make_directories(files_, folder);
  file_ = folder / ("run-" + id + ".wandb");
  writer_ = std::make_unique<FileWriter>(files_, file_);
  writer_->write(wandb_head);
  offset_ = wandb_head.size();
  const Protobuf version = Protobuf().bytes(1, "gradus").bytes(2, "0.10.0");
  add(wire::header, Protobuf().message(1, version));
  Protobuf config;
  for (const auto& [key, json] : options_.config) config.message(1, item(key, json));
  const Protobuf start = Protobuf().integer(1, static_cast<std::uint64_t>(seconds));
  add(wire::run, Protobuf()
                     .bytes(1, id)
                     .bytes(3, "gradus")
                     .message(4, config)
                     .bytes(8, options_.name)
                     .message(17, start));
}

void WandbRun::write_pending() {
  if (!pending_) return;
  const Record row = std::move(*pending_);
  pending_.reset();
  Protobuf out;
  const auto take = [&](const std::string& name, const std::string& json) {
    out.message(1, item(name, json));
    const auto found = std::find_if(last_.begin(), last_.end(),
                                    [&](const auto& one) { return one.first == name; });
    if (found != last_.end())
      found->second = json;
    else
      last_.emplace_back(name, json);
  };
  for (const auto& [name, value] : row.values) take(name, python_number(value));
  take("epoch", fmt::format("{}", row.epoch));
  take("_step", fmt::format("{}", row.step));
  take("_timestamp", fmt::format("{:.3f}", wall_seconds()));
  out.message(2, Protobuf().integer(1, static_cast<std::uint64_t>(row.step)));
  add(wire::history, out, row.at_end);
}

void WandbRun::tick(const Progress&) {}  // a validation may still add to this step's row

void WandbRun::flush() {
  write_pending();
  if (writer_) writer_->sync();
}

void WandbRun::end(std::string_view status) {
  write_pending();
  Protobuf values;
  for (const auto& [name, json] : last_) values.message(1, item(name, json));
  add(wire::summary, values);
  const double seconds = began_ > 0 ? wall_seconds() - began_ : 0;
  add(wire::exit_record, Protobuf()
                             .integer(1, status == "diverged" ? 1 : 0)
                             .integer(2, static_cast<std::uint64_t>(seconds)));
  writer_->sync();
}

void WandbRun::resume(std::int64_t step) {
  std::error_code code;
  if (!fs::exists(directory_, code)) return;
  for (const Files::Entry& entry : list(files_, directory_)) {
    const std::size_t dash = entry.name.rfind('-');
    if (!entry.name.starts_with("offline-run-") || entry.kind != Files::Entry::directory) continue;
    if (step < 0) {  // of an attempt that left no checkpoint
      remove_tree(files_, directory_ / entry.name);
      continue;
    }
    const fs::path path =
        directory_ / entry.name / ("run-" + entry.name.substr(dash + 1) + ".wandb");
    if (!fs::exists(path, code)) continue;
    const std::string text = read_file(files_, path, std::size_t{1} << 32);
    std::string kept(wandb_head);
    records_ = 0;
    for (const std::string& payload : wandb_payloads(text)) {
      const auto at = step_of_payload(payload);
      if (!at || *at > step) continue;
      kept += wandb_framed(payload, kept.size());
      ++records_;
    }
    if (kept != text) write_durably(files_, path, kept);
    file_ = path;
    offset_ = kept.size();
  }
}

}  // namespace gradus::trainer
