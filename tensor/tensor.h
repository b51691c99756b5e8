// The tensor: a small handle to a shaped, strided, typed piece of memory, which may remember how it
// was computed. There is one tensor type: no separate Variable, no Parameter storage, no view type.
//
// Members declared here are defined in the lowest room that can do their work: memory and shapes in
// tensor/, fill, copy and casts in kernels/, everything that autograd records in autograd/.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gradus/tensor/device.h"
#include "gradus/tensor/dims.h"
#include "gradus/tensor/dtype.h"
#include "gradus/tensor/ref.h"
#include "gradus/tensor/scalar.h"
#include "gradus/tensor/shape.h"
#include "gradus/tensor/storage.h"

namespace gradus {

struct ValuesIndices;  // autograd/functions/reduce.h
struct Node;  // autograd/node.h: how a tensor was computed, or a leaf's gradient. Opaque here.
void retain(Node* node) noexcept;
void release(Node* node) noexcept;

struct TensorOptions {
  Dtype dtype = Dtype::f32;
  Device device = Device::cpu();
  bool requires_grad = false;
};

/// What a handle points to. `numel` and `contiguous` follow from shape and strides.
struct TensorBody {
  std::atomic<std::int32_t> references{1};
  Dtype dtype = Dtype::f32;
  bool contiguous = true;
  bool is_view = false;  // made by a view function: writing it in place under autograd is refused
  bool keeps_block = false;   // it lies in a block with a storage that set_data replaced
  Allocator* self = nullptr;  // null: it lies in a block with its storage (block.h)
  Ref<Storage> storage;
  Ref<Node> node;           // null: no gradient wanted
  std::int64_t offset = 0;  // elements
  std::int64_t numel = 0;
  Shape shape;
  Strides strides;
};
void destroy(TensorBody* body) noexcept;
inline void retain(TensorBody* b) noexcept {
  b->references.fetch_add(1, std::memory_order_relaxed);
}
inline void release(TensorBody* b) noexcept {
  if (let_go(b->references)) destroy(b);
}

/// A handle to an n-dimensional array (at most 8 dimensions). Copying a handle shares the data.
/// Semantics, argument order and defaults are PyTorch's unless a line says otherwise.
class Tensor {
 public:
  Tensor() = default;

  // What it is.
  bool defined() const { return static_cast<bool>(body_); }
  /// defined(), of a tensor that has a name. Comparisons give tensors: `if (a == b)` is refused.
  explicit operator bool() const& { return defined(); }
  explicit operator bool() const&& = delete;
  const Shape& shape() const { return body().shape; }
  const Strides& strides() const { return body().strides; }  // in elements
  int dim() const { return body().shape.size(); }
  std::int64_t size(std::int64_t d) const { return shape()[wrap_dim("size", d, dim())]; }
  std::int64_t numel() const { return body().numel; }
  Dtype dtype() const { return body().dtype; }
  Device device() const { return body().storage->device; }
  TensorOptions options() const { return {dtype(), device(), false}; }
  bool is_contiguous() const { return body().contiguous; }
  bool is_floating() const { return gradus::is_floating(dtype()); }

  /// The first element. On CUDA: a device pointer.
  void* data() const {
    return static_cast<char*>(body().storage->data) + body().offset * size_of(body().dtype);
  }
  template <class T>
  T* data() const {
    check(dtype_of<T> == dtype(), ErrorKind::dtype, "data: the tensor is ", dtype(), ", asked for ",
          dtype_of<T>);
    return static_cast<T*>(data());
  }
  template <class T>
  T item() const;  // the only element of a tensor with one; waits for the device
  template <class T>
  std::vector<T> to_vector() const;  // in row-major order, converted to T

  // Copies and conversions (recorded).
  Tensor to(Dtype dtype) const;
  Tensor to(Device device) const;
  Tensor contiguous() const;  // itself if it is
  Tensor clone() const;       // contiguous, own memory
  Tensor detach() const;      // same data, no history

  // Views (recorded): no data is copied.
  Tensor reshape(
      const Shape& shape) const;  // copies if strides do not allow a view; one -1 is inferred
  Tensor view(const Shape& shape) const;  // throws instead
  Tensor permute(const Dims& dims) const;
  Tensor transpose(int a, int b) const;
  Tensor t() const;
  Tensor squeeze() const;
  Tensor squeeze(int dim) const;
  Tensor unsqueeze(int dim) const;
  Tensor flatten(int start = 0, int end = -1) const;
  Tensor unflatten(int dim, const Shape& sizes) const;
  Tensor slice(int dim, std::int64_t start, std::int64_t end, std::int64_t step = 1) const;
  Tensor select(int dim, std::int64_t index) const;
  Tensor operator[](std::int64_t index) const { return select(0, index); }
  Tensor narrow(int dim, std::int64_t start, std::int64_t length) const;
  Tensor expand(const Shape& shape) const;  // -1 keeps a size
  Tensor broadcast_to(const Shape& shape) const { return expand(shape); }
  Tensor unfold(int dim, std::int64_t size, std::int64_t step) const;
  Tensor diagonal(std::int64_t offset = 0, int dim1 = 0, int dim2 = 1) const;
  Tensor movedim(const Dims& source, const Dims& destination) const;  // one or several

  // In place. On a view, or on a tensor whose views are recorded, while a gradient is wanted: an
  // error. A view that was made before the tensor had a history keeps none.
  const Tensor& copy_(const Tensor& source) const;  // broadcasts and converts
  const Tensor& fill_(Scalar value) const;
  const Tensor& zero_() const { return fill_(0); }
  const Tensor& add_(const Tensor& other, double alpha = 1) const;
  const Tensor& add_(Scalar value) const;
  const Tensor& sub_(const Tensor& other, double alpha = 1) const;
  const Tensor& sub_(Scalar value) const;
  const Tensor& mul_(const Tensor& other) const;
  const Tensor& mul_(Scalar value) const;
  const Tensor& div_(const Tensor& other) const;
  const Tensor& div_(Scalar value) const;
  const Tensor& pow_(Scalar exponent) const;
  const Tensor& neg_() const;
  const Tensor& abs_() const;
  const Tensor& square_() const;
  const Tensor& sqrt_() const;
  const Tensor& rsqrt_() const;
  const Tensor& reciprocal_() const;
  const Tensor& exp_() const;
  const Tensor& log_() const;
  const Tensor& tanh_() const;
  const Tensor& sigmoid_() const;
  const Tensor& relu_() const;
  const Tensor& clamp_(std::optional<Scalar> min, std::optional<Scalar> max = {}) const;
  const Tensor& lerp_(const Tensor& end, double weight) const;
  const Tensor& addcmul_(const Tensor& a, const Tensor& b, Scalar value = 1) const;
  const Tensor& addcdiv_(const Tensor& a, const Tensor& b, Scalar value = 1) const;
  const Tensor& masked_fill_(const Tensor& mask, Scalar value) const;

  // What reads best as a method; these and all other functions are free functions, too
  // (autograd/functions.h), which say what the arguments mean.
  Tensor sum() const;
  Tensor sum(const Dims& dims, bool keepdim = false) const;
  Tensor mean() const;
  Tensor mean(const Dims& dims, bool keepdim = false) const;
  Tensor prod() const;
  Tensor var(const Dims& dims = {}, double correction = 1, bool keepdim = false) const;
  Tensor std(const Dims& dims = {}, double correction = 1, bool keepdim = false) const;
  Tensor norm(double p = 2, const Dims& dims = {}, bool keepdim = false) const;
  Tensor amax(const Dims& dims = {}, bool keepdim = false) const;
  Tensor amin(const Dims& dims = {}, bool keepdim = false) const;
  Tensor max() const;
  Tensor min() const;
  ValuesIndices max(int dim, bool keepdim = false) const;
  ValuesIndices min(int dim, bool keepdim = false) const;
  Tensor argmax() const;
  Tensor argmax(int dim, bool keepdim = false) const;
  Tensor argmin() const;
  Tensor argmin(int dim, bool keepdim = false) const;
  Tensor all() const;
  Tensor any() const;
  Tensor cumsum(int dim) const;
  Tensor add(const Tensor& other, Scalar alpha = 1) const;
  Tensor sub(const Tensor& other, Scalar alpha = 1) const;
  Tensor mul(const Tensor& other) const;
  Tensor div(const Tensor& other) const;
  Tensor matmul(const Tensor& other) const;
  Tensor softmax(int dim) const;
  Tensor log_softmax(int dim) const;
  Tensor exp() const;
  Tensor log() const;
  Tensor sqrt() const;
  Tensor rsqrt() const;
  Tensor abs() const;
  Tensor neg() const;
  Tensor square() const;
  Tensor reciprocal() const;
  Tensor pow(Scalar exponent) const;
  Tensor sin() const;
  Tensor cos() const;
  Tensor floor() const;
  Tensor ceil() const;
  Tensor round() const;
  Tensor isnan() const;
  Tensor tanh() const;
  Tensor sigmoid() const;
  Tensor relu() const;
  Tensor clamp(std::optional<Scalar> min, std::optional<Scalar> max = {}) const;
  Tensor eq(const Tensor& other) const;
  Tensor ne(const Tensor& other) const;
  Tensor lt(const Tensor& other) const;
  Tensor le(const Tensor& other) const;
  Tensor gt(const Tensor& other) const;
  Tensor ge(const Tensor& other) const;
  Tensor eq(Scalar other) const;
  Tensor ne(Scalar other) const;
  Tensor lt(Scalar other) const;
  Tensor le(Scalar other) const;
  Tensor gt(Scalar other) const;
  Tensor ge(Scalar other) const;
  Tensor masked_fill(const Tensor& mask, Scalar value) const;
  Tensor gather(int dim, const Tensor& index) const;
  Tensor index_select(int dim, const Tensor& index) const;
  std::vector<Tensor> split(std::int64_t size, int dim = 0) const;
  std::vector<Tensor> chunk(std::int64_t chunks, int dim = 0) const;

  // Autograd.
  bool requires_grad() const { return static_cast<bool>(body().node); }
  bool is_leaf() const;
  const Tensor& set_requires_grad(bool on) const;
  /// The gradient summed since zero_grad(); undefined if none was written since. One buffer for as
  /// long as the leaf lives: the backward after zero_grad() writes it again, so clone() what is to
  /// be compared with a later one.
  Tensor grad() const;
  /// Of the same shape and device; of any floating dtype, which an optimizer takes as it is.
  void set_grad(const Tensor& grad) const;
  void zero_grad() const;
  /// Fills grad() of the leaves this depends on. Without `dy` this must have one element.
  void backward() const;
  void backward(const Tensor& dy, bool retain_graph = false) const;
  /// `f(gradient)` may return a replacement of its shape, or an undefined tensor. Returns a key for
  /// remove_hook.
  int register_hook(std::function<Tensor(const Tensor&)> f) const;
  void remove_hook(int key) const;

  // For the rooms above; programs do not need them.
  TensorBody* raw() const { return body_.get(); }
  explicit Tensor(Ref<TensorBody> body) : body_(std::move(body)) {}
  void bump_version() const { body().storage->version.fetch_add(1, std::memory_order_relaxed); }
  /// Makes every handle of this tensor mean `other`'s data, shape and type (module moves and
  /// loads).
  void set_data(const Tensor& other) const;
  /// True if no other handle and no other tensor can see this memory.
  bool is_sole_owner() const {
    return body().references.load(std::memory_order_relaxed) == 1 &&
           body().storage->references.load(std::memory_order_acquire) == 1 &&
           body().storage->allocator != nullptr;
  }

 private:
  TensorBody& body() const {
    if (!body_) [[unlikely]]
      raise(ErrorKind::argument, {"an undefined tensor was used"});
    return *body_;
  }
  Ref<TensorBody> body_;
};

/// "tensor([1.0000, 2.5000], dtype=f64)": values as PyTorch prints them, long ones shortened with
/// dots.
std::string to_string(const Tensor& t);

// Making tensors. Data is row-major.
Tensor empty(const Shape& shape, TensorOptions options = {});  // uninitialised
Tensor empty_strided(const Shape& shape, const Strides& strides, TensorOptions options = {});
/// Uninitialised, in the dense memory order of `t` (so NHWC stays NHWC), or row-major if `t` is not
/// dense.
Tensor empty_like(const Tensor& t);
Tensor empty_like(const Tensor& t, Dtype dtype);
Tensor from_data(const void* data, const Shape& shape,
                 TensorOptions options = {});  // copies from the host
/// Uses foreign memory without copying; `release` is called when the last tensor lets go of it.
Tensor from_external(void* data, const Shape& shape, const Strides& strides, TensorOptions options,
                     std::function<void()> release = {});

/// A tensor over `base`'s memory with its own shape, strides and offset (elements from base's
/// storage). Not recorded: the building stone of the views.
Tensor as_view(const Tensor& base, const Shape& shape, const Strides& strides, std::int64_t offset);

}  // namespace gradus
