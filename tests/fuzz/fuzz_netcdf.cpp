// NetCDF-3 files.
#include "gradus/tests/fuzz/harness.h"
#include "gradus/trainer/data/readers.h"

namespace gradus::fuzz::netcdf {

int one_input(Bytes bytes) {
  const auto path = Scratch::file("f.nc", bytes);
  return answered([&] {
    std::int64_t numbers = 0;
    for (const trainer::NetcdfVariable& v : trainer::read_netcdf(path)) numbers += v.data.numel();
    const bool packed = bytes[0] == 0x1f && bytes[1] == 0x8b;
    must(numbers <= static_cast<std::int64_t>(bytes.size()) * (packed ? 1032 : 1),
         "all variables together hold no more numbers than the file has bytes");
  });
}

const Registered registered("netcdf", one_input);

}  // namespace gradus::fuzz::netcdf
