#include "gradus/tensor/dlpack.h"

#include <memory>

#include "gradus/tensor/dlpack_abi.h"

namespace gradus {
namespace {

DLDataType type_of(Dtype dtype) {
  const auto bits = static_cast<std::uint8_t>(8 * size_of(dtype));
  switch (dtype) {
    case Dtype::bf16: return {kDLBfloat, bits, 1};
    case Dtype::i32:
    case Dtype::i64: return {kDLInt, bits, 1};
    case Dtype::u8: return {kDLUInt, bits, 1};
    case Dtype::boolean: return {kDLBool, bits, 1};
    default: return {kDLFloat, bits, 1};
  }
}

Dtype dtype_of_type(DLDataType type) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16, Dtype::i32, Dtype::i64,
                            Dtype::u8, Dtype::boolean}) {
    const DLDataType known = type_of(dtype);
    if (known.code == type.code && known.bits == type.bits && type.lanes == 1) return dtype;
  }
  raise(ErrorKind::dtype, {"from_dlpack: no dtype for DLPack's type code ", int{type.code}, ", ",
                           int{type.bits}, " bits, ", int{type.lanes}, " lanes"});
}

Device device_of(DLDevice device) {
  if (device.device_type == kDLCPU || device.device_type == kDLCUDAHost) return Device::cpu();
  const bool cuda = device.device_type == kDLCUDA || device.device_type == kDLCUDAManaged;
  check(cuda && device.device_id >= 0 && device.device_id < cuda_device_count(),
        ErrorKind::unsupported, "from_dlpack: DLPack's device type ", device.device_type,
        ", index ", device.device_id, " cannot be used here");
  return Device::cuda(device.device_id);
}

/// What an exported tensor needs: a handle that keeps the memory, and the sizes it points to.
struct Exported {
  DLManagedTensor managed;
  Tensor tensor;
  std::int64_t shape[Shape::max_dims], strides[Shape::max_dims];
};

struct CallDeleter {
  void operator()(DLManagedTensor* m) const {
    if (m->deleter != nullptr) m->deleter(m);
  }
};

}  // namespace

DLManagedTensor* to_dlpack(const Tensor& t) {
  check(t.defined(), ErrorKind::argument, "to_dlpack: an undefined tensor");
  check(!t.requires_grad(), ErrorKind::argument,
        "to_dlpack: the tensor requires a gradient, which the other side would not see; use "
        "detach()");
  auto* e = new Exported;
  e->tensor = t.detach();  // a handle of its own: set_data() on `t` does not reach it
  for (int d = 0; d < t.dim(); ++d) {
    e->shape[d] = t.shape()[d];
    e->strides[d] = t.strides()[d];
  }
  DLTensor& dl = e->managed.dl_tensor;
  dl.data = t.data();
  dl.device = t.device().is_cpu() ? DLDevice{kDLCPU, 0} : DLDevice{kDLCUDA, t.device().index()};
  dl.ndim = t.dim();
  dl.dtype = type_of(t.dtype());
  dl.shape = e->shape;
  dl.strides = e->strides;
  dl.byte_offset = 0;
  e->managed.manager_ctx = e;
  e->managed.deleter = [](DLManagedTensor* m) { delete static_cast<Exported*>(m->manager_ctx); };
  return &e->managed;
}

Tensor from_dlpack(DLManagedTensor* managed) {
  check(managed != nullptr, ErrorKind::argument, "from_dlpack: a null pointer");
  // From here on the deleter is called, whatever happens; the last tensor's release owns it.
  std::shared_ptr<DLManagedTensor> owner(managed, CallDeleter{});
  const DLTensor& dl = managed->dl_tensor;
  check(dl.ndim >= 0 && dl.ndim <= Shape::max_dims, ErrorKind::argument, "from_dlpack: ", dl.ndim,
        " dimensions, at most ", Shape::max_dims);
  const Dtype dtype = dtype_of_type(dl.dtype);
  const Device device = device_of(dl.device);
  Shape shape;
  for (int d = 0; d < dl.ndim; ++d) {
    check(dl.shape[d] >= 0, ErrorKind::shape, "from_dlpack: negative size ", dl.shape[d]);
    shape.push_back(dl.shape[d]);
  }
  checked_numel("from_dlpack", shape);  // before strides are multiplied
  Strides strides = contiguous_strides(shape);
  for (int d = 0; d < dl.ndim && dl.strides != nullptr; ++d) {
    check(dl.strides[d] >= 0 || shape[d] <= 1, ErrorKind::shape, "from_dlpack: negative stride ",
          dl.strides[d]);
    if (shape[d] > 1) strides[d] = dl.strides[d];  // others are never used
  }
  void* data = static_cast<char*>(dl.data) + dl.byte_offset;
  return from_external(data, shape, strides, {dtype, device}, [owner] {});
}

}  // namespace gradus
