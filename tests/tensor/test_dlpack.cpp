// DLPack both ways: round trips without a copy, one call of each deleter, and refusals.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/dlpack.h"
#include "gradus/tensor/dlpack_abi.h"

namespace gradus {
namespace {

/// A tensor of another library: counts how often it is given back.
struct Foreign {
  std::vector<float> values;
  std::vector<std::int64_t> shape, strides;
  int deleted = 0;
  DLManagedTensor managed{};

  Foreign(std::vector<std::int64_t> sizes, std::vector<std::int64_t> steps)
      : values(64), shape(std::move(sizes)), strides(std::move(steps)) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    managed.dl_tensor = {values.data(),
                         {kDLCPU, 0},
                         static_cast<std::int32_t>(shape.size()),
                         {kDLFloat, 32, 1},
                         shape.data(),
                         strides.empty() ? nullptr : strides.data(),
                         0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor* m) { ++static_cast<Foreign*>(m->manager_ctx)->deleted; };
  }
};

ErrorKind refusal(Foreign& foreign) {
  try {
    from_dlpack(&foreign.managed);
  } catch (const Error& e) {
    EXPECT_EQ(foreign.deleted, 1) << "a tensor that is refused is given back";
    return e.kind();
  }
  ADD_FAILURE() << "not refused";
  return ErrorKind::internal;
}

TEST(Dlpack, ForeignMemoryIsUsedWithItsStridesAndGivenBackOnce) {
  Foreign foreign({2, 3}, {1, 4});
  foreign.managed.dl_tensor.byte_offset = 8;
  {
    Tensor view;
    {
      const Tensor t = from_dlpack(&foreign.managed);
      EXPECT_EQ(t.shape(), Shape({2, 3}));
      EXPECT_EQ(t.strides(), Shape({1, 4}));
      EXPECT_EQ(t.to_vector<float>(), (std::vector<float>{2, 6, 10, 3, 7, 11}));
      EXPECT_EQ(static_cast<void*>(t.data<float>()), &foreign.values[2]);
      view = t.select(1, 2);
    }
    EXPECT_EQ(foreign.deleted, 0) << "a view still reads the memory";
    foreign.values[10] = -1;
    EXPECT_EQ(view.to_vector<float>(), (std::vector<float>{-1, 11}));
  }
  EXPECT_EQ(foreign.deleted, 1);
}

TEST(Dlpack, NullStridesAreRowMajorAndNoDeleterIsNobodyToTell) {
  Foreign foreign({2, 2}, {});
  foreign.managed.deleter = nullptr;
  const Tensor t = from_dlpack(&foreign.managed);
  EXPECT_TRUE(t.is_contiguous());
  EXPECT_EQ(t.to_vector<float>(), (std::vector<float>{0, 1, 2, 3}));
  Foreign scalar({}, {});
  EXPECT_EQ(from_dlpack(&scalar.managed).item<float>(), 0);
  EXPECT_EQ(scalar.deleted, 1);
}

TEST(Dlpack, ARoundTripSharesMemoryForEveryDtype) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16, Dtype::i32, Dtype::i64,
                            Dtype::u8, Dtype::boolean}) {
    const MemoryStats before = memory_stats(Device::cpu());
    {
      const Tensor t = arange(0, 2, 1, {dtype}).expand({3, 2}).t();
      DLManagedTensor* out = to_dlpack(t);
      EXPECT_EQ(out->dl_tensor.ndim, 2);
      EXPECT_EQ(out->dl_tensor.strides[0], 1);
      EXPECT_EQ(out->dl_tensor.strides[1], 0);
      EXPECT_EQ(out->dl_tensor.dtype.bits, 8 * size_of(dtype));
      const Tensor back = from_dlpack(out);
      EXPECT_EQ(back.dtype(), dtype);
      EXPECT_EQ(back.data(), t.data());
      EXPECT_EQ(back.shape(), t.shape());
      EXPECT_EQ(back.strides(), t.strides());
      EXPECT_EQ(back.to_vector<double>(), t.to_vector<double>());
    }
    EXPECT_EQ(memory_stats(Device::cpu()).now, before.now) << to_string(dtype);
  }
}

TEST(Dlpack, AnExportedTensorKeepsItsMemory) {
  Tensor t = full({4}, 7);
  DLManagedTensor* out = to_dlpack(t.narrow(0, 1, 2));
  t.set_data(zeros({4}));  // the handle means something else now
  t = Tensor();
  const float* seen = static_cast<float*>(out->dl_tensor.data);
  EXPECT_EQ(seen[0] + seen[1], 14);
  EXPECT_EQ(out->dl_tensor.shape[0], 2);
  out->deleter(out);
}

TEST(Dlpack, RefusesWhatItCannotUse) {
  const auto with = [](const std::function<void(DLTensor&)>& change) {
    Foreign foreign({2, 3}, {3, 1});
    change(foreign.managed.dl_tensor);
    return refusal(foreign);
  };
  EXPECT_EQ(with([](DLTensor& t) { t.dtype = {kDLFloat, 32, 4}; }), ErrorKind::dtype);
  EXPECT_EQ(with([](DLTensor& t) { t.dtype = {kDLInt, 16, 1}; }), ErrorKind::dtype);
  EXPECT_EQ(with([](DLTensor& t) { t.dtype = {5 /* complex */, 64, 1}; }), ErrorKind::dtype);
  EXPECT_EQ(with([](DLTensor& t) { t.device = {10 /* ROCm */, 0}; }), ErrorKind::unsupported);
  EXPECT_EQ(with([](DLTensor& t) { t.device = {kDLCUDA, 99}; }), ErrorKind::unsupported);
  EXPECT_EQ(with([](DLTensor& t) { t.ndim = 9; }), ErrorKind::argument);
  EXPECT_EQ(with([](DLTensor& t) { t.shape[1] = -3; }), ErrorKind::shape);
  EXPECT_EQ(with([](DLTensor& t) { t.strides[0] = -3; }), ErrorKind::shape);
  EXPECT_EQ(with([](DLTensor& t) { t.shape[0] = t.shape[1] = std::int64_t{1} << 40; }),
            ErrorKind::shape);
  EXPECT_THROW(from_dlpack(nullptr), Error);
  EXPECT_THROW(to_dlpack(Tensor()), Error);
  const Tensor leaf = ones({2}).set_requires_grad(true);
  EXPECT_THROW(to_dlpack(leaf), Error);
  DLManagedTensor* detached = to_dlpack(leaf.detach());
  detached->deleter(detached);
}

}  // namespace
}  // namespace gradus
