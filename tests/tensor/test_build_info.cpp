// The library says what it is, and this processor can run the tests.
#include <gtest/gtest.h>

#include "gradus/config.h"
#include "gradus/tensor/build_info.h"
#include "gradus/tensor/processor.h"

TEST(BuildInfo, says_version_compiler_and_flags) {
  EXPECT_EQ(gradus::version(), GRADUS_VERSION);
  const std::string info = gradus::build_info();
  EXPECT_TRUE(info.starts_with("gradus " GRADUS_VERSION)) << info;
  for (const char* part : {__VERSION__, "-ffp-contract=off", "cpu"})
    EXPECT_NE(info.find(part), std::string::npos) << part << " is not in: " << info;
}

TEST(BuildInfo, knows_what_the_processor_lacks) {
  EXPECT_EQ(gradus::missing_instruction_set(), nullptr);
#if defined(__x86_64__)  // the least we build for; a library that needs nothing would check nothing
  EXPECT_TRUE(gradus::detail::processor_needs & gradus::detail::avx2);
  EXPECT_TRUE(gradus::detail::processor_needs & gradus::detail::fma);
#endif
}
