// Readers of npy, raw, CIFAR, tokens, text, images, NetCDF-3 and safetensors: good files, and files
// that lie about what they hold.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "gradus/kernels/create.h"
#include "gradus/tensor/allocator.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/data/tokens.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

class Formats : public ::testing::Test {
 protected:
  ScratchDirectory scratch;
  fs::path folder = scratch.path();
  fs::path write(const std::string& name, const std::string& bytes) const {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  }
  std::map<std::string, DatasetPointer> open(const std::string& toml) const {
    return open_datasets(parse_config("[trainer]\nmax_steps = 1\n" + toml, "c.toml", folder));
  }
};

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

template <class T>
std::string packed(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string npy(const std::string& dict, const std::string& data) {
  std::string header = dict;
  while ((header.size() + 11) % 64 != 0) header += ' ';
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() & 255) +
         static_cast<char>(header.size() >> 8) + header + data;
}

std::string big(std::uint64_t v, int bytes) {
  std::string s;
  for (int i = bytes - 1; i >= 0; --i) s += static_cast<char>(v >> (8 * i) & 255);
  return s;
}

/// CDF-1 or CDF-2: t(time = 3 records, x = 2) short with scale 0.5, offset 10 and -9 missing; u the
/// same in float; lat(x) double.
std::string netcdf(int version) {
  const auto name = [](std::string s) {
    const std::string size = big(s.size(), 4);
    s.resize((s.size() + 3) / 4 * 4);
    return size + s;
  };
  const auto number = [&](const char* n, double v) {
    return name(n) + big(6, 4) + big(1, 4) + big(std::bit_cast<std::uint64_t>(v), 8);
  };
  std::string head = "CDF" + std::string(1, static_cast<char>(version)) + big(3, 4);
  head += big(10, 4) + big(2, 4) + name("time") + big(0, 4) + name("x") + big(2, 4);
  head += big(12, 4) + big(1, 4) + name("title") + big(2, 4) + big(5, 4) +
          std::string("hello\0\0\0", 8);
  head += big(11, 4) + big(3, 4);
  const int offset = version == 1 ? 4 : 8;
  const auto variables = [&](std::uint64_t begin) {
    std::string v = name("t") + big(2, 4) + big(0, 4) + big(1, 4) + big(12, 4) + big(3, 4) +
                    number("scale_factor", 0.5) + number("add_offset", 10) +
                    number("missing_value", -9) + big(3, 4) + big(4, 4) + big(begin + 16, offset);
    v += name("u") + big(2, 4) + big(0, 4) + big(1, 4) + big(0, 4) + big(0, 4) + big(5, 4) +
         big(8, 4) + big(begin + 20, offset);
    v += name("lat") + big(1, 4) + big(1, 4) + big(0, 4) + big(0, 4) + big(6, 4) + big(16, 4) +
         big(begin, offset);
    return v;
  };
  const std::uint64_t begin = head.size() + variables(0).size();
  std::string data =
      big(std::bit_cast<std::uint64_t>(45.0), 8) + big(std::bit_cast<std::uint64_t>(46.5), 8);
  for (int r = 0; r < 3; ++r) {
    data += big(static_cast<std::uint16_t>(2 * r), 2) +
            big(static_cast<std::uint16_t>(r == 1 ? -9 : -2), 2);
    for (int k = 0; k < 2; ++k)
      data += big(std::bit_cast<std::uint32_t>(static_cast<float>(10 * r + k)), 4);
  }
  return head + variables(begin) + data;
}

std::string token_bin(std::int32_t magic, std::int32_t version, std::int32_t count,
                      const std::string& data) {
  std::vector<std::int32_t> header(256);
  header[0] = magic;
  header[1] = version;
  header[2] = count;
  return packed(header) + data;
}

/// 2 x 1 pixels, red and blue.
const unsigned char png_bytes[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00,
    0x00, 0x7b, 0x40, 0xe8, 0xdd, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0xf8, 0xcf, 0x00, 0x04, 0xff, 0x01, 0x07, 0x00, 0x01, 0xff, 0x3d, 0x7d,
    0x8c, 0x49, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
std::string png() { return {reinterpret_cast<const char*>(png_bytes), sizeof png_bytes}; }

/// 16 x 8 pixels of one color.
std::string jpeg() {
  std::vector<unsigned char> pixels;
  for (int i = 0; i < 16 * 8; ++i) pixels.insert(pixels.end(), {200, 100, 50});
  std::string out;
  stbi_write_jpg_to_func(
      [](void* to, void* data, int size) {
        static_cast<std::string*>(to)->append(static_cast<const char*>(data),
                                              static_cast<std::size_t>(size));
      },
      &out, 16, 8, 3, pixels.data(), 95);
  return out;
}

TEST_F(Formats, AJpegsTablesHoldNoMoreThanTheyCan) {
  std::string bytes = jpeg();
  const std::size_t table = bytes.find("\xff\xc4");
  ASSERT_NE(table, bytes.npos);
  bytes[table + 5] = '\x7f';  // of the codes of one bit, of which there are two
  bytes[table + 20] = '\x7f';
  bytes[table + 19] = '\x7f';
  EXPECT_NE(error_of([&] { read_image(write("a.jpg", bytes), 3); }).find("a.jpg: Bogus Huffman"),
            std::string::npos);
}

TEST_F(Formats, Jpeg) {
  const Tensor image = read_image(write("a.jpg", jpeg()), 3);
  ASSERT_EQ(image.shape(), (Shape{3, 8, 16}));
  const auto v = image.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < 128; ++i) {
    EXPECT_NEAR(v[i], 200, 4);
    EXPECT_NEAR(v[128 + i], 100, 4);
    EXPECT_NEAR(v[256 + i], 50, 4);
  }
}

TEST_F(Formats, Npy) {
  const std::string data = packed<float>({1, 2, 3, 4, 5, 6});
  const fs::path path =
      write("x.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", data));
  EXPECT_EQ(read_npy(path).shape(), (Shape{3, 2}));
  EXPECT_EQ(read_npy(path).to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  write("y.npy", npy("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }",
                     packed<std::int64_t>({0, 2, 1})));
  const auto sets = open("[data.train]\npath = 'x.npy'\nlabels = 'y.npy'\n");
  EXPECT_EQ(sets.at("train")->classes(), 3);
  EXPECT_EQ(sets.at("train")->get(1)[0].to_vector<float>(), (std::vector<float>{3, 4}));
  const auto says = [&](const std::string& dict, const std::string& bytes) {
    const fs::path bad = write("bad.npy", npy(dict, bytes));
    return error_of([&] { read_npy(bad); });
  };
  const std::string f4 = "{'descr': '<f4', 'fortran_order': False, ";
  EXPECT_NE(says(f4 + "'shape': (4, 2), }", data).find("ends within the elements"),
            std::string::npos);
  EXPECT_NE(says(f4 + "'shape': (1, 2), }", data).find("more than the 8 bytes"), std::string::npos);
  EXPECT_NE(says(f4 + "'shape': (4000000000, 4000000000), }", data).find("too many elements"),
            std::string::npos);
  EXPECT_NE(says(f4 + "'shape': (99999999999,), }", data).find("ends within"), std::string::npos);
  EXPECT_NE(says(f4 + "'shape': (-1,), }", data).find("shape"), std::string::npos);
  EXPECT_NE(says("{'descr': '>f4', 'fortran_order': False, 'shape': (6,), }", data)
                .find("elements of type"),
            std::string::npos);
  EXPECT_NE(says("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }", data)
                .find("Fortran order"),
            std::string::npos);
}

TEST_F(Formats, Raw) {
  write("x.bin", packed<double>({1, 2, 3, 4, 5, 6}));
  const auto sets =
      open("[data.train]\npath = 'x.bin'\nformat = 'raw'\ndtype = 'f64'\nshape = [2]\n");
  EXPECT_EQ(sets.at("train")->size(), 3);
  EXPECT_EQ(sets.at("train")->get(2)[0].to_vector<float>(), (std::vector<float>{5, 6}));
  EXPECT_NE(error_of([&] {
              open("[data.train]\npath = 'x.bin'\nformat = 'raw'\nshape = [5]\n");
            }).find("48 bytes are not a number of samples of (5) f32 (20 bytes each)"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              open("[data.train]\npath = 'x.bin'\nformat = 'raw'\n");
            }).find("needs the shape of one sample"),
            std::string::npos);
}

TEST_F(Formats, Cifar) {
  std::string two(2 * 3073, '\0');
  two[0] = 7;
  two[1] = '\xff';  // sample 0: red of its first pixel
  two[3073] = 3;
  two[3073 + 1 + 1024] = 51;  // sample 1: green of its first pixel
  write("c/data_batch_1.bin", two);
  write("c/test_batch.bin", std::string(1, '\1') + std::string(3072, '\0'));
  const auto sets = open(
      "[data.train]\npath = 'c'\nformat = 'cifar10'\n[data.test]\npath = 'c'\nformat = "
      "'cifar10'\n");
  EXPECT_EQ(sets.at("train")->size(), 2);
  EXPECT_EQ(sets.at("test")->size(), 1);
  const auto one = sets.at("train")->get(1);
  EXPECT_EQ(one[0].shape(), (Shape{3, 32, 32}));
  EXPECT_FLOAT_EQ(one[0].to_vector<float>()[1024], 0.2f);
  EXPECT_EQ(one[1].item<std::int64_t>(), 3);
  EXPECT_NE(error_of([&] {
              read_cifar(write("bad.bin", two.substr(1)), false);
            }).find("6145 bytes are not a number of records of 3073"),
            std::string::npos);
  two[0] = 10;
  EXPECT_NE(error_of([&] { read_cifar(write("bad.bin", two), false); }).find("label 10 at byte 0"),
            std::string::npos);
  EXPECT_EQ(read_cifar(write("h.bin", std::string("\x05\x63", 2) + std::string(3072, '\0')), true)
                .labels.item<std::int64_t>(),
            99);
}

TEST_F(Formats, TokensAndTexts) {
  const std::string data = packed<std::uint16_t>({5, 6, 7, 8, 50'256, 9});
  const fs::path path = write("t.bin", token_bin(20240520, 1, 6, data));
  EXPECT_EQ(read_token_bin(path).tokens.to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{5, 6, 7, 8, 50'256, 9}));
  const auto says = [&](const std::string& bytes) {
    const fs::path bad = write("bad.bin", bytes);
    return error_of([&] { read_token_bin(bad); });
  };
  EXPECT_NE(says(token_bin(1, 1, 6, data)).find("it begins with 1"), std::string::npos);
  EXPECT_NE(says(token_bin(20240520, 2, 6, data)).find("version 2"), std::string::npos);
  EXPECT_NE(says(token_bin(20240520, 1, 2'000'000'000, data)).find("ends within the tokens"),
            std::string::npos);
  EXPECT_NE(says(token_bin(20240520, 1, -1, data)).find("-1 tokens"), std::string::npos);
  EXPECT_NE(says(token_bin(20240520, 1, 5, data)).find("more than the 10 bytes of the tokens"),
            std::string::npos);
  EXPECT_NE(says(token_bin(20240520, 1, 1, packed<std::uint16_t>({50'257}))).find("token 0 is"),
            std::string::npos);

  write("a.txt", "abcabcabcd");
  write("b.txt", "dcba");
  write("e.txt", "abcx");
  const auto sets = open(
      "[data.train]\npath = 'a.txt'\nlength = 3\n[data.valid]\npath = 'b.txt'\nlength = 3\n"
      "[data.dense]\npath = 'a.txt'\nlength = 3\nstride = 1\n");
  EXPECT_EQ(sets.at("train")->size(), 3);
  EXPECT_EQ(sets.at("dense")->size(), 7);
  EXPECT_EQ(sets.at("train")->classes(), 4);
  EXPECT_EQ(sets.at("train")->alphabet(), "abcd");
  const auto last = sets.at("train")->get(2);
  EXPECT_EQ(last[0].to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(last[1].to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2, 3}));
  // Another text is read with the alphabet of the one that is trained on.
  EXPECT_EQ(sets.at("valid")->get(0)[0].to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{3, 2, 1}));
  EXPECT_NE(error_of([&] {
              open(
                  "[data.train]\npath = 'a.txt'\nlength = 3\n[data.valid]\npath = 'e.txt'\n"
                  "length = 3\n");
            }).find("byte 3 is 120, which does not occur"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              open("[data.train]\npath = 'b.txt'\nlength = 4\n");
            }).find("4 tokens are more than the 4 bytes"),
            std::string::npos);
}

TEST_F(Formats, ImageFolders) {
  write("i/cat/b.png", png());
  write("i/ant/a.png", png());
  write("i/ant/notes.md", "no image");
  const auto sets = open("[data.train]\npath = 'i'\n");
  ASSERT_EQ(sets.at("train")->size(), 2);
  EXPECT_EQ(sets.at("train")->classes(), 2);
  const auto one = sets.at("train")->get(1);
  EXPECT_EQ(one[0].to_vector<float>(), (std::vector<float>{1, 0, 0, 0, 0, 1}));
  EXPECT_EQ(one[1].item<std::int64_t>(), 1);
  EXPECT_EQ(open("[data.train]\npath = 'i'\nshape = [1, 4, 4]\n").at("train")->fields()[0].shape,
            (Shape{1, 4, 4}));
  // A header that announces 16,384 x 16,384 pixels asks for no memory.
  std::string lie = png();
  lie.replace(16, 8, std::string("\0\0\x40\0\0\0\x40\0", 8));
  EXPECT_NE(error_of([&] { read_image(write("lie.png", lie), 3); }).find("announces 16384"),
            std::string::npos);
  // The index of a broken sample is named where it is read.
  write("i/cat/b.png", png().substr(0, 45));
  Batch batch;
  batch.fields = {{"x", empty({1, 3, 1, 2})}, {"y", empty({1}, {Dtype::i64})}};
  const std::int64_t row = 1;
  EXPECT_NE(error_of([&] {
              sets.at("train")->fill({&row, 1}, batch);
            }).find("sample 1 of the data"),
            std::string::npos);
}

TEST_F(Formats, Netcdf) {
  for (const int version : {1, 2}) {
    const fs::path path = write("w.nc", netcdf(version));
    const auto all = read_netcdf(path);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].dimensions, (std::vector<std::string>{"time", "x"}));
    const auto t = all[0].data.to_vector<double>();
    EXPECT_EQ(t[0], 10);
    EXPECT_EQ(t[1], 9);
    EXPECT_EQ(t[2], 11);
    EXPECT_TRUE(std::isnan(t[3]));  // missing
    EXPECT_EQ(t[4], 12);
    EXPECT_EQ(all[1].data.to_vector<double>(), (std::vector<double>{0, 1, 10, 11, 20, 21}));
    EXPECT_EQ(all[2].data.to_vector<double>(), (std::vector<double>{45, 46.5}));
    const auto sets = open("[data.train]\npath = 'w.nc'\n");
    EXPECT_EQ(sets.at("train")->fields()[0].shape, (Shape{2, 2}));
    EXPECT_EQ(sets.at("train")->get(2)[0].to_vector<float>(), (std::vector<float>{12, 9, 20, 21}));
    EXPECT_NE(error_of([&] {
                open("[data.train]\npath = 'w.nc'\nvariables = ['v']\n");
              }).find("no variable \"v\"; there are: t, u, lat"),
              std::string::npos);
  }
  EXPECT_NE(error_of([&] { read_netcdf(write("h.nc", "\x89HDF\r\n\x1a\n....")); }).find("nccopy"),
            std::string::npos);
}

TEST_F(Formats, Safetensors) {
  save_safetensors(folder / "d.safetensors", {{"x", ones({4, 2})}, {"y", zeros({4, 3})}});
  const auto sets = open("[data.train]\npath = 'd.safetensors'\n");
  EXPECT_EQ(sets.at("train")->size(), 4);
  EXPECT_EQ(sets.at("train")->fields()[1].shape, (Shape{3}));
  save_safetensors(folder / "d.safetensors", {{"x", ones({4, 2})}, {"y", zeros({3})}});
  EXPECT_NE(error_of([&] {
              open("[data.train]\npath = 'd.safetensors'\n");
            }).find("labels of shape (3) for 4 samples"),
            std::string::npos);
}

/// Every prefix and every byte set to 0, 0x7f and 0xff: an error of ours or a data set, and never
/// more memory than a small multiple of the file (a lie about a count asks for nothing).
TEST_F(Formats, DamagedFilesAskForNoMemory) {
  const std::string data = packed<float>({1, 2, 3, 4, 5, 6});
  struct {
    const char* name;
    std::string bytes;
    std::function<void(const fs::path&)> read;
  } const files[] = {
      {"f.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", data),
       [](const fs::path& p) { read_npy(p); }},
      {"f.nc", netcdf(1), [](const fs::path& p) { read_netcdf(p); }},
      {"g.nc", netcdf(2), [](const fs::path& p) { read_netcdf(p); }},
      {"f.bin", token_bin(20240801, 7, 2, packed<std::uint32_t>({1, 2})),
       [](const fs::path& p) { read_token_bin(p); }},
      {"f.png", png(), [](const fs::path& p) { read_image(p, 3); }},
      {"f.jpg", jpeg(), [](const fs::path& p) { read_image(p, 3); }},
  };
  for (const auto& f : files) {
    const auto attempt = [&](const std::string& bytes) {
      const fs::path path = write(f.name, bytes);
      const std::int64_t before = memory_stats(Device::cpu()).peak;
      try {
        f.read(path);
      } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find(f.name), std::string::npos) << e.what();
      }
      EXPECT_LT(memory_stats(Device::cpu()).peak - before, 8 << 20);
    };
    for (std::size_t n = 0; n < f.bytes.size(); n += n < 100 ? 1 : 97)
      attempt(f.bytes.substr(0, n));
    for (std::size_t n = 0; n < f.bytes.size(); n += n < 100 ? 1 : 97) {
      for (const char value : {'\0', '\x7f', '\xff'}) {
        std::string damaged = f.bytes;
        damaged[n] = value;
        attempt(damaged);
      }
    }
  }
}

}  // namespace
}  // namespace gradus::trainer
