// Another library's matrix product as a side of the comparison: OpenBLAS, BLIS, MKL or oneDNN,
// taken from a shared library at run time, so that building needs none of them.
//   gradus_bench_blas_side LIBRARY THREADS
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "gradus/bench/side_by_side/data.h"
#include "gradus/bench/side_by_side/serve.h"

namespace {

using namespace gradus;
using namespace gradus::bench;

template <class Int>
using Cblas = void (*)(int order, int turn_a, int turn_b, Int m, Int n, Int k, float alpha,
                       const float* a, Int lda, const float* b, Int ldb, float beta, float* c,
                       Int ldc);
using Dnnl = int (*)(char turn_a, char turn_b, std::int64_t m, std::int64_t n, std::int64_t k,
                     float alpha, const float* a, std::int64_t lda, const float* b,
                     std::int64_t ldb, float beta, float* c, std::int64_t ldc);

/// C = op(A) op(B), row-major, whichever of the interfaces the library has.
struct Library {
  Cblas<int> cblas = nullptr;
  Cblas<std::int64_t> cblas64 = nullptr;  // as in the wheels of numpy
  Dnnl dnnl = nullptr;
  std::string name;

  explicit Library(const char* path) {
    void* handle = dlopen(path, RTLD_NOW);
    check(handle != nullptr, ErrorKind::io, "cannot open ", path);
    cblas = reinterpret_cast<Cblas<int>>(dlsym(handle, "cblas_sgemm"));
    cblas64 = reinterpret_cast<Cblas<std::int64_t>>(dlsym(handle, "scipy_cblas_sgemm64_"));
    dnnl = reinterpret_cast<Dnnl>(dlsym(handle, "dnnl_sgemm"));
    check(cblas != nullptr || cblas64 != nullptr || dnnl != nullptr, ErrorKind::argument, path,
          " has no matrix product");
    using Text = const char* (*)();
    for (const char* config : {"openblas_get_config", "scipy_openblas_get_config64_"}) {
      if (const auto text = reinterpret_cast<Text>(dlsym(handle, config))) name = text();
    }
    struct DnnlVersion {
      int major, minor, patch;
    };
    if (const auto version =
            reinterpret_cast<const DnnlVersion* (*)()>(dlsym(handle, "dnnl_version")))
      name = fmt::format("oneDNN {}.{}.{}", version()->major, version()->minor, version()->patch);
  }

  void operator()(const Product& p, const float* a, const float* b, float* c) const {
    const int lda = p.turn_a ? p.m : p.k, ldb = p.turn_b ? p.k : p.n, ldc = p.n;
    constexpr int row_major = 101, plain = 111, turned = 112;
    const int ta = p.turn_a ? turned : plain, tb = p.turn_b ? turned : plain;
    if (cblas != nullptr) {
      cblas(row_major, ta, tb, p.m, p.n, p.k, 1, a, lda, b, ldb, 0, c, ldc);
    } else if (cblas64 != nullptr) {
      cblas64(row_major, ta, tb, p.m, p.n, p.k, 1, a, lda, b, ldb, 0, c, ldc);
    } else {
      dnnl(p.turn_a ? 'T' : 'N', p.turn_b ? 'T' : 'N', p.m, p.n, p.k, 1, a, lda, b, ldb, 0, c, ldc);
    }
  }
};

Workload product(const Library& library, const Product& p) {
  const Tensor a = uniform(1, {p.m, p.k}), b = uniform(2, {p.k, p.n}), c = empty({p.m, p.n});
  Workload w;
  w.step = [=, &library] { library(p, a.data<float>(), b.data<float>(), c.data<float>()); };
  w.step();
  sample(c, w.values);
  return w;
}

}  // namespace

int main(int argc, char** argv) try {
  check(argc == 3, ErrorKind::argument, "expected: LIBRARY THREADS");
  for (const char* variable : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"})
    setenv(variable, argv[2], 1);  // read when the library is opened
  const Library library(argv[1]);
  const std::string short_name = library.name.substr(0, library.name.find(' ', 9));
  return serve(
      fmt::format("{{\"name\": {}, \"version\": {}, \"threads\": {}}}",
                  quoted(short_name.empty() ? argv[1] : short_name), quoted(library.name), argv[2]),
      [&](const std::string& name) {
        Product p;
        if (!Product::parse(name, p)) throw Error(ErrorKind::unsupported, "products only");
        return product(library, p);
      });
} catch (const std::exception& error) {
  fmt::print("{{\"error\": {}}}\n", gradus::bench::quoted(error.what()));
  return 2;
}
