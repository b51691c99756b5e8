#include "gradus/trainer/logging.h"

#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

thread_local Trainer* current = nullptr;

}  // namespace

LogScope::LogScope(Trainer& trainer) : before_(current) { current = &trainer; }
LogScope::LogScope() : before_(current) { current = nullptr; }
LogScope::~LogScope() { current = before_; }

void log_value(std::string_view name, const Tensor& value, double weight) {
  if (current) current->log(name, value, weight);
}
void log_value(std::string_view name, double value, double weight) {
  if (current) current->log(name, value, weight);
}
bool log_wanted(std::string_view name) { return current && current->wants(name); }
void log_value(std::string_view name, const std::function<Tensor()>& value) {
  if (log_wanted(name)) current->log(name, value());
}

void log_entry(std::string_view name, Entry::Kind kind,
               const std::function<decltype(Entry::content)()>& make) {
  if (current) current->log_entry(name, kind, make);
}
void log_image(std::string_view name, const Tensor& pixels) {
  log_entry(name, Entry::image, [&] { return picture_of(pixels); });
}
void log_histogram(std::string_view name, const Tensor& values) {
  log_entry(name, Entry::histogram, [&] { return histogram_of(values); });
}
void log_text(std::string_view name, std::string_view text) {
  log_entry(name, Entry::text, [&] { return Text{std::string(text)}; });
}
void log_table(std::string_view name, const Table& table) {
  for (const auto& row : table.rows)
    check(row.size() == table.columns.size(), ErrorKind::shape, "log_table ", name, ": a row has ",
          row.size(), " cells, the table ", table.columns.size(), " columns");
  log_entry(name, Entry::table, [&] { return table; });
}

}  // namespace gradus::trainer
