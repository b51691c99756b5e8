#include "gradus/autograd/functions/random.h"

#include "gradus/autograd/record.h"

namespace gradus {
namespace {

Tensor apply_dropout(const Draw& draw, double p, const Tensor& x) {
  Tensor y = empty_like(x);
  dispatch<cpu::dropout, cuda::dropout>(x.device(), draw, p, x, y);
  return y;
}

/// What an in-place write needs before and after: the check, and a new version without history.
template <class Fill>
const Tensor& overwrite(const char* op, const Tensor& t, Generator* generator, Fill&& fill) {
  check_in_place(op, t, false);
  fill(generator != nullptr ? generator->next() : next_draw(Stream::user, t.shape()));
  t.bump_version();
  if (!t.is_leaf()) t.raw()->node = {};
  return t;
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training) {
  check(p >= 0 && p <= 1, ErrorKind::argument, "dropout: probability ", p, " is not in [0, 1]");
  if (!training || p == 0) return x;
  const Draw draw = next_draw(Stream::module, x.shape());
  return record("dropout", apply_dropout(draw, p, x), on(x), keep(),
                [draw, p](const Tensor& dy, GradOut dx) { dx.give(apply_dropout(draw, p, dy)); });
}

const Tensor& uniform_(const Tensor& t, double low, double high) {
  return overwrite("uniform", t, nullptr, [&](const Draw& d) { fill_uniform(t, low, high, d); });
}
const Tensor& uniform_(const Tensor& t, double low, double high, Generator& generator) {
  return overwrite("uniform", t, &generator, [&](const Draw& d) { fill_uniform(t, low, high, d); });
}

const Tensor& normal_(const Tensor& t, double mean, double deviation) {
  return overwrite("normal", t, nullptr,
                   [&](const Draw& d) { fill_normal(t, mean, deviation, d); });
}
const Tensor& normal_(const Tensor& t, double mean, double deviation, Generator& generator) {
  return overwrite("normal", t, &generator,
                   [&](const Draw& d) { fill_normal(t, mean, deviation, d); });
}

const Tensor& trunc_normal_(const Tensor& t, double mean, double deviation, double low,
                            double high) {
  return overwrite("trunc_normal", t, nullptr,
                   [&](const Draw& d) { fill_trunc_normal(t, mean, deviation, low, high, d); });
}
const Tensor& trunc_normal_(const Tensor& t, double mean, double deviation, double low, double high,
                            Generator& generator) {
  return overwrite("trunc_normal", t, &generator,
                   [&](const Draw& d) { fill_trunc_normal(t, mean, deviation, low, high, d); });
}

}  // namespace gradus
