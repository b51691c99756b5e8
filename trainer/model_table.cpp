#include "gradus/trainer/model_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "gradus/trainer/log/console.h"

namespace gradus::trainer {
namespace {

class Rows final : public nn::Visitor {
 public:
  std::vector<ModuleRow> rows;

 private:
  void enter(std::string_view name, nn::Module& module) override {
    std::string full = open_.size() < 2 ? "" : rows[open_.back()].name + ".";
    full += name;
    open_.push_back(rows.size());
    rows.push_back({std::move(full), module.name(), static_cast<int>(open_.size()) - 1});
  }
  void leave(nn::Module&) override { open_.pop_back(); }
  void tensor(const std::string&, Tensor& t, Role role) override {
    if (!seen_.insert(t.raw()).second) return;
    for (const std::size_t i : open_) {
      ModuleRow& row = rows[i];
      (is_learned(role) ? t.requires_grad() ? row.trainable : row.frozen : row.buffers) +=
          t.numel();
      row.bytes += t.numel() * static_cast<std::int64_t>(size_of(t.dtype()));
    }
  }
  std::vector<std::size_t> open_;  // the modules around the one that is visited
  std::set<const void*> seen_;
};

std::string count(std::int64_t n) { return n == 0 ? "-" : fmt::format("{}", n); }

}  // namespace

std::vector<ModuleRow> module_rows(nn::Module& model) {
  Rows rows;
  rows.walk(model);
  return std::move(rows.rows);
}

std::string model_table(const std::vector<ModuleRow>& rows, std::size_t most_rows) {
  int deepest = 0;
  for (const ModuleRow& row : rows) deepest = std::max(deepest, row.depth);
  const auto shown = [&](int depth) {
    return static_cast<std::size_t>(std::count_if(rows.begin() + 1, rows.end(), [&](const auto& r) {
      return r.depth <= depth && r.trainable + r.frozen + r.buffers > 0;
    }));
  };
  while (deepest > 1 && shown(deepest) + 1 > most_rows) --deepest;
  std::vector<std::array<std::string, 6>> lines = {
      {"module", "type", "trainable", "frozen", "buffers", "memory"}};
  const auto add = [&](const ModuleRow& row, std::string name) {
    lines.push_back({std::move(name), row.type, count(row.trainable), count(row.frozen),
                     count(row.buffers), bytes_text(row.bytes)});
  };
  std::size_t left_out = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].depth > deepest || rows[i].trainable + rows[i].frozen + rows[i].buffers == 0)
      continue;
    if (lines.size() >= most_rows)
      ++left_out;
    else
      add(rows[i], rows[i].name);
  }
  if (left_out > 0) lines.push_back({fmt::format("({} more)", left_out), "", "", "", "", ""});
  add(rows[0], "total");
  std::array<std::size_t, 6> width{};
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) width[i] = std::max(width[i], line[i].size());
  std::string text;
  for (const auto& line : lines) {
    std::string out = fmt::format("  {:<{}}  {:<{}}", line[0], width[0], line[1], width[1]);
    for (std::size_t i = 2; i < line.size(); ++i) out += fmt::format("  {:>{}}", line[i], width[i]);
    text += out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace gradus::trainer
