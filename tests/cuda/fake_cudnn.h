// Functions in the place of cuDNN's: they do on the host what its documentation says of their
// arguments, and nothing else, so that a wrong stride or a forgotten group gives wrong numbers; and
// they remember what they were asked.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gradus/kernels/cuda/dnn_abi.h"
#include "gradus/tensor/half.h"

namespace gradus::cuda::fake_cudnn {

using dnn::Status;

/// What a descriptor was told.
struct FakeDescriptor {
  int type = -1, format = -1, groups = 1, math = -1, mode = -1, compute = -1;
  std::vector<int> size, stride;                    // tensors and filters
  std::vector<int> padding, conv_stride, dilation;  // convolutions
};

struct FakeCudnn {
  std::vector<std::unique_ptr<FakeDescriptor>> descriptors;
  std::string calls;  // names of what was computed, with the algorithm
  void* stream = nullptr;
  std::size_t needs = 48, got = 0;  // bytes of workspace
  const void* workspace = nullptr;
  int known = -1;  // the only algorithm there is; -1: all of them
  Status planned = dnn::success, run = dnn::success, create = dnn::success;
  const FakeDescriptor* last_convolution = nullptr;
};
inline FakeCudnn fake;

inline FakeDescriptor& at(dnn::Descriptor d) { return *static_cast<FakeDescriptor*>(d); }

inline Status make_descriptor(dnn::Descriptor* d) {
  fake.descriptors.push_back(std::make_unique<FakeDescriptor>());
  *d = fake.descriptors.back().get();
  return dnn::success;
}

inline double get(const FakeDescriptor& d, const void* p, std::int64_t i) {
  switch (d.type) {
    case dnn::data_double: return static_cast<const double*>(p)[i];
    case dnn::data_half: return static_cast<const f16*>(p)[i];
    case dnn::data_bfloat16: return static_cast<const bf16*>(p)[i];
    default: return static_cast<const float*>(p)[i];
  }
}
inline void put(const FakeDescriptor& d, void* p, std::int64_t i, double v) {
  switch (d.type) {
    case dnn::data_double: static_cast<double*>(p)[i] = v; break;
    case dnn::data_half: static_cast<f16*>(p)[i] = f16(static_cast<float>(v)); break;
    case dnn::data_bfloat16: static_cast<bf16*>(p)[i] = bf16(static_cast<float>(v)); break;
    default: static_cast<float*>(p)[i] = static_cast<float>(v);
  }
}
inline std::int64_t count(const FakeDescriptor& d) {
  std::int64_t n = 1;
  for (const int s : d.size) n *= s;
  return n;
}
inline std::int64_t place(const FakeDescriptor& d, const std::vector<int>& i) {
  std::int64_t at = 0;
  for (std::size_t k = 0; k < i.size(); ++k) at += std::int64_t{i[k]} * d.stride[k];
  return at;
}
inline bool next(std::vector<int>& i, const std::vector<int>& size) {
  for (std::size_t k = size.size(); k-- > 0;) {
    if (++i[k] < size[k]) return true;
    i[k] = 0;
  }
  return false;
}
/// The factors are of the compute type.
inline double factor(const FakeDescriptor& conv, const void* p) {
  return conv.compute == dnn::data_double ? *static_cast<const double*>(p)
                                          : double{*static_cast<const float*>(p)};
}

/// Calls f(place in x, in w, in y) for every product of the convolution.
template <class F>
void each_product(const FakeDescriptor& x, const FakeDescriptor& w, const FakeDescriptor& y,
                  const FakeDescriptor& conv, F&& f) {
  const std::size_t dims = x.size.size();
  std::vector<int> o(dims, 0);
  do {
    std::vector<int> t(dims - 1, 0);  // channel of the group, taps
    const std::vector<int> taps(w.size.begin() + 1, w.size.end());
    do {
      std::vector<int> i(dims), k(dims);
      i[0] = o[0];
      i[1] = o[1] / (y.size[1] / conv.groups) * w.size[1] + t[0];
      k[0] = o[1];
      k[1] = t[0];
      bool inside = true;
      for (std::size_t d = 2; d < dims; ++d) {
        k[d] = t[d - 1];
        i[d] = o[d] * conv.conv_stride[d - 2] + k[d] * conv.dilation[d - 2] - conv.padding[d - 2];
        inside = inside && i[d] >= 0 && i[d] < x.size[d];
      }
      if (inside) f(place(x, i), place(w, k), place(y, o));
    } while (next(t, taps));
  } while (next(o, y.size));
}

template <class Products>
Status compute(const char* name, int algorithm, void* workspace, std::size_t bytes,
               dnn::Descriptor conv, const void* alpha, const void* beta, const FakeDescriptor& to,
               void* data, Products&& products) {
  fake.calls += std::string(name) + std::to_string(algorithm) + " ";
  fake.got = bytes;
  fake.workspace = workspace;
  fake.last_convolution = &at(conv);
  if (fake.run != dnn::success) return fake.run;
  std::vector<double> sums(static_cast<std::size_t>(count(to)), 0);
  products(sums);
  const double a = factor(at(conv), alpha), b = factor(at(conv), beta);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto k = static_cast<std::int64_t>(i);
    put(to, data, k, a * sums[i] + (b == 0 ? 0 : b * get(to, data, k)));
  }
  return dnn::success;
}

inline Status workspace_size(int algorithm, std::size_t* bytes) {
  *bytes = fake.needs;
  if (fake.planned != dnn::success) return fake.planned;
  return fake.known < 0 || fake.known == algorithm ? dnn::success : dnn::not_supported;
}

inline dnn::Api fake_api() {
  dnn::Api a{};
  a.Create = [](dnn::Handle* h) {
    *h = &fake;
    return fake.create;
  };
  a.SetStream = [](dnn::Handle, void* stream) {
    fake.stream = stream;
    return dnn::success;
  };
  a.GetErrorString = [](Status) { return "CUDNN_STATUS_OF_A_TEST"; };
  a.CreateTensorDescriptor = make_descriptor;
  a.CreateFilterDescriptor = make_descriptor;
  a.CreateConvolutionDescriptor = make_descriptor;
  a.SetTensorNdDescriptor = [](dnn::Descriptor d, int type, int dims, const int* size,
                               const int* stride) {
    at(d).type = type;
    at(d).size.assign(size, size + dims);
    at(d).stride.assign(stride, stride + dims);
    return dnn::success;
  };
  a.SetFilterNdDescriptor = [](dnn::Descriptor d, int type, int format, int dims, const int* size) {
    at(d).type = type;
    at(d).format = format;
    at(d).size.assign(size, size + dims);
    at(d).stride.assign(std::size_t(dims), 0);
    // The memory that a format means: KCRS, or KRSC.
    std::vector<int> order = {0};
    for (int k = 2; k < dims; ++k) order.push_back(k);
    order.insert(format == dnn::nhwc ? order.end() : order.begin() + 1, 1);
    int step = 1;
    for (std::size_t k = order.size(); k-- > 0;) {
      at(d).stride[std::size_t(order[k])] = step;
      step *= size[order[k]];
    }
    return dnn::success;
  };
  a.SetConvolutionNdDescriptor = [](dnn::Descriptor d, int dims, const int* padding,
                                    const int* stride, const int* dilation, int mode,
                                    int compute_type) {
    at(d).padding.assign(padding, padding + dims);
    at(d).conv_stride.assign(stride, stride + dims);
    at(d).dilation.assign(dilation, dilation + dims);
    at(d).mode = mode;
    at(d).compute = compute_type;
    return dnn::success;
  };
  a.SetConvolutionGroupCount = [](dnn::Descriptor d, int groups) {
    at(d).groups = groups;
    return dnn::success;
  };
  a.SetConvolutionMathType = [](dnn::Descriptor d, int math) {
    at(d).math = math;
    return dnn::success;
  };
  a.GetConvolutionForwardWorkspaceSize =
      [](dnn::Handle, dnn::Descriptor, dnn::Descriptor, dnn::Descriptor, dnn::Descriptor,
         int algorithm, std::size_t* bytes) { return workspace_size(algorithm, bytes); };
  a.GetConvolutionBackwardDataWorkspaceSize = a.GetConvolutionForwardWorkspaceSize;
  a.GetConvolutionBackwardFilterWorkspaceSize = a.GetConvolutionForwardWorkspaceSize;
  a.ConvolutionForward = [](dnn::Handle, const void* alpha, dnn::Descriptor x_of, const void* x,
                            dnn::Descriptor w_of, const void* w, dnn::Descriptor conv,
                            int algorithm, void* workspace, std::size_t bytes, const void* beta,
                            dnn::Descriptor y_of, void* y) {
    return compute("forward", algorithm, workspace, bytes, conv, alpha, beta, at(y_of), y,
                   [&](std::vector<double>& sums) {
                     each_product(at(x_of), at(w_of), at(y_of), at(conv),
                                  [&](std::int64_t i, std::int64_t k, std::int64_t o) {
                                    sums[std::size_t(o)] +=
                                        get(at(x_of), x, i) * get(at(w_of), w, k);
                                  });
                   });
  };
  a.ConvolutionBackwardData =
      [](dnn::Handle, const void* alpha, dnn::Descriptor w_of, const void* w, dnn::Descriptor dy_of,
         const void* dy, dnn::Descriptor conv, int algorithm, void* workspace, std::size_t bytes,
         const void* beta, dnn::Descriptor dx_of, void* dx) {
        return compute("input", algorithm, workspace, bytes, conv, alpha, beta, at(dx_of), dx,
                       [&](std::vector<double>& sums) {
                         each_product(at(dx_of), at(w_of), at(dy_of), at(conv),
                                      [&](std::int64_t i, std::int64_t k, std::int64_t o) {
                                        sums[std::size_t(i)] +=
                                            get(at(dy_of), dy, o) * get(at(w_of), w, k);
                                      });
                       });
      };
  a.ConvolutionBackwardFilter =
      [](dnn::Handle, const void* alpha, dnn::Descriptor x_of, const void* x, dnn::Descriptor dy_of,
         const void* dy, dnn::Descriptor conv, int algorithm, void* workspace, std::size_t bytes,
         const void* beta, dnn::Descriptor dw_of, void* dw) {
        return compute("weight", algorithm, workspace, bytes, conv, alpha, beta, at(dw_of), dw,
                       [&](std::vector<double>& sums) {
                         each_product(at(x_of), at(dw_of), at(dy_of), at(conv),
                                      [&](std::int64_t i, std::int64_t k, std::int64_t o) {
                                        sums[std::size_t(k)] +=
                                            get(at(dy_of), dy, o) * get(at(x_of), x, i);
                                      });
                       });
      };
  return a;
}

}  // namespace gradus::cuda::fake_cudnn
