// Lengths, angles, and the losses of pairs of vectors: compositions, each a few ops.
#include "gradus/autograd/functions/distance.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions/pointwise.h"
#include "gradus/autograd/reduced.h"

namespace gradus {
namespace {

struct Two {
  Tensor a, b;
};
Two broadcast(const char* op, const Tensor& a, const Tensor& b) {
  if (a.shape() == b.shape()) return {a, b};
  const Shape shape = broadcast_shapes(op, a.shape(), b.shape());
  return {a.expand(shape), b.expand(shape)};
}

}  // namespace

Tensor normalize(const Tensor& x, double p, int dim, double eps) {
  return x / clamp(norm(x, p, dim, true), eps);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int dim, double eps) {
  const Two v = broadcast("cosine_similarity", a, b);
  const Tensor lengths = clamp(norm(v.a, 2, dim), eps) * clamp(norm(v.b, 2, dim), eps);
  return sum(v.a * v.b, dim) / lengths;
}

Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keepdim) {
  return norm(a - b + eps, p, -1, keepdim);
}

Tensor cosine_embedding_loss(const Tensor& left, const Tensor& right, const Tensor& target,
                             double margin, Reduction reduction) {
  const Tensor a = widened(left), b = widened(right);
  constexpr auto op = "cosine_embedding_loss";
  check(a.dim() == target.dim() + 1 && b.dim() == a.dim() && a.dim() <= 2, ErrorKind::shape, op,
        ": expected a and b (N, D) with target (N), or (D) with (), got ", a.shape(), ", ",
        b.shape(), " and ", target.shape());
  // Lengths as PyTorch has them here: sqrt((|a|^2 + eps) (|b|^2 + eps)).
  constexpr double eps = 1e-12;
  const Tensor squares = (sum(square(a), -1) + eps) * (sum(square(b), -1) + eps);
  const Tensor cosine = sum(a * b, -1) / sqrt(squares);
  const Tensor apart = where(eq(target, -1), clamp(cosine - margin, 0), 0);
  return reduced(op, where(eq(target, 1), 1 - cosine, apart), reduction);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin, double p, double eps, bool swap, Reduction reduction) {
  constexpr auto op = "triplet_margin_loss";
  check(margin > 0, ErrorKind::argument, op, ": expected margin > 0, got ", margin);
  const Tensor a = widened(anchor), b = widened(positive), c = widened(negative);
  const Tensor near = pairwise_distance(a, b, p, eps);
  Tensor far = pairwise_distance(a, c, p, eps);
  if (swap) far = minimum(far, pairwise_distance(b, c, p, eps));
  return reduced(op, clamp(near - far + margin, 0), reduction);
}

}  // namespace gradus
