#include "gradus/nn/sequential.h"

#include "gradus/autograd/anomaly.h"

namespace gradus::nn {

Module& ModuleList::operator[](std::int64_t i) const {
  const std::int64_t n = static_cast<std::int64_t>(modules_.size());
  check(i >= -n && i < n, ErrorKind::argument, name(), ": no module ", i, " among ", n);
  return modules_[static_cast<std::size_t>(i < 0 ? i + n : i)].get();
}

void ModuleList::wrong_type(std::int64_t i) const {
  raise(ErrorKind::argument, {name(), ": module ", i, " is a ", (*this)[i].name()});
}

void ModuleList::visit(Visitor& v) {
  for (std::size_t i = 0; i < modules_.size(); ++i) v(std::to_string(i), modules_[i].get());
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (std::size_t i = 0; i < size(); ++i) {
    Module& module = (*this)[static_cast<std::int64_t>(i)];
    const AnomalyPlace place(&module);
    y = module(y);
  }
  return y;
}

}  // namespace gradus::nn
