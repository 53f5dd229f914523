// SPDX-License-Identifier: Apache-2.0
#include "inference/processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>
#include <thread>

#include "base/temporary_folder.h"

namespace millwright::inference {
namespace {

TEST(Processor, ListsCpusAsTheKernelDoes) {
  EXPECT_EQ(cpu_list(std::vector<int>{}), "");
  EXPECT_EQ(cpu_list(std::vector<int>{3}), "3");
  EXPECT_EQ(cpu_list(std::vector<int>{0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
}

// In threads of their own: a thread that is pinned stays so.
TEST(Processor, PinsTheThreadAndWhatItStarts) {
  std::thread([] {
    const std::vector<int> before = allowed_cpus();
    ASSERT_FALSE(before.empty());
    ASSERT_TRUE(pin_to(std::span(before).last(1)));
    EXPECT_EQ(allowed_cpus(), std::vector<int>{before.back()});
    std::thread([&] { EXPECT_EQ(::sched_getcpu(), before.back()); }).join();
  }).join();
}

TEST(Processor, ACpuThatIsNotOursIsRefusedWithThoseThatAre) {
  std::thread([] {
    const std::vector<int> before = allowed_cpus();
    for (const int cpu : {-1, 100'000}) {
      const auto pinned = pin_to(std::vector<int>{before.front(), cpu});
      ASSERT_FALSE(pinned);
      EXPECT_THAT(pinned.error().message, ::testing::HasSubstr(cpu_list(before)));
    }
    EXPECT_EQ(allowed_cpus(), before);
    EXPECT_TRUE(pin_to({}));
  }).join();
}

TEST(Processor, ReadsClocksOfTheCpusThatAreAskedFor) {
  const TemporaryFolder root;
  EXPECT_FALSE(clocks(std::vector<int>{0, 1}, root.path()));
  for (const auto& [cpu, khz] : {std::pair(0, "800000\n"), {1, "2400000\n"}, {2, "9000000\n"}, {3, "nonsense"}}) {
    const auto folder = root.path() / fmt::format("sys/devices/system/cpu/cpu{}/cpufreq", cpu);
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "scaling_cur_freq") << khz;
  }
  const auto found = clocks(std::vector<int>{0, 1, 3}, root.path());
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->least_mhz, 800.0);
  EXPECT_DOUBLE_EQ(found->most_mhz, 2'400.0);
}

}  // namespace
}  // namespace millwright::inference
