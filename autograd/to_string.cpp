// to_string(): values as PyTorch prints them. Four digits; scientific where values span more than
// three decades or lie outside [1e-4, 1e8]; more than 1000 elements are shortened with dots.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

constexpr std::int64_t most_elements = 1000, edge = 3;
constexpr int line_width = 80;

/// The element of a tensor with one.
Scalar number_of(const Tensor& t) {
  if (t.is_floating()) return t.item<double>();
  return t.item<std::int64_t>();
}

/// How the numbers of one tensor look: all alike, padded to one width.
class Format {
 public:
  Format(Dtype dtype, const std::vector<Scalar>& values) {
    double least = HUGE_VAL, most = 0;
    bool whole = true;
    for (const Scalar& value : values) {
      const double v = value.real();
      if (!std::isfinite(v) || v == 0) continue;
      least = std::min(least, std::abs(v));
      most = std::max(most, std::abs(v));
      whole = whole && v == std::ceil(v);
    }
    const bool wide = most > 0 && (most / least > 1000 || most > 1e8);
    if (!gradus::is_floating(dtype))
      kind_ = dtype == Dtype::boolean ? Kind::truth : Kind::integer;
    else if (whole)
      kind_ = wide ? Kind::scientific : Kind::whole;
    else
      kind_ = wide || least < 1e-4 ? Kind::scientific : Kind::fixed;
    for (const Scalar& v : values) {
      const bool counts = !v.is_real() || (std::isfinite(v.real()) && v.real() != 0);
      if (counts) width_ = std::max(width_, text(v).size());
    }
  }

  std::size_t width() const { return width_; }
  std::string padded(Scalar v) const {
    const std::string t = text(v);
    return std::string(t.size() < width_ ? width_ - t.size() : 0, ' ') + t;
  }

 private:
  enum class Kind { integer, truth, whole, fixed, scientific };
  std::string text(Scalar value) const {
    if (kind_ == Kind::truth) return value.integer() != 0 ? "True" : "False";
    if (kind_ == Kind::integer) return std::to_string(value.integer());
    const double v = value.real();
    if (std::isnan(v)) return "nan";
    if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
    char buffer[400];
    const char* how = kind_ == Kind::fixed ? "%.4f" : kind_ == Kind::scientific ? "%.4e" : "%.0f.";
    const int n = std::snprintf(buffer, sizeof(buffer), how, v);
    return std::string(buffer, static_cast<std::size_t>(n));
  }
  Kind kind_ = Kind::integer;
  std::size_t width_ = 1;
};

/// The indices of a dimension that are shown; -1 stands for the dots.
std::vector<std::int64_t> shown(std::int64_t n, bool shorten) {
  std::vector<std::int64_t> index;
  for (std::int64_t i = 0; i < n; ++i) {
    if (!shorten || n <= 2 * edge || i < edge || i >= n - edge)
      index.push_back(i);
    else if (i == edge)
      index.push_back(-1);
  }
  return index;
}

void collect(const Tensor& t, bool shorten, std::vector<Scalar>& values) {
  if (t.dim() == 0) {
    values.push_back(number_of(t));
    return;
  }
  for (std::int64_t i : shown(t.shape()[0], shorten)) {
    if (i >= 0) collect(views::select(t, 0, i), shorten, values);
  }
}

std::string vector_text(const Tensor& t, const Format& format, int indent, bool shorten) {
  const std::size_t room = static_cast<std::size_t>(std::max(line_width - indent, 1));
  const std::size_t a_line = std::max<std::size_t>(1, room / (format.width() + 2));
  std::string text = "[";
  std::size_t count = 0;
  for (std::int64_t i : shown(t.shape()[0], shorten)) {
    if (count > 0) {
      text += count % a_line == 0 ? ",\n" : ", ";
      if (count % a_line == 0) text.append(static_cast<std::size_t>(indent) + 1, ' ');
    }
    text += i < 0 ? " ..." : format.padded(number_of(views::select(t, 0, i)));
    ++count;
  }
  return text + "]";
}

std::string nested_text(const Tensor& t, const Format& format, int indent, bool shorten) {
  if (t.dim() == 0) return format.padded(number_of(t));
  if (t.dim() == 1) return vector_text(t, format, indent, shorten);
  std::string between = ",";
  between.append(static_cast<std::size_t>(t.dim()) - 1, '\n');
  between.append(static_cast<std::size_t>(indent) + 1, ' ');
  std::string text = "[";
  for (std::int64_t i : shown(t.shape()[0], shorten)) {
    if (text.size() > 1) text += between;
    text += i < 0 ? "..." : nested_text(views::select(t, 0, i), format, indent + 1, shorten);
  }
  return text + "]";
}

}  // namespace

std::string to_string(const Tensor& t) {
  if (!t.defined()) return "tensor(undefined)";
  const std::string prefix = "tensor(";
  const int indent = static_cast<int>(prefix.size());
  const bool shorten = t.numel() > most_elements;
  std::vector<std::string> notes;
  std::string text = prefix;
  if (t.numel() == 0) {
    text += "[]";
    if (t.dim() != 1) notes.push_back(std::string("size=").append(to_string(t.shape())));
  } else {
    Tensor host = t.detach();
    if (!host.device().is_cpu()) host = host.to(Device::cpu());
    std::vector<Scalar> values;
    collect(host, shorten, values);
    text += nested_text(host, Format(t.dtype(), values), indent, shorten);
  }
  if (t.dtype() != Dtype::f32 && t.dtype() != Dtype::i64 && t.dtype() != Dtype::boolean)
    notes.push_back(std::string("dtype=").append(to_string(t.dtype())));
  if (!t.device().is_cpu()) notes.push_back(std::string("device=").append(to_string(t.device())));
  if (t.requires_grad()) {
    const Node& node = *t.raw()->node;
    notes.push_back(node.leaf ? "requires_grad=True"
                              : std::string("grad_fn=<").append(node.name).append(">"));
  }
  std::size_t column =
      text.size() - (text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  for (const std::string& note : notes) {
    const bool fits = column + note.size() + 2 <= line_width;
    text += fits ? ", " : ",\n";
    if (!fits) text.append(static_cast<std::size_t>(indent), ' ');
    text += note;
    column = fits ? column + note.size() + 2 : static_cast<std::size_t>(indent) + note.size();
  }
  return text + ")";
}

}  // namespace gradus
