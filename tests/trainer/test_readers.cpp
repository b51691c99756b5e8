// IDX and CSV files: good ones, and every way in which one can be bad.
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/readers.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

class Readers : public ::testing::Test {
 protected:
  ScratchDirectory scratch;
  fs::path folder = scratch.path();

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  }
  fs::path write_gz(const std::string& name, const std::string& bytes) const {
    gzFile f = gzopen((folder / name).c_str(), "wb");
    gzwrite(f, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(f);
    return folder / name;
  }
  static std::string error_of(auto&& f) {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }
};

const std::string header("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02", 16);

TEST_F(Readers, IdxPlainAndGzip) {
  const std::string file = header + "abcd";
  for (const fs::path& path : {write("a.idx", file), write_gz("a.idx.gz", file)}) {
    const Tensor t = read_idx(path);
    EXPECT_EQ(t.shape(), (Shape{2, 1, 2}));
    EXPECT_EQ(t.to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{'a', 'b', 'c', 'd'}));
  }
}

TEST_F(Readers, PicturesThatTheDecoderWouldChokeOnAreRefusedBefore) {
  const auto refusal = [](const std::string& name) -> std::string {
    try {
      read_image(GRADUS_SOURCE_DIR "/tests/fuzz/corpus/images/" + name, 3);
    } catch (const Error& error) {
      const std::string text = error.what();
      return text.substr(text.find(name));
    }
    return "none";
  };
  EXPECT_EQ(refusal("huge_chunk.png"),
            "huge_chunk.png: a chunk of 1140850699 bytes at byte 33 of 64");
  EXPECT_EQ(refusal("late_start.jpg"), "late_start.jpg: not a PNG or JPEG image");
  EXPECT_EQ(refusal("cut.jpg"), "cut.jpg: Premature end of JPEG file");
}

/// Written by another library (Pillow), which reads back what stands here.
TEST_F(Readers, PicturesInInkAndInSeveralScans) {
  const std::string folder = GRADUS_SOURCE_DIR "/tests/fuzz/corpus/images/";
  const Tensor ink = read_image(folder + "cmyk.jpg", 3),
               color = read_image(folder + "progressive.jpg", 3);
  ASSERT_EQ(ink.shape(), (Shape{3, 8, 8}));
  ASSERT_EQ(color.shape(), (Shape{3, 16, 24}));
  const auto near = [](const Tensor& image, std::int64_t y, std::int64_t x,
                       std::vector<int> expected) {
    for (std::size_t c = 0; c < expected.size(); ++c)
      EXPECT_NEAR(image.data<std::uint8_t>()[(static_cast<std::int64_t>(c) * image.size(1) + y) *
                                                 image.size(2) +
                                             x],
                  expected[c], 2)
          << y << " " << x << " " << c;
  };
  near(ink, 3, 3, {207, 119, 49});
  near(read_image(folder + "cmyk.jpg", 1), 3, 3, {137});
  near(color, 0, 0, {0, 3, 113});
  near(color, 0, 23, {218, 6, 116});
  near(color, 15, 0, {11, 219, 123});
  near(color, 15, 23, {232, 224, 126});
  const Tensor grey = read_image(folder + "progressive.jpg", 1);
  near(grey, 0, 0, {15});
  near(grey, 15, 23, {215});
}

TEST_F(Readers, BadIdxFilesAreRefusedByName) {
  const auto message = [&](const std::string& bytes) {
    const fs::path path = write("bad.idx", bytes);
    return error_of([&] { read_idx(path); });
  };
  EXPECT_NE(message("").find("bad.idx: ends within the IDX header"), std::string::npos);
  EXPECT_NE(message(header + "abc").find("ends within the IDX elements"), std::string::npos);
  EXPECT_NE(message(header + "abcde").find("more than the 4 bytes of the IDX elements"),
            std::string::npos);
  EXPECT_NE(message("PK\3\4aaaa").find("not an IDX file"), std::string::npos);
  EXPECT_NE(message(std::string("\0\0\x0d\x01\0\0\0\x01", 8) + "abcd").find("element type 13"),
            std::string::npos);
  EXPECT_NE(message(std::string("\0\0\x08\x09", 4)).find("9 dimensions"), std::string::npos);
  // A header that announces 2^96 elements, and one that announces 64 GiB: refused without the
  // memory.
  const std::string lie("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
  EXPECT_NE(message(header.substr(0, 4) + lie).find("too many elements"), std::string::npos);
  const std::string large("\0\0\x40\0\0\0\x40\0\0\0\0\x40", 12);
  EXPECT_NE(message(header.substr(0, 4) + large + "abc").find("ends within"), std::string::npos);
  EXPECT_NE(error_of([&] { read_idx(folder / "missing.idx"); }).find("No such file"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_idx(folder); }).find("is a directory"), std::string::npos);
}

TEST_F(Readers, DamagedGzipIsFound) {
  const fs::path path = write_gz("a.gz", header + std::string(100000, 'x'));
  std::string bytes((std::istreambuf_iterator<char>(std::ifstream(path, std::ios::binary).rdbuf())),
                    {});
  const fs::path cut = write("cut.gz", bytes.substr(0, bytes.size() / 2));
  EXPECT_NE(error_of([&] { read_idx(cut); }), "no error");
}

TEST_F(Readers, CsvWithAndWithoutHeader) {
  for (const std::string start : {"", "a,b,class\n", "\xef\xbb\xbf", "\xef\xbb\xbf\"a\",b,c\n",
                                  "0,1,target\n", "größe,#,_\n"}) {
    const Tensor t = read_csv(write("a.csv", start + "1,\"2.5\",1e-60\r\n\n-1e3, 4 ,+1\n"));
    EXPECT_EQ(t.shape(), (Shape{2, 3}));
    EXPECT_EQ(t.to_vector<float>(), (std::vector<float>{1, 2.5, 0, -1000, 4, 1}));
  }
}

TEST_F(Readers, BadCsvFilesAreRefusedWithLineAndColumn) {
  const auto message = [&](const std::string& text) {
    const fs::path path = write("bad.csv", text);
    return error_of([&] { read_csv(path); });
  };
  EXPECT_NE(message("").find("no rows"), std::string::npos);
  EXPECT_NE(message("a,b\n").find("no rows"), std::string::npos);
  EXPECT_NE(message("1,2\n3\n").find("bad.csv:2: 1 columns, the lines before have 2"),
            std::string::npos);
  EXPECT_NE(message("1,2\n3,x\n").find("bad.csv:2: column 2: expected a finite number, got \"x\""),
            std::string::npos);
  EXPECT_NE(message("1,2\n3,nan\n").find("column 2"), std::string::npos);
  EXPECT_NE(message("1,2\n3,\n").find("column 2"), std::string::npos);
  // A first line with a broken number is no header.
  for (const char* first : {"1,nan\n", "1,\n", "1,1e39\n", "1;2\n", "-inf,1\n"})
    EXPECT_NE(message(std::string(first) + "3,4\n").find("bad.csv:1: column"), std::string::npos)
        << first;
}

TEST_F(Readers, DataSetsOfAConfiguration) {
  write("digits.csv", "0,4,8,1\n8,4,0,0\n2,2,2,2\n4,4,4,1\n");
  const auto config = [&](const std::string& more) {
    return parse_config(
        "trainer.max_steps = 1\n[data.train]\nformat = \"csv\"\npath = \"digits.csv\"\n" + more,
        "test.toml", folder);
  };
  const auto sets =
      open_datasets(config("transforms = [{type = \"normalize\", mean = 4, std = "
                           "4}]\n[data.valid]\nfrom = \"train\"\nfraction = 0.25\n"));
  EXPECT_EQ(sets.at("train")->size(), 3);
  EXPECT_EQ(sets.at("valid")->size(), 1);
  EXPECT_EQ(sets.at("train")->classes(), 3);
  EXPECT_NE(error_of([&] {
              open_datasets(config("shape = [2, 2]\n"));
            }).find("does not fit the 3 features"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              open_datasets(config("transforms = [{type = \"blurr\"}]\n"));
            }).find("unknown transform"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              open_datasets(config("[data.valid]\nfrom = \"x\"\nfraction = 0.5\n"));
            }).find("no dataset"),
            std::string::npos);
}

TEST(ByteStream, a_disk_that_fails_is_not_the_users_fault) {
  ByteStream memory("/proc/self/mem");  // nothing is at address 0: EIO, as from a broken disk
  char byte;
  try {
    memory.read(&byte, 1);
    FAIL();
  } catch (const FileError& error) {
    EXPECT_EQ(error.code(), EIO);
    EXPECT_TRUE(error.environment());
    EXPECT_STREQ(error.what(), "/proc/self/mem: cannot read: Input/output error");
  }
}

}  // namespace
}  // namespace gradus::trainer
