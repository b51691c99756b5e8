// Transforms from a configuration.
#include "gradus/trainer/data/transforms.h"

#include <algorithm>

#include "gradus/trainer/config/key.h"
#include "gradus/trainer/data/color.h"
#include "gradus/trainer/data/geometry.h"

namespace gradus::trainer {
namespace {

Key chance(double* p) { return Key("p", p, "How likely it is done.").at_least(0).at_most(1); }
Key pixels(const char* name, std::int64_t* value, const char* about) {
  return Key(name, value, about).at_least(1).at_most(4096);
}
Key size_key(std::vector<std::int64_t>* size) {
  return Key("size", size, "Height and width.").of_length(2).at_least(1).at_most(1e5).must_be_set();
}

/// Reads one entry of the list. Everything about a transform is in its lines here.
struct Reader {
  const Config& config;
  std::string key;
  Transforms& out;
  Shape shape;  // of what arrives here
  bool want_random;
  bool normalized = false;

  using Read = void (Reader::*)(const Value&);
  struct Row {
    const char* type;
    Read read;
    bool for_images;
    bool on_colors;  // wants values of [0, 1]
  };
  static const std::vector<Row>& rows();

  [[noreturn]] void fail(const std::string& text) const { config.fail(key, text); }

  void options(Value entry, Keys more) {
    std::string type;
    more.push_back(Key("type", &type, "The transform."));
    resolve(entry, more, key, config.folder);
  }
  template <class T>
  void add(T transform) {
    shape = transform.shape_after(shape);
    if (want_random || !transform.random())
      out.list.push_back(std::make_shared<T>(std::move(transform)));
  }

  void normalize(const Value& v) {
    Normalize t;
    // One number, or a list with one number a channel.
    Value entry = v;
    for (const char* name : {"mean", "std"}) {
      const Member* member = entry.find(name);
      if (member == nullptr || member->value.as<Value::Array>() != nullptr) continue;
      Value list = member->value;
      list.data = Value::Array{member->value};
      entry.set(name, list);
    }
    options(entry, {Key("mean", &t.mean, "Subtracted first; one, or one a channel."),
                    Key("std", &t.std, "Divided by after that.")});
    for (const auto* list : {&t.mean, &t.std}) {
      if (list->empty() ||
          (list->size() != 1 && (shape.empty() || list->size() != std::size_t(shape[0]))))
        fail("normalize: one mean and std, or one a channel: " + std::to_string(list->size()) +
             " values do not fit samples of " + to_string(shape));
    }
    for (const double s : t.std)
      if (!(s > 0)) fail("normalize: std must be positive");
    normalized = true;
    add(std::move(t));
  }
  void pad_crop(const Value& v) {
    PadCrop t;
    options(v, {pixels("padding", &t.padding, "Pixels on each side."),
                Key("fill", &t.fill, "Their value.")});
    add(t);
  }
  void flip(const Value& v) {
    Flip t;
    std::string axis = "horizontal";
    options(v, {chance(&t.p), Key("axis", &axis, "Left and right, or up and down change places.")
                                  .one_of({"horizontal", "vertical"})});
    t.vertical = axis == "vertical";
    add(t);
  }
  void random_resized_crop(const Value& v) {
    RandomResizedCrop t;
    t.size = {shape[1], shape[2]};
    options(v,
            {Key("size", &t.size, "Height and width of what comes out.").of_length(2).at_least(1),
             Key("scale", &t.scale, "Share of the area, least and most.").of_length(2).above(0),
             Key("ratio", &t.ratio, "Width / height, least and most.").of_length(2).above(0)});
    if (t.scale[0] > t.scale[1] || t.scale[1] > 1 || t.ratio[0] > t.ratio[1])
      fail("random_resized_crop: scale and ratio are [least, most], scale at most 1");
    add(std::move(t));
  }
  void resize(const Value& v) {
    Resize t;
    options(v, {size_key(&t.size)});
    add(std::move(t));
  }
  void center_crop(const Value& v) {
    CenterCrop t;
    options(v, {size_key(&t.size)});
    if (t.size[0] > shape[1] || t.size[1] > shape[2])
      fail("center_crop: larger than the images " + to_string(shape));
    add(std::move(t));
  }
  void cutout(const Value& v) {
    Cutout t;
    options(v, {pixels("size", &t.size, "Side of the square."), chance(&t.p),
                Key("fill", &t.fill, "Its value.")});
    add(t);
  }
  void color_jitter(const Value& v) {
    ColorJitter t;
    options(v, {Key("brightness", &t.brightness, "Up to this share.").at_least(0),
                Key("contrast", &t.contrast, "Up to this share.").at_least(0),
                Key("saturation", &t.saturation, "Up to this share.").at_least(0),
                Key("hue", &t.hue, "Up to this part of the circle.").at_least(0).at_most(0.5),
                chance(&t.p)});
    add(t);
  }
  void grayscale(const Value& v) {
    Grayscale t;
    options(v, {chance(&t.p)});
    add(t);
  }
  void blur(const Value& v) {
    Blur t;
    options(v, {pixels("kernel", &t.kernel, "Size; an odd number."), chance(&t.p),
                Key("sigma", &t.sigma, "pixels", "Least and most.").of_length(2).above(0)});
    if (t.kernel % 2 == 0 || t.sigma[0] > t.sigma[1])
      fail("blur: kernel must be odd and sigma [least, most]");
    add(std::move(t));
  }
  void solarize(const Value& v) {
    Solarize t;
    options(v, {Key("threshold", &t.threshold, "Values from here on are inverted."), chance(&t.p)});
    add(t);
  }
  void mixing(const Value& v, Mixing::Kind kind, double alpha) {
    if (out.mixing.kind != Mixing::Kind::none) fail("only one of mixup and cutmix");
    options(v,
            {Key("alpha", &alpha, "Of the beta distribution of the share.").above(0).at_most(1e3)});
    if (want_random) out.mixing = {kind, alpha};
  }
  void mixup(const Value& v) { mixing(v, Mixing::Kind::mixup, 0.2); }
  void cutmix(const Value& v) { mixing(v, Mixing::Kind::cutmix, 1); }
};

const std::vector<Reader::Row>& Reader::rows() {
  static const std::vector<Row> all = {
      {"normalize", &Reader::normalize, false, false},
      {"pad_crop", &Reader::pad_crop, true, false},
      {"flip", &Reader::flip, true, false},
      {"random_resized_crop", &Reader::random_resized_crop, true, false},
      {"resize", &Reader::resize, true, false},
      {"center_crop", &Reader::center_crop, true, false},
      {"cutout", &Reader::cutout, true, false},
      {"color_jitter", &Reader::color_jitter, true, true},
      {"grayscale", &Reader::grayscale, true, true},
      {"blur", &Reader::blur, true, false},
      {"solarize", &Reader::solarize, true, true},
      {"mixup", &Reader::mixup, false, false},
      {"cutmix", &Reader::cutmix, true, false},
  };
  return all;
}

/// A word, or the `type` of a table.
std::string type_of(const Value& entry) {
  if (const std::string* word = entry.as<std::string>()) return *word;
  const Member* type = entry.find("type");
  const std::string* word = type != nullptr ? type->value.as<std::string>() : nullptr;
  return word != nullptr ? *word : "";
}

}  // namespace

Transforms read_transforms(const Config& config, const std::string& key,
                           const std::vector<Value>& list, const Shape& shape, bool random) {
  Transforms out;
  Reader reader{config, key + ".transforms", out, shape, random};
  for (const Value& entry : list) {
    const std::string type = type_of(entry);
    const auto& rows = Reader::rows();
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const Reader::Row& r) { return type == r.type; });
    if (row == rows.end()) {
      std::string names;
      for (const Reader::Row& r : rows) names += (names.empty() ? "" : ", ") + std::string(r.type);
      reader.fail("unknown transform \"" + type + "\"; there are: " + names);
    }
    if (row->for_images && reader.shape.size() != 3)
      reader.fail(type + " needs images (C, H, W), the data has " + to_string(reader.shape));
    if (row->on_colors && reader.normalized)
      reader.fail(type + " works on values of [0, 1]: put it before normalize");
    if (out.mixing.kind != Mixing::Kind::none && type != "mixup" && type != "cutmix")
      reader.fail(type + " must come before mixup or cutmix, which is done last");
    Value table = entry;
    if (entry.as<std::string>() != nullptr) table.data = Value::Table{};
    (reader.*row->read)(table);
  }
  return out;
}

}  // namespace gradus::trainer
