// einsum, as a chain of batched matrix products over aligned operands.
#include <algorithm>
#include <string>

#include "gradus/autograd/functions.h"

namespace gradus {
namespace {

constexpr auto einsum_name = "einsum";

/// A tensor whose dimensions have names: letters, or '0' ... '7' for those of "...", counted from
/// the right.
struct Named {
  Tensor t;
  std::string names;

  int at(char name) const { return static_cast<int>(names.find(name)); }
  bool has(char name) const { return names.find(name) != std::string::npos; }
  std::int64_t size(char name) const { return has(name) ? t.size(at(name)) : 1; }
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// "ij...k" for a tensor of `dims` dimensions (-1: as many as letters and `dots`).
std::string names_of(std::string_view term, int dims, int& dots) {
  std::string names;
  const std::size_t at = term.find("...");
  const int letters = static_cast<int>(std::count_if(term.begin(), term.end(), is_letter));
  const bool has_dots = at != std::string_view::npos;
  const int covered = dims < 0 ? dots : dims - letters;
  check(covered >= 0 && (has_dots || covered == 0 || dims < 0), ErrorKind::shape, einsum_name,
        ": \"", term, "\" does not name the ", dims, " dimensions of its operand");
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (has_dots && i == at) {
      for (int d = covered - 1; d >= 0; --d) names += static_cast<char>('0' + d);
      i += 2;
      continue;
    }
    check(is_letter(term[i]), ErrorKind::argument, einsum_name, ": unexpected character '",
          std::string(1, term[i]), "' in \"", term, "\"");
    names += term[i];
  }
  if (has_dots) dots = std::max(dots, covered);
  return names;
}

/// Without letters that occur twice: their diagonals.
Named with_diagonals(Named x) {
  for (std::size_t i = 0; i < x.names.size(); ++i) {
    const std::size_t again = x.names.find(x.names[i], i + 1);
    if (again == std::string::npos) continue;
    const int a = static_cast<int>(i), b = static_cast<int>(again);
    check(x.t.size(a) == x.t.size(b), ErrorKind::shape, einsum_name, ": the two dimensions '",
          std::string(1, x.names[i]), "' of an operand differ: ", x.t.size(a), " and ",
          x.t.size(b));
    x.t = x.t.diagonal(0, a, b);  // the diagonal comes last
    const char name = x.names[i];
    x.names.erase(again, 1);
    x.names.erase(i, 1);
    x.names += name;
    return with_diagonals(std::move(x));
  }
  return x;
}

/// Summed over all names but `wanted`.
Named summed(Named x, const std::string& wanted) {
  std::vector<int> dims;
  std::string names;
  for (std::size_t i = 0; i < x.names.size(); ++i) {
    if (wanted.find(x.names[i]) == std::string::npos)
      dims.push_back(static_cast<int>(i));
    else
      names += x.names[i];
  }
  if (dims.empty()) return x;
  return {sum(x.t, dims), names};
}

/// Dimensions in the order of `names`, of size 1 where x has none.
Tensor ordered(const Named& x, const std::string& names) {
  std::vector<int> order;
  Shape shape;
  for (char name : names) {
    if (x.has(name)) order.push_back(x.at(name));
    shape.push_back(x.size(name));
  }
  return x.t.permute(order).reshape(shape);
}

/// The sum over the names of both that `wanted` has not.
Named joined(Named a, Named b, const std::string& wanted) {
  a = summed(std::move(a), wanted + b.names);
  b = summed(std::move(b), wanted + a.names);
  std::string batch, rows, inner, columns;
  for (char name : a.names) {
    const bool in_b = b.has(name);
    if (!in_b)
      rows += name;
    else if (wanted.find(name) != std::string::npos)
      batch += name;
    else
      inner += name;
  }
  for (char name : b.names) {
    if (!a.has(name)) columns += name;
  }
  // A dimension of size 1 in one of the two is stretched.
  const auto stretched = [](Named& x, const Named& other) {
    Shape shape = x.t.shape();
    for (std::size_t i = 0; i < x.names.size(); ++i) {
      const int d = static_cast<int>(i);
      const std::int64_t size = other.size(x.names[i]);
      if (shape[d] == 1) shape[d] = size;
      check(shape[d] == size || size == 1, ErrorKind::shape, einsum_name, ": dimension '",
            std::string(1, x.names[i]), "' has size ", shape[d], " in one operand and ", size,
            " in another");
    }
    x.t = x.t.expand(shape);
  };
  stretched(a, b);
  stretched(b, a);
  const auto volume = [](const Named& x, const std::string& names) {
    std::int64_t n = 1;
    for (char name : names) n *= x.size(name);
    return n;
  };
  const std::int64_t n = volume(a, batch), k = volume(a, inner);
  const Tensor left = ordered(a, batch + rows + inner).reshape({n, volume(a, rows), k});
  const Tensor right = ordered(b, batch + inner + columns).reshape({n, k, volume(b, columns)});
  Shape shape;
  for (char name : batch + rows) shape.push_back(a.size(name));
  for (char name : columns) shape.push_back(b.size(name));
  return {matmul(left, right).reshape(shape), batch + rows + columns};
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  std::string text;
  std::copy_if(equation.begin(), equation.end(), std::back_inserter(text),
               [](char c) { return c != ' '; });
  const std::size_t arrow = text.find("->");
  const std::string inputs = text.substr(0, arrow);
  check(!operands.empty(), ErrorKind::argument, einsum_name, ": no operands given");
  std::vector<Named> parts;
  int dots = 0;
  for (std::size_t at = 0; at <= inputs.size();) {
    const std::size_t end = std::min(inputs.find(',', at), inputs.size());
    check(parts.size() < operands.size(), ErrorKind::argument, einsum_name, ": \"", equation,
          "\" names more than ", operands.size(), " operands");
    const Tensor& t = operands[parts.size()];
    parts.push_back({t, names_of(std::string_view(inputs).substr(at, end - at), t.dim(), dots)});
    at = end + 1;
  }
  check(parts.size() == operands.size(), ErrorKind::argument, einsum_name, ": \"", equation,
        "\" names ", parts.size(), " operands, got ", operands.size());
  std::string wanted;
  if (arrow != std::string::npos) {
    wanted = names_of(std::string_view(text).substr(arrow + 2), -1, dots);
  } else {
    for (int d = dots - 1; d >= 0; --d) wanted += static_cast<char>('0' + d);
    for (int c = 'A'; c <= 'z'; ++c) {
      std::ptrdiff_t times = 0;
      for (const Named& p : parts) times += std::count(p.names.begin(), p.names.end(), c);
      if (times == 1 && is_letter(static_cast<char>(c))) wanted += static_cast<char>(c);
    }
  }
  for (char name : wanted) {
    const bool known =
        std::any_of(parts.begin(), parts.end(), [&](const Named& p) { return p.has(name); });
    check(known && std::count(wanted.begin(), wanted.end(), name) == 1, ErrorKind::argument,
          einsum_name, ": '", std::string(1, name),
          "' of the result is in no operand, or there twice");
  }
  for (Named& p : parts) p = with_diagonals(std::move(p));
  Named result = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    std::string later = wanted;  // what must be kept for the operands to come
    for (std::size_t j = i + 1; j < parts.size(); ++j) later += parts[j].names;
    result = joined(std::move(result), parts[i], later);
  }
  return ordered(summed(std::move(result), wanted), wanted);
}

}  // namespace gradus
