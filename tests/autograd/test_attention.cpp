// Attention against its definition, with every kind of mask; rows that see nothing, blocks, splits
// of the batch, threads, dropout, special values and errors.
#include "gradus/autograd/node.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus::testing {
namespace {

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double p,
              bool causal, std::optional<double> scale, bool enable_gqa = false) {
  return scaled_dot_product_attention(q, k, v, mask, p, causal, scale, enable_gqa);
}

/// softmax(q k^T / sqrt(D) + mask) v, op by op.
Tensor by_definition(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& added) {
  Tensor s = matmul(q, k.transpose(-2, -1)) * (1 / std::sqrt(static_cast<double>(q.size(-1))));
  if (added) s = s + added;
  return matmul(softmax(s, -1), v);
}

struct Case {
  Tensor q, k, v, dy;
};
Case make(std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t s, std::int64_t d,
          Dtype dtype = Dtype::f32) {
  return {leaf(uniform({b, h, t, d}, 1, -2, 2, dtype)),
          leaf(uniform({b, h, s, d}, 2, -2, 2, dtype)),
          leaf(uniform({b, h, s, d}, 3, -2, 2, dtype)), uniform({b, h, t, d}, 4, -2, 2, dtype)};
}
std::vector<Tensor> run(const Case& c, const std::function<Tensor(const Case&)>& f) {
  for (const Tensor& t : {c.q, c.k, c.v}) t.set_grad({});
  const Tensor y = f(c);
  y.backward(c.dy);
  return {y, c.q.grad().clone(), c.k.grad().clone(), c.v.grad().clone()};
}
void expect_all_near(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance) {
  for (std::size_t i = 0; i < a.size(); ++i) expect_near(a[i], b[i], tolerance);
}

/// -inf above the diagonal.
Tensor causal_bias(std::int64_t t, std::int64_t s, Dtype dtype) {
  Tensor m = zeros({t, s}, {Dtype::f64});
  for (std::int64_t i = 0; i < t; ++i) {
    for (std::int64_t j = i + 1; j < s; ++j) m.data<double>()[i * s + j] = -INFINITY;
  }
  return as_dtype(m, dtype);
}

TEST(Attention, IsItsDefinition) {
  for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const double tolerance = dtype == Dtype::f64 ? 1e-13 : 3e-5;
    for (const auto& [t, s, d] : {std::tuple{3, 5, 4}, {64, 64, 32}, {300, 77, 20}, {1, 9, 1}}) {
      SCOPED_TRACE(::testing::Message() << t << " " << s << " " << d);
      const Case c = make(2, 3, t, s, d, dtype);
      const auto f = [](const Case& c) { return attend(c.q, c.k, c.v, {}, 0, false, {}); };
      const auto g = [](const Case& c) { return by_definition(c.q, c.k, c.v, {}); };
      expect_all_near(run(c, f), run(c, g), tolerance);
    }
  }
}

TEST(Attention, CausalAndMasksAreAdditionsOfMinusInfinity) {
  const Case c = make(2, 2, 150, 150, 8, Dtype::f64);
  const Tensor bias = causal_bias(150, 150, Dtype::f64), boolean = eq(bias, 0.0);
  const auto expected = run(c, [&](const Case& c) { return by_definition(c.q, c.k, c.v, bias); });
  const auto with = [&](const Tensor& mask, bool causal) {
    return run(c, [&](const Case& c) { return attend(c.q, c.k, c.v, mask, 0, causal, {}); });
  };
  expect_all_near(with({}, true), expected, 1e-13);
  expect_all_near(with(bias, false), expected, 1e-13);
  expect_all_near(with(boolean, false), expected, 1e-13);
  expect_all_near(with(boolean, true), expected, 1e-13);
  // The causal form does not look at later keys at all.
  const Tensor poisoned = c.v.detach().clone();
  for (int i = 0; i < 8; ++i) poisoned.data<double>()[149 * 8 + i] = NAN;
  const Tensor y = attend(c.q.detach(), c.k.detach(), poisoned, {}, 0, true, {});
  EXPECT_TRUE(std::isfinite(values(y)[0]));
}

TEST(Attention, SeveralQueriesShareAHead) {
  const Tensor q = uniform({2, 6, 5, 4}, 1), k = uniform({2, 2, 7, 4}, 2),
               v = uniform({2, 3, 7, 4}, 3);
  const Tensor each_k = cat({k.select(1, 0), k.select(1, 0), k.select(1, 0), k.select(1, 1),
                             k.select(1, 1), k.select(1, 1)})
                            .reshape({6, 2, 7, 4})
                            .transpose(0, 1);
  const Tensor each_v = stack({v, v}, 2).reshape({2, 6, 7, 4});
  expect_same_bits(attend(q, k, v, {}, 0, false, {}, true),
                   attend(q, each_k, each_v, {}, 0, false, {}));
  const auto refused = [&](const Shape& q, const Shape& k, const std::string& word) {
    expect_error(ErrorKind::shape, {"scaled_dot_product_attention", word},
                 [&] { attend(zeros(q), zeros(k), zeros(k), {}, 0, false, {}, true); });
  };
  refused({2, 5, 3, 4}, {2, 2, 3, 4}, "5 heads of q are no multiple of 2");
  refused({3, 4}, {3, 4}, "enable_gqa needs heads");
}

TEST(Attention, QueriesThatSeeNothingGiveZerosAndNoGradient) {
  const Tensor mask =
      from_data(std::vector<float>{-INFINITY, -INFINITY, 0, -INFINITY}.data(), {2, 2}, {});
  for (const Tensor& m : {mask, eq(mask, 0.0)}) {
    const Case c = make(1, 1, 2, 2, 3);
    const auto r = run(c, [&](const Case& c) { return attend(c.q, c.k, c.v, m, 0, false, {}); });
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(r[0].data<float>()[i], 0);
      EXPECT_EQ(r[0].data<float>()[3 + i], c.v.data<float>()[i]);
      EXPECT_EQ(r[3].data<float>()[i], c.dy.data<float>()[3 + i]);
      EXPECT_EQ(r[3].data<float>()[3 + i], 0);
    }
    for (double g : values(r[1])) EXPECT_EQ(g, 0);
  }
}

TEST(Attention, ARowsBitsDependOnNothingButTheRow) {
  const Case c = make(2, 2, 400, 100, 16);
  const Tensor y = attend(c.q, c.k, c.v, {}, 0, false, {});
  for (std::int64_t i : {0, 1, 127, 128, 399}) {
    const Tensor one = attend(c.q.slice(2, i, i + 1), c.k, c.v, {}, 0, false, {});
    expect_same_bits(y.slice(2, i, i + 1), one);
  }
  // Heads inside rows, as projections leave them: the same bits, the same memory order.
  const auto inside = [](const Tensor& t) {
    return leaf(t.detach().transpose(1, 2).clone().transpose(1, 2));
  };
  const Case d{inside(c.q), inside(c.k), inside(c.v), c.dy};
  const auto f = [](const Case& c) { return attend(c.q, c.k, c.v, {}, 0, false, {}); };
  const auto a = run(c, f), b = run(d, f);
  for (std::size_t i = 0; i < a.size(); ++i) expect_same_bits(a[i], b[i]);
  EXPECT_TRUE(b[0].transpose(1, 2).is_contiguous());
}

TEST(Attention, BitsDoNotDependOnThreads) {
  const Case c = make(3, 4, 200, 200, 32);
  expect_same_for_all_threads(
      [&] { return run(c, [](const Case& c) { return attend(c.q, c.k, c.v, {}, 0, true, {}); }); });
}

TEST(Attention, HalfTypesComputeInFloat) {
  const Case c = make(1, 2, 5, 6, 4, Dtype::bf16);
  const auto wide = [](const Tensor& t) { return as_dtype(t.detach(), Dtype::f32); };
  expect_same_bits(
      attend(c.q, c.k, c.v, {}, 0, false, {}),
      as_dtype(attend(wide(c.q), wide(c.k), wide(c.v), {}, 0, false, {}), Dtype::bf16));
}

TEST(Attention, DropoutDropsWeightsAndKeepsTheirMean) {
  const Case c = make(1, 1, 4, 2000, 8, Dtype::f64);
  const Tensor plain = attend(c.q, c.k, c.v, {}, 0, true, {});
  expect_near(attend(c.q, c.k, c.v, {}, 1e-12, true, {}), plain, 1e-11);
  manual_seed(3);
  const Tensor ones_of = ones({1, 1, 2000, 8}, {Dtype::f64});
  const Tensor y = attend(c.q, c.k, ones_of, {}, 0.5, false, {});
  manual_seed(3);
  expect_same_bits(attend(c.q, c.k, ones_of, {}, 0.5, false, {}), y);
  for (double v : values(y)) EXPECT_NEAR(v, 1, 0.3);
  EXPECT_NE(values(y)[0], 1);
  const Tensor never = zeros({4, 2000}, {Dtype::boolean});
  for (double v : values(attend(c.q, c.k, c.v, never, 0.5, false, {}))) EXPECT_EQ(v, 0);
}

TEST(Attention, NanReachesItsRowsAndEmptyInputsWork) {
  const Case c = make(1, 1, 3, 4, 2);
  c.q.detach().data<float>()[2] = NAN;
  const std::vector<double> y = values(attend(c.q, c.k, c.v, {}, 0, false, {}));
  EXPECT_TRUE(std::isfinite(y[0]) && std::isnan(y[2]) && std::isfinite(y[4]));
  const Case none = make(0, 2, 3, 4, 2), keyless = make(1, 2, 3, 0, 2);
  const auto f = [](const Case& c) { return attend(c.q, c.k, c.v, {}, 0, false, {}); };
  EXPECT_EQ(run(none, f)[0].shape(), Shape({0, 2, 3, 2}));
  for (double v : values(run(keyless, f)[0])) EXPECT_EQ(v, 0);
}

TEST(Attention, ErrorsSayWhatDoesNotFit) {
  const auto q = [](Shape s, Dtype d = Dtype::f32) { return zeros(s, {d}); };
  const std::string op = "scaled_dot_product_attention";
  expect_error(ErrorKind::shape, {op, "(2, 3)", "(2, 4)"}, [&] {
    attend(q({2, 3}), q({2, 4}), q({2, 4}), {}, 0, false, {});
  });
  expect_error(ErrorKind::shape, {op, "(5, 3)"}, [&] {
    attend(q({2, 3}), q({4, 3}), q({5, 3}), {}, 0, false, {});
  });
  expect_error(ErrorKind::dtype, {op, "f64"}, [&] {
    attend(q({2, 3}), q({2, 3}, Dtype::f64), q({2, 3}), {}, 0, false, {});
  });
  expect_error(ErrorKind::dtype, {op, "i64"}, [&] {
    attend(q({2, 3}), q({2, 3}), q({2, 3}), q({2, 2}, Dtype::i64), 0, false, {});
  });
  EXPECT_THROW(attend(q({2, 3}), q({2, 3}), q({2, 3}), q({3, 2}), 0, false, {}), Error);
}

}  // namespace
}  // namespace gradus::testing
