// Which word was meant: the distance that counts swapped neighbours as one error.
#include <algorithm>
#include <array>

#include "gradus/trainer/config/key.h"

namespace gradus::trainer {
namespace {

/// Optimal string alignment: insertions, deletions, changes and swaps of neighbours cost 1 each.
std::size_t distance(const std::string& a, const std::string& b) {
  std::array<std::vector<std::size_t>, 3> rows;  // i - 2, i - 1, i
  for (auto& row : rows) row.resize(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) rows[2][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::rotate(rows.begin(), rows.begin() + 1, rows.end());
    auto& [before, last, now] = rows;
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
  }
  return rows[2][b.size()];
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  if (word.size() > 100) return "";
  const std::size_t allowed = std::max<std::size_t>(2, word.size() / 3);
  std::string best;
  std::pair<std::size_t, std::ptrdiff_t> least;  // of two equally near the one that begins alike
  for (const std::string& candidate : candidates) {
    const std::size_t common = std::min(word.size(), candidate.size());
    // "evaluate" for "eval", "val" for "validation"
    const bool longer = common >= 3 && word.compare(0, common, candidate, 0, common) == 0;
    const std::size_t d = longer ? 1 : distance(word, candidate);
    if (d > allowed || d >= std::max(word.size(), candidate.size())) continue;
    const auto [at, end] =
        std::mismatch(word.begin(), word.end(), candidate.begin(), candidate.end());
    const std::pair rank(d, word.begin() - at);
    if (!best.empty() && rank >= least) continue;
    least = rank;
    best = candidate;
  }
  return best;
}

}  // namespace gradus::trainer
