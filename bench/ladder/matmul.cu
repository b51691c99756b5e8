// c = a b, all row-major f32: a (M, K), b (K, N), c (M, N). There is work enough for every unit;
// what decides is how often a number is fetched for it. An element of c costs 2 K operations and,
// without any reuse, 2 K numbers from memory; a tile of T x T elements fetches 2 K T numbers for
// T^2 of them.
//
//   rung          numbers fetched for an element of c          what it removes
//   naive         2 K from memory, a column of c a warp        -
//   coalesced     2 K, side by side                            31 of 32 lines that a warp's load
//   touched tiles         2 K / 32 from memory, 2 K from shared        repeated reads of memory
//   registers     2 K / 128 from memory, 2 K / 8 from shared   repeated reads of shared memory
//   vectors       the same, 16 bytes at a time and in advance  load instructions, waiting for
//   memory tensor cores  2 K / 128, factors rounded to bf16           255 of 256 multiply
//   instructions
#include "gradus/bench/ladder/ladder.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/fragment.cuh"
#include "gradus/kernels/cuda/vector.cuh"
#include "gradus/kernels/matmul.h"
#include "gradus/kernels/random.h"

namespace gradus::ladder {
namespace {

using namespace cuda;

struct Problem {
  const float *a, *b;
  float* c;
  int m, n, k;
  __device__ float a_at(int i, int l) const {
    return i < m && l < k ? a[std::int64_t{i} * k + l] : 0;
  }
  __device__ float b_at(int l, int j) const {
    return l < k && j < n ? b[std::int64_t{l} * n + j] : 0;
  }
  __device__ void set(int i, int j, float v) const {
    if (i < m && j < n) c[std::int64_t{i} * n + j] = v;
  }
};

/// Block (x, y) of `side` x `side` threads; lanes of a warp lie in a column of c or in a row of it.
template <bool coalesced>
__global__ void __launch_bounds__(1024) naive(Problem p) {
  const int fast = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
  const int slow = static_cast<int>(blockIdx.y * 32 + threadIdx.y);
  const int i = coalesced ? slow : fast, j = coalesced ? fast : slow;
  float sum = 0;
  for (int l = 0; l < p.k; ++l) sum += p.a_at(i, l) * p.b_at(l, j);
  p.set(i, j, sum);
}

/// A block fetches 32 x 32 of a and of b once, then every thread reads 32 of each.
__global__ void __launch_bounds__(1024) tiles(Problem p) {
  GRADUS_SHARED(float, a, [32][32]);
  GRADUS_SHARED(float, b, [32][32]);
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int i = static_cast<int>(blockIdx.y) * 32 + y, j = static_cast<int>(blockIdx.x) * 32 + x;
  float sum = 0;
  for (int l0 = 0; l0 < p.k; l0 += 32) {
    a[y][x] = p.a_at(i, l0 + x);
    b[y][x] = p.b_at(l0 + y, j);
    __syncthreads();
    for (int l = 0; l < 32; ++l) sum += a[y][l] * b[l][x];
    __syncthreads();
  }
  p.set(i, j, sum);
}

constexpr int side = 128, depth = 8, each = 8, threads = 256;  // 16 x 16 threads of 8 x 8 elements

/// One step of depth: 16 numbers from shared memory for 64 multiplications. A thread's columns are
/// four from 4 x on and four from 64 + 4 x on, so that a warp's reads meet no bank twice.
__device__ void multiply_tile(const float (&a)[depth][side], const float (&b)[depth][side], int y,
                              int x, float (&sum)[each][each]) {
  GRADUS_UNROLL
  for (int l = 0; l < depth; ++l) {
    float av[each], bv[each];
    GRADUS_UNROLL
    for (int e = 0; e < each; ++e) {
      av[e] = a[l][y * each + e];
      bv[e] = b[l][e / 4 * (side / 2) + x * 4 + e % 4];
    }
    GRADUS_UNROLL
    for (int r = 0; r < each; ++r) {
      GRADUS_UNROLL
      for (int e = 0; e < each; ++e) sum[r][e] += av[r] * bv[e];
    }
  }
}
__device__ void store_tile(const Problem& p, int i, int j, const float (&sum)[each][each]) {
  for (int r = 0; r < each; ++r) {
    for (int e = 0; e < each; ++e) p.set(i + r, j + e / 4 * (side / 2) + e % 4, sum[r][e]);
  }
}

/// 128 x 128 of c a block, 8 x 8 a thread: a number read from shared memory is used eight times.
__global__ void __launch_bounds__(threads) registers(Problem p) {
  GRADUS_SHARED(float, a, [depth][side]);  // a lies transposed: its columns are read
  GRADUS_SHARED(float, b, [depth][side]);
  const int t = static_cast<int>(threadIdx.x), x = t % 16, y = t / 16;
  const int i0 = static_cast<int>(blockIdx.y) * side, j0 = static_cast<int>(blockIdx.x) * side;
  float sum[each][each] = {};
  for (int l0 = 0; l0 < p.k; l0 += depth) {
    for (int e = t; e < side * depth; e += threads) {
      a[e % depth][e / depth] = p.a_at(i0 + e / depth, l0 + e % depth);
      b[e / side][e % side] = p.b_at(l0 + e / side, j0 + e % side);
    }
    __syncthreads();
    multiply_tile(a, b, y, x, sum);
    __syncthreads();
  }
  store_tile(p, i0 + y * each, j0 + x * 4, sum);
}

/// Four numbers from row r on, column c on, of a matrix (rows, columns), columns a multiple of 4.
__device__ Vector<float, 4> four(const float* from, int r, int c, int rows, int columns) {
  if (r < rows && c < columns) return load<4>(from + std::int64_t{r} * columns + c);
  return {};
}

/// The next tiles are on their way while the present ones are multiplied: two of each in shared
/// memory, one barrier a step.
__global__ void __launch_bounds__(threads) vectors(Problem p) {
  GRADUS_SHARED(float, a, [2][depth][side]);
  GRADUS_SHARED(float, b, [2][depth][side]);
  const int t = static_cast<int>(threadIdx.x), x = t % 16, y = t / 16;
  const int i0 = static_cast<int>(blockIdx.y) * side, j0 = static_cast<int>(blockIdx.x) * side;
  const int a_row = t / 2, a_column = t % 2 * 4, b_row = t / 32, b_column = t % 32 * 4;
  Vector<float, 4> next_a = four(p.a, i0 + a_row, a_column, p.m, p.k);
  Vector<float, 4> next_b = four(p.b, b_row, j0 + b_column, p.k, p.n);
  float sum[each][each] = {};
  for (int l0 = 0, now = 0; l0 < p.k; l0 += depth, now = 1 - now) {
    for (int e = 0; e < 4; ++e) a[now][a_column + e][a_row] = next_a[e];
    store(&b[now][b_row][b_column], next_b);
    __syncthreads();
    const int l = l0 + depth;
    if (l < p.k) {
      next_a = four(p.a, i0 + a_row, l + a_column, p.m, p.k);
      next_b = four(p.b, l + b_row, j0 + b_column, p.k, p.n);
    }
    multiply_tile(a[now], b[now], y, x, sum);
  }
  store_tile(p, i0 + y * each, j0 + x * 4, sum);
}

constexpr int deep = 32, pad = 8;  // padded rows begin in different banks

/// Eight warps, each with 4 x 2 tiles of 16 x 16 of c in its fragments.
__global__ void __launch_bounds__(threads) tensor_cores(Problem p) {
  GRADUS_SHARED(bf16, a, [side][deep + pad]);
  GRADUS_SHARED(bf16, b, [deep][side + pad]);
  const int t = static_cast<int>(threadIdx.x), warp = t / lanes;
  const int i0 = static_cast<int>(blockIdx.y) * side, j0 = static_cast<int>(blockIdx.x) * side;
  const int own_i = warp / 4 * 64, own_j = warp % 4 * 32;
  FragmentC sum[4][2];
  for (auto& row : sum) {
    for (FragmentC& f : row) f = fragment_zero();
  }
  for (int l0 = 0; l0 < p.k; l0 += deep) {
    for (int e = t * 4; e < side * deep; e += threads * 4) {
      const auto va = four(p.a, i0 + e / deep, l0 + e % deep, p.m, p.k);
      const auto vb = four(p.b, l0 + e / side, j0 + e % side, p.k, p.n);
      for (int s = 0; s < 4; ++s) {
        a[e / deep][e % deep + s] = bf16(va[s]);
        b[e / side][e % side + s] = bf16(vb[s]);
      }
    }
    __syncthreads();
    for (int l = 0; l < deep; l += fragment_size) {
      for (int r = 0; r < 4; ++r) {
        const auto fa = fragment_a(&a[own_i + r * fragment_size][l], deep + pad);
        for (int s = 0; s < 2; ++s) {
          multiply(fa, fragment_b(&b[l][own_j + s * fragment_size], side + pad), sum[r][s]);
        }
      }
    }
    __syncthreads();
  }
  for (int r = 0; r < 4; ++r) {
    for (int s = 0; s < 2; ++s) {
      for (int e = 0; e < 8; ++e) {
        p.set(i0 + own_i + r * fragment_size + fragment_row(e),
              j0 + own_j + s * fragment_size + fragment_column(e), sum[r][s].v[e]);
      }
    }
  }
}

/// `down` and `across`: rows and columns of c that one block computes.
template <auto kernel, int down, int across, int block_x, int block_y>
void run(const Work& w, bool x_goes_down = false) {
  const int m = static_cast<int>(w.out[0].size(0)), n = static_cast<int>(w.out[0].size(1));
  const Problem p{w.in[0].data<float>(),
                  w.in[1].data<float>(),
                  w.out[0].data<float>(),
                  m,
                  n,
                  static_cast<int>(w.in[0].size(1))};
  const std::int64_t rows = pieces(m, down), columns = pieces(n, across);
  const Size3 grid{x_goes_down ? rows : columns, x_goes_down ? columns : rows, 1};
  launch<kernel>(grid, Size3{block_x, block_y, 1}, 0, compute_stream(0), p);
}

Work make(bool small) {
  const std::int64_t m = small ? 131 : 4096, n = small ? 36 : 4096, k = small ? 44 : 4096;
  const TensorOptions on{Dtype::f32, Device::cuda()};
  Generator g{9};
  return {.in = {randn({m, k}, on, g), randn({k, n}, on, g)},
          .out = {empty({m, n}, on)},
          .bytes = 4.0 * double(m * k + k * n + m * n),
          .flops = 2.0 * double(m) * double(n) * double(k)};
}

std::vector<Tensor> expected(const Work& w) {
  const Tensor a = w.in[0].to(Device::cpu()).to(Dtype::f64),
               b = w.in[1].to(Device::cpu()).to(Dtype::f64);
  Tensor c = empty({a.size(0), b.size(1)}, {Dtype::f64});
  cpu::matmul(a, b, c, {});
  return {c};
}

}  // namespace

Ladder matrix_product() {
  return {"matmul",
          make,
          expected,
          {{"naive", "a thread an element of c, a warp a column",
            [](const Work& w) { run<naive<false>, 32, 32, 32, 32>(w, true); }},
           {"coalesced", "a warp a row: its loads are side by side",
            [](const Work& w) { run<naive<true>, 32, 32, 32, 32>(w); }},
           {"tiles", "32 x 32 of a and b in shared memory",
            [](const Work& w) { run<tiles, 32, 32, 32, 32>(w); }},
           {"registers", "8 x 8 elements of c a thread",
            [](const Work& w) { run<registers, side, side, threads, 1>(w); }},
           {"vectors", "16 bytes a load, fetched one step ahead",
            [](const Work& w) { run<vectors, side, side, threads, 1>(w); }},
           {"tensor cores", "a warp multiplies 16 x 16 x 16 at once, in bf16",
            [](const Work& w) { run<tensor_cores, side, side, threads, 1>(w); }, 1e-2}}};
}

}  // namespace gradus::ladder
