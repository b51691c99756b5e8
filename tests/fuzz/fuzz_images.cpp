// PNG and JPEG files, in one channel and in three.
#include "gradus/tests/fuzz/harness.h"
#include "gradus/trainer/data/readers.h"

namespace gradus::fuzz::images {

int one_input(Bytes bytes) {
  const auto path = Scratch::file("f.png", bytes);
  for (const int channels : {1, 3})
    answered([&] {
      const Tensor image = trainer::read_image(path, channels);
      must(image.dim() == 3 && image.size(0) == channels && image.numel() > 0,
           "a picture of (channels, height, width)");
    });
  return 0;
}

const Registered registered("images", one_input);

}  // namespace gradus::fuzz::images
