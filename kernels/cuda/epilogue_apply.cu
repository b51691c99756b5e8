// The epilogue's last launch, and the swap of averages: a block for a quarter of a chunk, 16 bytes
// of each tensor at a time. The rule's factors are computed once a block, then every byte is read
// and written once. A weight whose master is split is put together in registers, and taken apart
// there.
#include "gradus/kernels/cuda/epilogue.cuh"

namespace gradus::cuda {
namespace {

using namespace epilogue_element;

constexpr int apply_threads = 256;
constexpr std::int64_t piece = epilogue::chunk_elements / 4;

template <int V, class T>
__device__ void write_low(const Segment& s, std::int64_t at, const Vector<T, V>& p) {
  if (s.low_dtype == Dtype::bf16) {
    Vector<bf16, V> low;
    for (int i = 0; i < V; ++i) low[i] = bf16(static_cast<float>(p[i]));
    store(static_cast<bf16*>(s.low) + at, low);
  } else {
    Vector<f16, V> low;
    for (int i = 0; i < V; ++i) low[i] = f16(static_cast<float>(p[i]));
    store(static_cast<f16*>(s.low) + at, low);
  }
}

template <int V>
__device__ void write_halves(const Segment& s, std::int64_t at, const Vector<float, V>& p) {
  Vector<bf16, V> low;
  Vector<std::uint16_t, V> remainder;
  for (int i = 0; i < V; ++i) {
    const SplitFloat halves = split_float(p[i]);
    low[i] = halves.low;
    remainder[i] = halves.remainder;
  }
  store(static_cast<bf16*>(s.low) + at, low);
  store(s.remainder + at, remainder);
}

/// Weights back to where load_weights had them from, with the copy that the forward reads.
template <int V, class T>
__device__ void write_weights(const Segment& s, std::int64_t at, const Vector<T, V>& p) {
  if constexpr (std::is_same_v<T, float>) {
    if (s.remainder != nullptr) return write_halves<V>(s, at, p);
  }
  store(static_cast<T*>(s.p) + at, p);
  if (s.low != nullptr) write_low<V>(s, at, p);
}

/// average = decay average + (1 - decay) p, so written that a weight that rests keeps its average.
template <int V, class T>
__device__ void move_average(void* average, std::int64_t at, const Vector<T, V>& p, double decay) {
  T* a = static_cast<T*>(average) + at;
  Vector<T, V> v = load<V>(a);
  const T towards = T(1 - decay);
  for (int i = 0; i < V; ++i) v[i] = decay == 0 ? p[i] : v[i] + towards * (p[i] - v[i]);
  store(a, v);
}

template <int V, class T>
__device__ void move_averages(const Segment& s, std::int64_t at, const Vector<T, V>& p,
                              const ScheduleRow& row) {
  if (s.average[0] != nullptr) move_average<V>(s.average[0], at, p, row.average);
  if (s.average[1] != nullptr) move_average<V>(s.average[1], at, p, row.teacher);
}

/// One element's step, its slots spread over the rule's arguments.
template <int V, class T, class Step, std::size_t... k>
__device__ void step_one(const Step& step, Vector<T, V>& p, T g,
                         Vector<T, V> (&slots)[sizeof...(k) + 1], int i,
                         std::index_sequence<k...>) {
  step(p[i], g, slots[k][i]...);
}

/// V elements: everything is loaded, moved and stored once.
template <int V, class Rule, class T, class Step>
__device__ void update_vector(const Segment& s, const ScheduleRow& row, const Step& step, T factor,
                              T most, std::int64_t at) {
  constexpr int slot_count = static_cast<int>(Rule::slots.size());
  Vector<T, V> p = load_weights<V, T>(s, at), g{};
  if constexpr (!rules::prepares<Rule>) g = load_floating<V, T>(s.g, s.g_dtype, at);
  Vector<T, V> slots[slot_count + 1];
  GRADUS_UNROLL
  for (int k = 0; k < slot_count; ++k) slots[k] = load<V>(static_cast<T*>(s.state[k]) + at);
  GRADUS_UNROLL
  for (int i = 0; i < V; ++i) {
    const T v = scaled(g[i], factor, most);
    step_one<V>(step, p, v, slots, i, std::make_index_sequence<Rule::slots.size()>());
  }
  write_weights<V>(s, at, p);
  GRADUS_UNROLL
  for (int k = 0; k < slot_count; ++k) store(static_cast<T*>(s.state[k]) + at, slots[k]);
  move_averages<V>(s, at, p, row);
}

/// Calls f.template operator()<V>(at) over [begin, begin + n) by all threads of the block, with
/// V = 4 where all pointers of the segment allow it.
template <class F>
__device__ void each_vector(const Segment& s, std::int64_t begin, std::int64_t n, F&& f) {
  const auto misalignment = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 32; };
  std::uintptr_t worst =
      misalignment(s.p) | misalignment(s.g) | misalignment(s.low) | misalignment(s.remainder);
  for (const void* p : s.state) worst |= misalignment(p);
  for (const void* p : s.average) worst |= misalignment(p);
  const std::int64_t whole = worst == 0 ? n / 4 * 4 : 0;
  for (std::int64_t i = 4 * std::int64_t{threadIdx.x}; i < whole; i += 4 * apply_threads)
    f.template operator()<4>(begin + i);
  for (std::int64_t i = whole + threadIdx.x; i < n; i += apply_threads)
    f.template operator()<1>(begin + i);
}

template <class Rule, class T>
__device__ void update(const Table& t, const Segment& s, const ScheduleRow& row, std::int64_t begin,
                       std::int64_t n) {
  const auto step = step_of<Rule, T>(t, s, row);
  const T factor = T(t.state->unscale), most = T(t.policy->max_value);
  each_vector(s, begin, n, [&]<int V>(std::int64_t at) {
    update_vector<V, Rule, T>(s, row, step, factor, most, at);
  });
}

template <class T, class... Rules>
__device__ void update_by(ops::List<Rules...>, const Table& t, const Segment& s,
                          const ScheduleRow& row, std::int64_t begin, std::int64_t n) {
  const int index = t.rules[s.group].index;
  int i = 0;
  ((i++ == index ? update<Rules, T>(t, s, row, begin, n) : void()), ...);
}

template <class T>
__device__ void average_only(const Segment& s, const ScheduleRow& row, std::int64_t begin,
                             std::int64_t n) {
  each_vector(s, begin, n, [&]<int V>(std::int64_t at) {
    move_averages<V>(s, at, load_weights<V, T>(s, at), row);
  });
}

__device__ void copy_bytes(const Segment& s, std::int64_t begin, std::int64_t n) {
  const std::int64_t size = static_cast<std::int64_t>(size_of(s.dtype));
  for (void* average : s.average) {
    if (average == nullptr) continue;
    for (std::int64_t i = threadIdx.x; i < n * size; i += apply_threads)
      static_cast<char*>(average)[begin * size + i] =
          static_cast<const char*>(s.p)[begin * size + i];
  }
}

/// The part of a chunk that this block has: [begin, begin + n) of the segment.
struct Part {
  std::int64_t begin, n;
  __device__ explicit Part(const Chunk& chunk) {
    const std::int64_t from = std::int64_t{blockIdx.y} * piece;
    begin = chunk.begin + from;
    n = chunk.n - from < piece ? chunk.n - from : piece;
  }
};

__global__ void __launch_bounds__(apply_threads) apply_chunks(Table t) {
  if (!t.state->go) return;
  const Chunk chunk = t.chunks[blockIdx.x];
  const Part part(chunk);
  const Segment& s = t.segments[chunk.segment];
  if (part.n <= 0 || (s.flags & Segment::frozen) != 0) return;
  if ((s.flags & Segment::copy_only) != 0) return copy_bytes(s, part.begin, part.n);
  const ScheduleRow row = t.ring[t.state->row + s.group];
  const bool wide = s.dtype == Dtype::f64;
  if ((s.flags & Segment::average_only) != 0) {
    if (wide)
      average_only<double>(s, row, part.begin, part.n);
    else
      average_only<float>(s, row, part.begin, part.n);
  } else if (wide) {
    update_by<double>(rules::All{}, t, s, row, part.begin, part.n);
  } else {
    update_by<float>(rules::All{}, t, s, row, part.begin, part.n);
  }
}

template <class T>
__device__ void exchange_elements(const Segment& s, void* average, const Part& part) {
  T* p = static_cast<T*>(s.p);
  T* a = static_cast<T*>(average);
  for (std::int64_t i = part.begin + threadIdx.x; i < part.begin + part.n; i += apply_threads) {
    const T v = a[i];
    a[i] = p[i];
    p[i] = v;
    if constexpr (std::is_floating_point_v<T>) {
      if (s.low != nullptr) {
        Vector<T, 1> one;
        one[0] = v;
        write_low<1>(s, i, one);
      }
    }
  }
}

__device__ void exchange_split(const Segment& s, void* average, const Part& part) {
  float* a = static_cast<float*>(average);
  for (std::int64_t i = part.begin + threadIdx.x; i < part.begin + part.n; i += apply_threads) {
    const Vector<float, 1> p = join_halves<1>(s, i), v = load<1>(a + i);
    write_halves<1>(s, i, v);
    a[i] = p[0];
  }
}

__global__ void __launch_bounds__(apply_threads) exchange_chunks(Table t, int which) {
  const Chunk chunk = t.chunks[blockIdx.x];
  const Part part(chunk);
  const Segment& s = t.segments[chunk.segment];
  void* average = s.average[which];
  if (part.n <= 0 || average == nullptr) return;
  if (s.remainder != nullptr) return exchange_split(s, average, part);
  if (s.dtype == Dtype::f32) return exchange_elements<float>(s, average, part);
  if (s.dtype == Dtype::f64) return exchange_elements<double>(s, average, part);
  switch (size_of(s.dtype)) {
    case 1: return exchange_elements<std::uint8_t>(s, average, part);
    case 2: return exchange_elements<std::uint16_t>(s, average, part);
    case 4: return exchange_elements<std::uint32_t>(s, average, part);
    default: return exchange_elements<std::uint64_t>(s, average, part);
  }
}

constexpr std::int64_t pieces_a_chunk = epilogue::chunk_elements / piece;

}  // namespace

void epilogue_apply(const Table& t) {
  launch<apply_chunks>(Size3(t.chunk_count, pieces_a_chunk), apply_threads, 0, stream_of(t), t);
}

void epilogue_exchange(const Table& t, int which) {
  launch<exchange_chunks>(Size3(t.chunk_count, pieces_a_chunk), apply_threads, 0, stream_of(t), t,
                          which);
}

}  // namespace gradus::cuda
