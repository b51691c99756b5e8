#include "gradus/trainer/data/jpeg.h"

#include <setjmp.h>

// What jpeglib.h needs and does not include comes first.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "gradus/tensor/error.h"

namespace gradus::trainer {
namespace {

/// More scans than any encoder writes: a small file could keep a reader busy for minutes.
constexpr int most_scans = 100;

/// The library reports errors by a jump: the functions that set one up hold nothing that needs a
/// destructor.
class Decoder {
 public:
  Decoder() {
    decoder_.err = jpeg_std_error(&errors_);
    decoder_.client_data = this;
    errors_.error_exit = [](j_common_ptr d) {
      auto* const self = static_cast<Decoder*>(d->client_data);
      d->err->format_message(d, self->wrong_);
      longjmp(self->back_, 1);
    };
    // Other warnings are of no weight: extra bytes before a marker, say.
    errors_.emit_message = [](j_common_ptr d, int level) {
      if (level < 0 && d->err->msg_code == JWRN_JPEG_EOF) d->err->error_exit(d);
    };
    monitor_.progress_monitor = [](j_common_ptr d) {
      if (reinterpret_cast<j_decompress_ptr>(d)->input_scan_number <= most_scans) return;
      auto* const self = static_cast<Decoder*>(d->client_data);
      std::snprintf(self->wrong_, sizeof self->wrong_, "more than %d scans", most_scans);
      longjmp(self->back_, 1);
    };
  }
  ~Decoder() { jpeg_destroy_decompress(&decoder_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool open(std::string_view file, int channels) {
    if (setjmp(back_) != 0) return false;
    jpeg_create_decompress(&decoder_);
    decoder_.progress = &monitor_;
    jpeg_mem_src(&decoder_, reinterpret_cast<const unsigned char*>(file.data()), file.size());
    jpeg_read_header(&decoder_, TRUE);
    const bool cmyk = decoder_.num_components == 4;
    decoder_.out_color_space = cmyk ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    return true;
  }
  std::int64_t height() const { return decoder_.image_height; }
  std::int64_t width() const { return decoder_.image_width; }
  /// Numbers a pixel has in the rows that read() gives.
  int components() const {
    return decoder_.num_components == 4 ? 4 : decoder_.out_color_space == JCS_RGB ? 3 : 1;
  }
  /// Printers' inks stand inverted in Adobe's files.
  bool inverted() const { return decoder_.saw_Adobe_marker != 0; }
  bool read(unsigned char* to) {
    if (setjmp(back_) != 0) return false;
    jpeg_start_decompress(&decoder_);
    while (decoder_.output_scanline < decoder_.output_height) {
      JSAMPROW row = to + static_cast<std::size_t>(decoder_.output_scanline) *
                              decoder_.output_width *
                              static_cast<std::size_t>(decoder_.output_components);
      jpeg_read_scanlines(&decoder_, &row, 1);
    }
    return true;
  }
  const char* wrong() const { return wrong_; }

 private:
  jpeg_decompress_struct decoder_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr monitor_{};
  jmp_buf back_;
  char wrong_[JMSG_LENGTH_MAX] = "";
};

/// (C, M, Y, K) into RGB or its luminance, in place of `values`.
std::vector<unsigned char> without_ink(const std::vector<unsigned char>& inks, bool inverted,
                                       int channels) {
  std::vector<unsigned char> out;
  out.reserve(inks.size() / 4 * static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i + 4 <= inks.size(); i += 4) {
    int color[3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int paper = inverted ? inks[i + c] : 255 - inks[i + c];
      const int light = inverted ? inks[i + 3] : 255 - inks[i + 3];
      color[c] = (paper * light + 127) / 255;
    }
    if (channels == 3)
      for (const int c : color) out.push_back(static_cast<unsigned char>(c));
    else  // the weights of JPEG's own luminance
      out.push_back(static_cast<unsigned char>(
          (299 * color[0] + 587 * color[1] + 114 * color[2] + 500) / 1000));
  }
  return out;
}

}  // namespace

Pixels read_jpeg(const std::string& path, std::string_view file, int channels) {
  Decoder decoder;
  check(decoder.open(file, channels), ErrorKind::corrupt, path, ": ", decoder.wrong());
  Pixels out{decoder.height(), decoder.width(), {}};
  // A few bytes may announce a huge picture. A bit for a block of 8 x 8 is the least there can be.
  check(static_cast<double>(out.height) * static_cast<double>(out.width) <=
            512.0 * static_cast<double>(file.size()) + 65'536,
        ErrorKind::corrupt, path, ": announces ", out.width, " x ", out.height, " pixels in ",
        file.size(), " bytes");
  out.values.resize(static_cast<std::size_t>(out.height * out.width * decoder.components()));
  check(decoder.read(out.values.data()), ErrorKind::corrupt, path, ": ", decoder.wrong());
  if (decoder.components() == 4) out.values = without_ink(out.values, decoder.inverted(), channels);
  return out;
}

}  // namespace gradus::trainer
