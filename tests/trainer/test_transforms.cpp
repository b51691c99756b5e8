// Transforms: what each one does, and that random ones depend on (seed, epoch, sample, transform)
// alone.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "gradus/kernels/create.h"
#include "gradus/trainer/config/value.h"
#include "gradus/trainer/data/color.h"
#include "gradus/trainer/data/geometry.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/data/transforms.h"

namespace gradus::trainer {
namespace {

/// n images (c, h, w) whose values tell sample, channel and place apart, all in [0, 1].
DatasetPointer images(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  const Tensor x = empty({n, c, h, w}), y = empty({n}, {Dtype::i64});
  for (std::int64_t i = 0; i < x.numel(); ++i)
    x.data<float>()[i] = static_cast<float>((i * 2654435761u) % 1000) / 1000;
  for (std::int64_t i = 0; i < n; ++i) y.data<std::int64_t>()[i] = i % 3;
  return std::make_shared<TensorDataset>(
      std::vector<TensorDataset::Column>{{{"x", {c, h, w}, Dtype::f32}, x},
                                         {{"y", {}, Dtype::i64}, y}},
      3);
}

std::vector<Value> list_of(const std::string& toml) {
  const Value root = parse_toml("t = " + toml, "t.toml");
  return *root.find("t")->value.as<Value::Array>();
}

DatasetPointer with(const DatasetPointer& base, const std::string& toml, std::int64_t views = 1,
                    std::uint64_t seed = 7, bool random = true) {
  const Config config;
  Transforms t =
      read_transforms(config, "data.train", list_of(toml), base->fields()[0].shape, random);
  return std::make_shared<TransformedDataset>(base, std::move(t), views, seed);
}

std::string error_of(const std::string& toml, const DatasetPointer& base) {
  try {
    with(base, toml);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

/// Every number of a whole pass, sample by sample in the data set's order.
std::vector<float> pass(const DatasetPointer& data, int workers, std::int64_t epoch,
                        std::int64_t first = 0, std::int64_t batch_size = 4,
                        const char* field = "x") {
  const std::int64_t each = data->fields()[0].shape.numel();
  std::vector<float> all(static_cast<std::size_t>(data->size() * each), -1);
  Loader loader(data, {.batch_size = batch_size, .shuffle = true, .seed = 3, .workers = workers});
  loader.start(epoch, first);
  while (const Batch* b = loader.next()) {
    const auto values = (*b)[field].to_vector<float>();
    for (std::size_t i = 0; i < b->rows.size(); ++i)
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(i) * each, each,
                  all.begin() + b->rows[i] * each);
  }
  return all;
}

const char* const everything =
    "[{type = 'pad_crop', padding = 2}, 'flip', {type = 'random_resized_crop', size = [6, 5]}, "
    "{type = 'color_jitter', brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0.1}, "
    "{type = 'grayscale', p = 0.3}, 'blur', {type = 'solarize', p = 0.5}, "
    "{type = 'normalize', mean = [0.5, 0.4, 0.3], std = [0.2, 0.3, 0.4]}, "
    "{type = 'cutout', size = 2}, {type = 'mixup', alpha = 0.4}]";

TEST(Transforms, DependOnSeedEpochAndSampleAlone) {
  const DatasetPointer base = images(21, 3, 8, 7);
  const DatasetPointer data = with(base, everything);
  const std::vector<float> expected = pass(data, 0, 2);
  for (const int workers : {1, 2, 4}) EXPECT_EQ(pass(data, workers, 2), expected) << workers;
  EXPECT_EQ(pass(data, 1, 2, 0, 5), expected);  // another batch size
  // After a resume in the middle of the epoch: the rest is what it would have been.
  const std::vector<float> resumed = pass(data, 2, 2, 8);
  std::size_t same = 0, left_out = 0;
  for (std::size_t i = 0; i < resumed.size(); ++i) {
    left_out += resumed[i] == -1;
    same += resumed[i] == expected[i];
  }
  EXPECT_EQ(left_out, std::size_t{8 * 3 * 6 * 5});
  EXPECT_EQ(same, resumed.size() - left_out);
  EXPECT_NE(pass(data, 1, 3), expected);                          // another epoch
  EXPECT_NE(pass(with(base, everything, 1, 8), 1, 2), expected);  // another seed
}

TEST(Transforms, EachSampleDrawsForItself) {
  const Tensor x = ones({8, 1, 4, 4});
  const auto same = std::make_shared<TensorDataset>(
      std::vector<TensorDataset::Column>{{{"x", {1, 4, 4}, Dtype::f32}, x}});
  const std::vector<float> v =
      pass(with(same, "[{type = 'color_jitter', brightness = 0.9}]"), 0, 0);
  std::set<float> values;
  for (std::size_t i = 0; i < 8; ++i) values.insert(v[16 * i]);
  EXPECT_GE(values.size(), 4u);  // factors above 1 are clamped to 1
}

TEST(Transforms, ViewsAreIndependent) {
  const DatasetPointer data = with(images(6, 1, 8, 8), "[{type = 'cutout', size = 4}]", 3);
  ASSERT_EQ(data->fields().size(), 4u);
  EXPECT_EQ(data->fields()[2].name, "x1");
  EXPECT_EQ(data->fields()[3].name, "x2");
  const auto a = pass(data, 1, 0, 0, 4, "x"), b = pass(data, 1, 0, 0, 4, "x1"),
             c = pass(data, 1, 0, 0, 4, "x2");
  EXPECT_NE(a, b);
  EXPECT_NE(b, c);
  EXPECT_EQ(pass(data, 4, 0, 0, 4, "x1"), b);
  // The first view is what one view alone would be.
  EXPECT_EQ(pass(with(images(6, 1, 8, 8), "[{type = 'cutout', size = 4}]"), 1, 0), a);
}

/// One transform on the image 0 ... n - 1 (of [0, 1] after / n).
Sample counted(std::int64_t c, std::int64_t h, std::int64_t w) {
  Sample s{{}, {c, h, w}};
  for (std::int64_t i = 0; i < c * h * w; ++i) s.values.push_back(static_cast<float>(i));
  return s;
}

TEST(Transforms, MovesPixelsAsItSays) {
  Keyed random(1, 0, 0, 0);
  Sample s = counted(1, 2, 3);
  Flip flip;
  flip.p = 1;
  flip.apply(s, random);
  EXPECT_EQ(s.values, (std::vector<float>{2, 1, 0, 5, 4, 3}));
  flip.vertical = true;
  flip.apply(s, random);
  EXPECT_EQ(s.values, (std::vector<float>{5, 4, 3, 2, 1, 0}));
  s = counted(1, 2, 3);
  crop(s, -1, 1, 2, 3, 9);
  EXPECT_EQ(s.values, (std::vector<float>{9, 9, 9, 1, 2, 9}));
  s = counted(1, 2, 2);  // PyTorch: interpolate(x, (3, 4), mode = 'bilinear')
  resize(s, 3, 4);
  const std::vector<float> expected = {0, .25, .75, 1, 1, 1.25, 1.75, 2, 2, 2.25, 2.75, 3};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_FLOAT_EQ(s.values[i], expected[i]) << i;
}

TEST(Transforms, CropsAndBoxesLieWhereTheyMay) {
  PadCrop pad;
  pad.padding = 1;
  std::set<float> corners;
  for (int i = 0; i < 60; ++i) {
    Keyed random(1, 0, i, 0);
    Sample s = counted(1, 3, 3);
    pad.apply(s, random);
    corners.insert(s.values[4]);  // the pixel in the middle comes from any of the nine
  }
  EXPECT_EQ(corners.size(), 9u);
  RandomResizedCrop crop;
  crop.size = {4, 4};
  for (int i = 0; i < 60; ++i) {
    Keyed random(1, 0, i, 0);
    Sample s{std::vector<float>(3 * 9 * 11, 0.25f), {3, 9, 11}};
    crop.apply(s, random);
    EXPECT_EQ(s.shape, (Shape{3, 4, 4}));
    for (const float v : s.values) ASSERT_FLOAT_EQ(v, 0.25f);  // nothing from outside the image
  }
}

TEST(Transforms, ChangesColorsAsItSays) {
  Keyed random(1, 0, 0, 0);
  const Sample red{{1, 0, 0}, {3, 1, 1}};
  Sample s = red;
  Grayscale gray;
  gray.p = 1;
  gray.apply(s, random);
  for (const float v : s.values) EXPECT_FLOAT_EQ(v, 0.299f);
  s = {{0.2f, 0.6f}, {1, 1, 2}};
  Solarize solarize;
  solarize.p = 1;
  solarize.apply(s, random);
  EXPECT_FLOAT_EQ(s.values[0], 0.2f);
  EXPECT_FLOAT_EQ(s.values[1], 0.4f);
  s = counted(2, 1, 2);
  Normalize n;
  n.mean = {1, 2};
  n.std = {2, 4};
  n.apply(s, random);
  EXPECT_EQ(s.values, (std::vector<float>{-0.5f, 0, 0, 0.25f}));
  // A blur keeps a constant and the sum of a point far from the border.
  Blur blur;
  blur.p = 1;
  blur.kernel = 5;
  s = {std::vector<float>(81, 0), {1, 9, 9}};
  s.values[40] = 1;
  blur.apply(s, random);
  double sum = 0;
  for (const float v : s.values) sum += double{v};
  EXPECT_NEAR(sum, 1, 1e-6);
  EXPECT_LT(s.values[40], 1);
  EXPECT_FLOAT_EQ(s.values[39], s.values[49]);
}

/// The circle of hues: the same colour seen by turning a whole number of thirds.
TEST(Transforms, HueTurnsAroundTheCircle) {
  ColorJitter jitter;
  jitter.hue = 0.5;
  std::set<int> largest;
  for (int i = 0; i < 40; ++i) {
    Keyed random(5, 0, i, 0);
    Sample s{{0.9f, 0.3f, 0.2f}, {3, 1, 1}};
    jitter.apply(s, random);
    EXPECT_NEAR(std::max({s.values[0], s.values[1], s.values[2]}), 0.9, 1e-5);  // value and
    EXPECT_NEAR(std::min({s.values[0], s.values[1], s.values[2]}), 0.2, 1e-5);  // range stay
    largest.insert(
        static_cast<int>(std::max_element(s.values.begin(), s.values.end()) - s.values.begin()));
  }
  EXPECT_EQ(largest.size(), 3u);
}

TEST(Transforms, MixingKeepsSumsOfClassesAndPixels) {
  const DatasetPointer base = images(9, 1, 6, 6);
  for (const char* kind : {"mixup", "cutmix"}) {
    const DatasetPointer data = with(base, std::string("['") + kind + "']");
    EXPECT_EQ(data->fields()[1].shape, (Shape{3}));
    int mixed = 0;
    for (std::int64_t i = 0; i < 9; ++i) {
      const std::vector<Tensor> sample = data->get(i), before = base->get(i);
      const auto y = sample[1].to_vector<float>();
      EXPECT_NEAR(y[0] + y[1] + y[2], 1, 1e-6);
      const float own = y[static_cast<std::size_t>(before[1].item<std::int64_t>())];
      const auto x = sample[0].to_vector<float>(), old = before[0].to_vector<float>();
      int changed = 0;
      for (std::size_t k = 0; k < x.size(); ++k) changed += x[k] != old[k];
      if (std::string(kind) == "cutmix") {
        EXPECT_LE(changed, 36 * (1 - own) + 36 * 0.001 + (own == 1 ? 36 : 0)) << i;
      }
      mixed += changed > 0;
    }
    EXPECT_GE(mixed, 4) << kind;
  }
}

TEST(Transforms, WithoutRandomOnesOnlyTheRestIsDone) {
  const DatasetPointer base = images(4, 3, 8, 8);
  const DatasetPointer all = with(base,
                                  "['flip', {type = 'resize', size = [4, 4]}, 'solarize', "
                                  "{type = 'normalize', std = 0.5}, 'mixup']",
                                  1, 7, /*random=*/false);
  const DatasetPointer rest =
      with(base, "[{type = 'resize', size = [4, 4]}, {type = 'normalize', std = 0.5}]");
  EXPECT_EQ(pass(all, 0, 0), pass(rest, 0, 0));
  EXPECT_EQ(all->fields()[1].dtype, Dtype::i64);
}

TEST(Transforms, MistakesAreNamed) {
  const DatasetPointer base = images(4, 3, 8, 8);
  const std::pair<const char*, const char*> cases[] = {
      {"['flop']", "unknown transform \"flop\"; there are: normalize, pad_crop"},
      {"[{type = 'normalize', mean = [1, 2], std = 1}]",
       "2 values do not fit samples of (3, 8, 8)"},
      {"[{type = 'normalize', std = 0}]", "std must be positive"},
      {"['normalize', 'solarize']", "put it before normalize"},
      {"['mixup', 'flip']", "flip must come before mixup or cutmix"},
      {"['mixup', 'cutmix']", "only one of mixup and cutmix"},
      {"[{type = 'blur', kernel = 4}]", "kernel must be odd"},
      {"[{type = 'center_crop', size = [9, 9]}]", "larger than the images (3, 8, 8)"},
      {"[{type = 'random_resized_crop', scale = [0.5, 2]}]", "scale at most 1"},
      {"[{type = 'flip', q = 1}]", "unknown key"},
  };
  for (const auto& [toml, says] : cases)
    EXPECT_NE(error_of(toml, base).find(says), std::string::npos) << error_of(toml, base);
}

}  // namespace
}  // namespace gradus::trainer
