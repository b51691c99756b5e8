// The chapter on functions.
#include "names.h"

using namespace gradus;

static void pointwise() {
  const Tensor x = rand({2, 4}) * 0.5 + 0.1, y = rand({2, 4}) * 0.5 + 0.1, b = x > 0.3;
  use(add(x, y), add(x, y, 2.0), sub(x, y), sub(x, y, 2.0), mul(x, y), mul(x, 2), div(x, y));
  use(neg(x), abs(x), sign(x), pow(x, 2), pow(x, y), pow(2, x), square(x), sqrt(x), rsqrt(x));
  use(reciprocal(x), exp(x), exp2(x), expm1(x), log(x), log2(x), log10(x), log1p(x), sin(x));
  use(cos(x), tan(x), asin(x), acos(x), atan(x), atan2(x, y), sinh(x), cosh(x), tanh(x), erf(x));
  use(erfc(x), floor(x), ceil(x), round(x), trunc(x), fmod(x, y), fmod(x, 2), remainder(x, y));
  use(remainder(x, 2), maximum(x, y), minimum(x, y), fmax(x, y), fmin(x, y), clamp(x, 0, 1));
  use(clamp(x, 0.0), clamp(x, {}, 1), where(b, x, y), isnan(x), isinf(x), isfinite(x));
  use(nan_to_num(x), eq(x, y), ne(x, 1), lt(x, y), le(x, y), gt(x, y), ge(x, y), lerp(x, y, 0.5));
  use(logical_and(b, b), logical_or(b, b), logical_not(b), addcmul(x, y, y, 2.0), hypot(x, y));
  use(addcmul(x, y, y), addcdiv(x, y, y));

  use(relu(x), leaky_relu(x), leaky_relu(x, 0.1), elu(x), selu(x), celu(x), gelu(x), silu(x));
  use(gelu(x, "tanh"), mish(x), softplus(x), softplus(x, 1, 20), softsign(x), sigmoid(x));
  use(logsigmoid(x), hardtanh(x), hardtanh(x, -1, 1), hardsigmoid(x), hardswish(x), relu6(x));
  use(glu(x), glu(x, 1), prelu(x, full({1}, 0.25)), threshold(x, 0.1, 20));
}

static void reductions() {
  const Tensor x = rand({2, 4}), b = x > 0.3;
  use(sum(x), sum(x, 1), sum(x, {0, 1}, true), mean(x), mean(x, 1, true), prod(x), prod(x, 1));
  use(amax(x, 1), amin(x, {0, 1}), argmax(x), argmax(x, 1), argmin(x, 1, true), max(x), min(x));
  const auto [values, indices] = max(x, 1);
  EXPECT(indices.dtype() == Dtype::i64 && values.shape() == Shape({2}));
  use(min(x, 1, true).values, var(x), var(x, 1), gradus::std(x, 1), norm(x), norm(x, 2, 1));
  use(logsumexp(x, 1), all(b), any(b, 1), cumsum(x, 1), cumprod(x, 1));
  use(x.sum(), x.sum(1), x.mean(), x.mean(1), x.max(), x.argmax(1), x.matmul(x.t()), x.abs());
}

static void shape_and_index() {
  const Tensor x = rand({2, 4}), y = rand({2, 4}), i = tensor({{0, 1}, {1, 0}}), line = x[0];
  use(cat({x, y}), cat({x, y}, 1), stack({x, y}), stack({x, y}, 1), split(x, 2, 1));
  use(split(x, {1, 3}, 1), chunk(x, 2, 1), unbind(x), flip(x, {0}), roll(x, 1), roll(x, 1, 0));
  use(roll(x, {1, 2}, {0, 1}), repeat(x, {2, 2}), repeat_interleave(x, 2, 0), tile(x, {2}));
  use(pad(x, {1, 1}), pad(x, {1, 1}, "constant", 0.5), pad(x, {1, 1}, "reflect"));
  use(pad(x, {1, 1}, "replicate"), pad(x, {1, 1}, "circular"), tril(x), triu(x, -1), diag(line));
  use(gather(x, 1, i), scatter(x, 1, i, y), scatter_add(x, 1, i, y), index_select(x, 1, i[0]));
  use(index_add(x, 0, i[0], y), index_put(x, {i[0]}, y), masked_fill(x, x > 0.5, 0));
  use(masked_select(x, x > 0.5), take_along_dim(x, i, 1), one_hot(i), one_hot(i, 3), nonzero(x));
  use(topk(x, 2).indices, sort(x).values, sort(x, 1, true).values, meshgrid({line, line}));

  use(matmul(x, y.t()), mm(x, y.t()), bmm(rand({2, 3, 4}), rand({2, 4, 3})), mv(x, line));
  use(dot(line, line), outer(line, line), addmm(ones({2, 2}), x, y.t(), 0.5, 2));
  use(addmm(ones({2, 2}), x, y.t()), baddbmm(ones({3, 3}), rand({2, 3, 4}), rand({2, 4, 3})));
  use(einsum("ij,jk->ik", {rand({2, 3}), rand({3, 4})}), rfft(rand({6})), irfft(rand({4, 2})));
  use(svdvals(rand({3, 2})));
  use(linear(x, rand({3, 4})), linear(x, rand({3, 4}), rand({3})));
}

static void layers() {
  const Tensor x = rand({2, 4}), w = ones({4}), b = zeros({4}), i = tensor({{0, 1}, {1, 0}});
  use(softmax(x, 1), log_softmax(x, -1), dropout(x), dropout(x, 0.1, true));
  use(embedding(i, rand({5, 3})), embedding(i, rand({5, 3}), 0), layer_norm(x, {4}));
  use(layer_norm(x, {4}, w, b, 1e-5), rms_norm(x, {4}), rms_norm(x, {4}, w, 1e-5));
  use(group_norm(x, 2), group_norm(x, 2, w, b, 1e-5), batch_norm(x, b, w));
  use(batch_norm(x, b, w, w, b, true, 0.1, 1e-5));
  const Tensor image = randn({1, 2, 6, 6}), line = randn({1, 2, 8}), q = randn({1, 2, 4, 8});
  use(conv1d(line, randn({3, 2, 3})), conv1d(line, randn({3, 2, 3}), zeros({3}), 1, 1, 1, 1));
  use(conv2d(image, randn({3, 2, 3, 3})), conv2d(image, randn({3, 2, 3, 3}), {}, {1, 2}, {1, 0}));
  use(conv2d(image, randn({4, 1, 3, 3}), zeros({4}), 1, 1, 1, 2), max_pool1d(line, 2));
  use(conv2d(image, randn({3, 2, 3, 3}), {}, 1, "same"), conv2d(image, image, {}, 1, "valid"));
  use(max_pool2d(image, 2), max_pool2d(image, {2, 3}, 2, 0, 1, false), avg_pool1d(line, 2));
  const auto [largest, where_it_is] = max_pool2d_with_indices(image, 2);
  EXPECT(max_unpool2d(largest, where_it_is, 2).shape() == image.shape());
  use(max_unpool1d(line, max_pool1d_with_indices(line, 1).indices, 1));
  use(avg_pool2d(image, 2), adaptive_avg_pool2d(image, {1, 1}), adaptive_avg_pool2d(image, 1));
  use(adaptive_max_pool2d(image, 2), instance_norm(image), interpolate(image, Pair{12, 12}));
  use(conv3d(randn({1, 2, 3, 4, 4}), randn({3, 2, 2, 2, 2})), unfold(image, 2, 1, 1, {2, 1}));
  use(conv_transpose1d(line, randn({2, 3, 3}), zeros({3}), 2, 1, 1));
  use(conv_transpose2d(image, randn({2, 3, 3, 3}), {}, 2, {1, 1}, 1, 1, 1));
  use(pixel_shuffle(randn({1, 4, 2, 2}), 2), normalize(x), cosine_similarity(x, x));
  use(scaled_dot_product_attention(q, q, q));
  use(scaled_dot_product_attention(q, q, q, {}, 0.0, /*is_causal=*/true));
}

static void losses() {
  const Tensor x = rand({2, 4}), y = rand({2, 4}), labels = tensor({0, 1});
  use(cross_entropy(x, labels), cross_entropy(x, labels, ones({4}), -100, "sum", 0.1));
  const Tensor target = rand({2, 4}).set_requires_grad(true);
  cross_entropy(x, softmax(target, 1)).backward();
  EXPECT(target.grad().defined());
  use(nll_loss(log_softmax(x, 1), labels), mse_loss(x, y), mse_loss(x, y, Reduction::none));
  use(l1_loss(x, y), smooth_l1_loss(x, y), huber_loss(x, y), bce(x, y), bce_with_logits(x, y));
  use(kl_div(x, y), cosine_embedding_loss(x, y, tensor({1, -1})), triplet_margin_loss(x, y, y));
}

void functions() {
  pointwise();
  reductions();
  shape_and_index();
  layers();
  losses();
}
