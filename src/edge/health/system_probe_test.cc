// SPDX-License-Identifier: Apache-2.0
#include "edge/health/system_probe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace millwright::edge {
namespace {

// A machine made of files.
class SystemProbeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::path(::testing::TempDir()) / ("probe-" + std::to_string(::getpid()));
    std::filesystem::remove_all(root_);
    put("proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4\n");
    put("proc/meminfo", "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  std::filesystem::path root_;
};

TEST_F(SystemProbeTest, TellsProcessorTimeSinceTheReadBefore) {
  SystemProbe probe(root_);
  EXPECT_FALSE(probe.read().cpu_percent) << "no time has passed";
  put("proc/stat", "cpu  150 0 125 750 175 0 0 0 0 0\n");
  EXPECT_DOUBLE_EQ(probe.read().cpu_percent.value(), 100.0 * 75.0 / 200.0);
  put("proc/stat", "cpu  1 0 1 1 1 0 0 0 0 0\n");
  EXPECT_FALSE(probe.read().cpu_percent) << "counters that went back tell nothing";
}

TEST_F(SystemProbeTest, TellsMemoryOfTheMachineOrOfItsControlGroupWhicheverIsScarcer) {
  SystemProbe probe(root_);
  EXPECT_DOUBLE_EQ(probe.read().memory_percent.value(), 40.0);
  put("proc/self/cgroup", "0::/system.slice/agent.service\n");
  put("sys/fs/cgroup/system.slice/agent.service/memory.max", "1000\n");
  put("sys/fs/cgroup/system.slice/agent.service/memory.current", "900\n");
  EXPECT_DOUBLE_EQ(probe.read().memory_percent.value(), 90.0);
  put("sys/fs/cgroup/system.slice/agent.service/memory.max", "max\n");
  EXPECT_DOUBLE_EQ(probe.read().memory_percent.value(), 40.0);
}

TEST_F(SystemProbeTest, TellsTheHottestSensorThatCanBeMeant) {
  SystemProbe probe(root_);
  EXPECT_FALSE(probe.read().temperature_celsius);
  put("sys/class/thermal/thermal_zone0/temp", "41500\n");
  put("sys/class/hwmon/hwmon3/temp2_input", "47300\n");
  put("sys/class/hwmon/hwmon3/temp1_input", "-127000\n");
  put("sys/class/hwmon/hwmon3/temp3_input", "65535000\n");
  EXPECT_DOUBLE_EQ(probe.read().temperature_celsius.value(), 47.3);
}

TEST_F(SystemProbeTest, TellsThrottlingAndTheLoadOfAJetson) {
  put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
  put("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "4\n");
  put("sys/fs/cgroup/cpu.stat", "usage_usec 9\nnr_throttled 2\nthrottled_usec 2500000\n");
  put("sys/devices/platform/gpu.0/load", "455\n");
  SystemProbe probe(root_);
  const SystemFigures figures = probe.read();
  EXPECT_EQ(figures.thermal_throttles, 7U);
  EXPECT_DOUBLE_EQ(figures.cgroup_throttled_seconds.value(), 2.5);
  EXPECT_DOUBLE_EQ(figures.gpu_percent.value(), 45.5);
}

TEST_F(SystemProbeTest, LeavesEmptyWhatIsMissingOrNonsense) {
  for (const char* file : {"proc/stat", "proc/meminfo"}) put(file, "\x01\xff nonsense\n\n");
  SystemProbe probe(root_);
  const SystemFigures figures = probe.read();
  EXPECT_FALSE(figures.cpu_percent || figures.memory_percent || figures.gpu_percent || figures.temperature_celsius ||
               figures.thermal_throttles || figures.cgroup_throttled_seconds);
}

TEST(SystemProbe, ReadsThisMachine) {
  SystemProbe probe;
  const SystemFigures figures = probe.read();
  ASSERT_TRUE(figures.memory_percent);
  EXPECT_GT(*figures.memory_percent, 0.0);
  EXPECT_LT(*figures.memory_percent, 100.0);
  EXPECT_GT(figures.process_resident_bytes, 1'000'000U);
  EXPECT_GE(figures.process_descriptors, 3U);
  // A sanitizer brings a thread of its own.
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  EXPECT_EQ(figures.process_threads, std::distance(begin(tasks), end(tasks)));
}

}  // namespace
}  // namespace millwright::edge
