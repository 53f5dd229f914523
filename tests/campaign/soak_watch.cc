// SPDX-License-Identifier: Apache-2.0
#include "campaign/soak_watch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace millwright::campaign {
namespace {

constexpr double kSecondsPerHour = 3600.0;
constexpr double kLeakBytesPerHour = 3e6;
constexpr double kKibi = 1024.0;

[[noreturn]] void leak(double every_s) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const double page_s = static_cast<double>(page) / (kLeakBytesPerHour / kSecondsPerHour);
  const auto start = std::chrono::steady_clock::now();
  double pages = 0.0;
  double others = 0.0;
  while (true) {
    const double now = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (; pages * page_s < now; pages += 1.0) {
      auto* lost = static_cast<volatile char*>(
          ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      *lost = 1;
    }
    for (; others * every_s < now; others += 1.0) {
      [[maybe_unused]] const int lost = ::open("/dev/null", O_RDONLY);
      std::thread([] { ::pause(); }).detach();
    }
    ::usleep(20'000);
  }
}

}  // namespace

Result<Footprint> footprint_of(pid_t process, double seconds) {
  const std::filesystem::path folder = "/proc/" + std::to_string(process);
  Footprint found{.seconds = seconds};
  std::ifstream status(folder / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) found.resident_bytes = std::stod(line.substr(6)) * kKibi;
    if (line.starts_with("Threads:")) found.threads = std::stoull(line.substr(8));
  }
  std::error_code error;
  for (const auto& one : std::filesystem::directory_iterator(folder / "fd", error)) {
    (void)one;
    ++found.descriptors;
  }
  if (error || found.threads == 0) return fail(ErrorCode::kUnavailable, "process {} is gone", process);
  return found;
}

bool Growth::memory_leaks() const { return bytes_per_hour >= kMostBytesPerHour; }

nlohmann::ordered_json Growth::json() const {
  return {{"rss_slope_mb_per_h", bytes_per_hour / 1e6},
          {"rss_first_mb", first_bytes / 1e6},
          {"rss_last_mb", last_bytes / 1e6},
          {"rss_most_mb", most_bytes / 1e6},
          {"descriptors", {first_descriptors, last_descriptors}},
          {"threads", {first_threads, last_threads}}};
}

Growth growth_of(const std::vector<Footprint>& samples, double warm_up_s) {
  std::vector<Footprint> judged;
  std::ranges::copy_if(samples, std::back_inserter(judged), [&](const Footprint& s) { return s.seconds >= warm_up_s; });
  MW_CHECK(judged.size() >= 3, "a slope needs samples");
  const auto n = static_cast<double>(judged.size());
  double mean_t = 0.0;
  double mean_b = 0.0;
  for (const Footprint& s : judged) {
    mean_t += s.seconds / n;
    mean_b += s.resident_bytes / n;
  }
  double tt = 0.0;
  double tb = 0.0;
  for (const Footprint& s : judged) {
    tt += (s.seconds - mean_t) * (s.seconds - mean_t);
    tb += (s.seconds - mean_t) * (s.resident_bytes - mean_b);
  }
  const auto third = static_cast<std::ptrdiff_t>(judged.size() / 3);
  const auto least = [&](auto member, bool last) {
    const auto begin = last ? judged.end() - third : judged.begin();
    return (*std::ranges::min_element(begin, begin + third, {}, member)).*member;
  };
  return {.bytes_per_hour = tt > 0.0 ? tb / tt * kSecondsPerHour : 0.0,
          .first_descriptors = least(&Footprint::descriptors, false),
          .last_descriptors = least(&Footprint::descriptors, true),
          .first_threads = least(&Footprint::threads, false),
          .last_threads = least(&Footprint::threads, true),
          .first_bytes = judged.front().resident_bytes,
          .last_bytes = judged.back().resident_bytes,
          .most_bytes = std::ranges::max_element(judged, {}, &Footprint::resident_bytes)->resident_bytes};
}

LeakingProcess::LeakingProcess(double every_s) : pid_(::fork()) {
  MW_CHECK(pid_ >= 0, "a campaign needs processes");
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  leak(every_s);
}

LeakingProcess::~LeakingProcess() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace millwright::campaign
