// Appending rows, and cutting a file back to the step a run goes on from.
#include "gradus/trainer/log/row_file.h"

#include <algorithm>

namespace gradus::trainer {

namespace fs = std::filesystem;

RowFile::RowFile(Files& files, fs::path path, Record::Kind kind, std::int64_t every_n_steps)
    : files_(files), path_(std::move(path)), kind_(kind), every_n_steps_(every_n_steps) {}

bool RowFile::wants(std::int64_t step, std::string_view) const {
  return step % every_n_steps_ == 0;
}

void RowFile::write(const Record& record) {
  if (record.kind != kind_) return;
  for (const auto& [name, value] : record.values)
    for (const char c : name)
      check(static_cast<unsigned char>(c) >= 0x20, ErrorKind::argument,
            "log: a name holds a control character: ", name);
  if (pending_ && pending_->step == record.step && pending_->at_end == record.at_end) {
    pending_->values.insert(pending_->values.end(), record.values.begin(), record.values.end());
    return;
  }
  write_pending();
  pending_ = record;
}

void RowFile::tick(const Progress&) { write_pending(); }

void RowFile::write_pending() {
  if (!pending_) return;
  const std::string text = line(*pending_);
  if (!writer_) writer_ = std::make_unique<FileWriter>(files_, path_, FileWriter::Mode::append);
  writer_->write(text);
  pending_.reset();  // not before: a row that could not be written is written by the next try
}

void RowFile::flush() {
  write_pending();
  if (writer_) writer_->sync();
}

std::string RowFile::contents() const {
  std::error_code code;
  if (!fs::exists(path_, code)) return "";
  return read_file(files_, path_, std::size_t(1) << 32);
}

void RowFile::replace(std::string_view text) {
  writer_.reset();  // it would go on writing to the file that is replaced
  write_durably(files_, path_, text);
}

void RowFile::resume(std::int64_t step) {
  const std::string text = contents();
  if (text.empty()) return;
  if (step < 0) {
    replace("");
    return;
  }
  const auto found = read_head(text);
  if (!found) {  // not to be lost: someone may want to know what happened to it
    fs::path aside = path_;
    done(files_.rename(path_, aside += ".damaged"), "rename", path_);
    log_message({path_.string(), ": damaged; set aside as ", aside.string()});
    return;
  }
  std::size_t head = *found;
  std::string kept;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == text.npos) break;  // its writer died here
    const std::string_view row = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    const auto at = head ? std::nullopt : place(row);
    if (head || (at && at->step <= step && !at->at_end)) (kept += row) += '\n';
    if (head) --head;
  }
  if (kept != text) replace(kept);
}

}  // namespace gradus::trainer
