// Why CUDA cannot be used: each cause has its own words, and a machine without a GPU says one.
#include <gtest/gtest.h>

#include "gradus/kernels/create.h"
#include "gradus/tensor/cuda/diagnosis.h"
#include "gradus/tensor/cuda/runtime.h"

namespace gradus::cuda {
namespace {

TEST(CudaDiagnosis, EachCauseIsNamed) {
  const auto why = [](int status, int driver, const char* visible = nullptr) {
    return why_no_device(status, "cudaErrorName", driver, 13000, visible);
  };
  EXPECT_EQ(why(35, 0), "no NVIDIA driver is installed (libcuda.so.1 was not found)");
  EXPECT_EQ(why(35, 11080),
            "the NVIDIA driver is for CUDA 11.8, older than this build's CUDA 13.0: update the "
            "driver, or build with an older toolkit");
  EXPECT_EQ(why(100, 13000), "the driver sees no GPU");
  EXPECT_EQ(why(0, 13000), "the driver sees no GPU");
  EXPECT_EQ(why(100, 13000, ""), "the driver sees no GPU (CUDA_VISIBLE_DEVICES is '')");
  EXPECT_NE(why(803, 12040).find("different driver versions"), std::string::npos);
  EXPECT_EQ(why(999, 12040),
            "the driver failed to start: cudaErrorName (999), driver for CUDA 12.4, this build's "
            "CUDA 13.0");
}

TEST(CudaDiagnosis, CodeRunsWithinItsGenerationAndPtxOnAllLaterOnes) {
  const char* const usual = "75-real,80-real,90";
  EXPECT_FALSE(runs_on(usual, 7, 0));
  EXPECT_TRUE(runs_on(usual, 7, 5));
  EXPECT_TRUE(runs_on(usual, 8, 0));
  EXPECT_TRUE(runs_on(usual, 8, 9));
  EXPECT_TRUE(runs_on(usual, 9, 0));
  EXPECT_TRUE(runs_on(usual, 12, 0));
  EXPECT_FALSE(runs_on("80-real", 9, 0));
  EXPECT_FALSE(runs_on("86-real", 8, 0));
  EXPECT_TRUE(runs_on("80-virtual", 9, 0));
  EXPECT_FALSE(runs_on("90-virtual", 8, 0));
  EXPECT_TRUE(runs_on("90a", 9, 0));
  EXPECT_FALSE(runs_on("90a", 10, 0));
  EXPECT_TRUE(runs_on("100-real", 10, 3));
  EXPECT_FALSE(runs_on("", 9, 0));
}

TEST(CudaDiagnosis, AnOldDeviceIsNamedWithWhatTheBuildIsFor) {
  EXPECT_EQ(why_unsupported("Tesla V100", 7, 0, "75-real,90"),
            "Tesla V100 has compute capability 7.0; this build is for '75-real,90': build with "
            "-DCMAKE_CUDA_ARCHITECTURES=70");
}

std::string text_of_use(Device device) {
  try {
    full({2}, 1.0, {Dtype::f32, device});
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::device);
    return e.what();
  }
  return "";
}

TEST(CudaDiagnosis, UseOfADeviceThatDoesNotExistNamesTheOnesThatDo) {
  const int count = cuda_device_count();
  const std::string text = text_of_use(Device::cuda(count));
  if (count == 0) {
    EXPECT_FALSE(runtime::why_no_device().empty());
    EXPECT_EQ(text, "cuda:0 cannot be used: " + runtime::why_no_device());
  } else {
    EXPECT_TRUE(runtime::why_no_device().empty());
    const std::string last = std::to_string(count - 1);
    EXPECT_EQ(text, "cuda:" + std::to_string(count) +
                        " does not exist: the devices are cuda:0 to cuda:" + last);
  }
  EXPECT_NE(text_of_use(Device::cuda(-1)), "");
}

}  // namespace
}  // namespace gradus::cuda
