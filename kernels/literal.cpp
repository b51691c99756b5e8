#include "gradus/kernels/literal.h"

#include <algorithm>

#include "gradus/kernels/create.h"

namespace gradus {

NestedValues::NestedValues(std::initializer_list<NestedValues> rows)
    : shape_{static_cast<std::int64_t>(rows.size())} {
  if (rows.size() == 0) return;
  for (std::int64_t n : rows.begin()->shape_) shape_.push_back(n);
  for (const NestedValues& row : rows) {
    check(row.shape_ == rows.begin()->shape_, ErrorKind::shape,
          "tensor: rows of different shapes: ", rows.begin()->shape_, " and ", row.shape_);
    values_.insert(values_.end(), row.values_.begin(), row.values_.end());
  }
}

Tensor tensor(const NestedValues& values) {
  const auto all = [&](auto is) {
    return !values.values().empty() &&
           std::all_of(values.values().begin(), values.values().end(), is);
  };
  if (all([](const Scalar& v) { return v.dtype() == Dtype::boolean; }))
    return tensor(values, {Dtype::boolean});
  if (all([](const Scalar& v) { return !v.is_real(); })) return tensor(values, {Dtype::i64});
  return tensor(values, {Dtype::f32});
}

Tensor tensor(const NestedValues& values, TensorOptions options) {
  Tensor t = empty(values.shape(), {options.dtype});
  const bool integers = !is_floating(options.dtype);
  const Tensor wide = empty(values.shape(), {integers ? Dtype::i64 : Dtype::f64});
  for (std::size_t i = 0; i < values.values().size(); ++i) {
    const Scalar& v = values.values()[i];
    if (integers && v.is_real())
      wide.data<std::int64_t>()[i] = static_cast<std::int64_t>(v.real());
    else if (integers)
      wide.data<std::int64_t>()[i] = v.integer();
    else
      wide.data<double>()[i] = v.real();
  }
  copy_into(wide, t);
  if (!options.device.is_cpu()) t = t.to(options.device);
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

}  // namespace gradus
