// Files of numbers: IDX, CSV and bare numbers (plain or gzip), .npy, token numbers, CIFAR's
// records.
#include "gradus/tests/fuzz/harness.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/data/tokens.h"

namespace gradus::fuzz::arrays {

/// No file of so many bytes holds more numbers than that, gzip included.
void plausible(const Tensor& t, Bytes bytes) {
  must(t.numel() <= 1032 * static_cast<std::int64_t>(bytes.size()) + 65536,
       "no more numbers than the file can hold");
}

int idx(Bytes bytes) {
  const auto path = Scratch::file("f.idx", bytes);
  return answered([&] { plausible(trainer::read_idx(path), bytes); });
}
int csv(Bytes bytes) {
  const auto path = Scratch::file("f.csv", bytes);
  return answered([&] { plausible(trainer::read_csv(path), bytes); });
}
int npy(Bytes bytes) {
  const auto path = Scratch::file("f.npy", bytes);
  return answered([&] { plausible(trainer::read_npy(path), bytes); });
}
int tokens(Bytes bytes) {
  const auto path = Scratch::file("f.bin", bytes);
  return answered([&] {
    const trainer::TokenFile file = trainer::read_token_bin(path);
    plausible(file.tokens, bytes);
    for (const std::int32_t token : file.tokens.to_vector<std::int32_t>())
      must(token >= 0 && token < file.vocabulary, "a token of the vocabulary");
  });
}
/// The first three bytes choose the dtype and the shape of a sample.
int raw(Bytes bytes) {
  if (bytes.size() < 3) return 0;
  constexpr Dtype dtypes[] = {Dtype::f32, Dtype::f64, Dtype::f16, Dtype::bf16,
                              Dtype::i32, Dtype::i64, Dtype::u8};
  const Dtype dtype = dtypes[bytes[0] % 7];
  const Shape shape = {bytes[1] % 5, 1 + bytes[2] % 3};
  const Bytes rest = bytes.subspan(3);
  const auto path = Scratch::file("f.raw", rest);
  return answered([&] { plausible(trainer::read_raw(path, dtype, shape), rest); });
}
int cifar(Bytes bytes) {
  const auto path = Scratch::file("f.cifar", bytes);
  for (const bool hundred : {false, true})
    answered([&] {
      const trainer::Cifar data = trainer::read_cifar(path, hundred);
      must(data.images.size(0) == data.labels.size(0), "a label for each picture");
    });
  return 0;
}

const Registered registered[] = {{"idx", idx},       {"csv", csv}, {"npy", npy},
                                 {"tokens", tokens}, {"raw", raw}, {"cifar", cifar}};

}  // namespace gradus::fuzz::arrays
