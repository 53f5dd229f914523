// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

#include "apps/millwright/demo.h"
#include "apps/millwright/records.h"
#include "base/child_process.h"
#include "base/files.h"

namespace millwright::apps {
namespace {

constexpr auto kProgressEvery = std::chrono::milliseconds(200);
constexpr uint64_t kMaxLogBytes = 64ULL << 20;

// Complete lines in every .jsonl below the folder: what a stranger would count, too.
class LineCount {
 public:
  explicit LineCount(std::filesystem::path folder) : folder_(std::move(folder)) {}
  uint64_t count() const {
    uint64_t lines = 0;
    std::error_code error;
    // The agent makes and removes files meanwhile: a folder that changed is counted again at the next look.
    for (std::filesystem::recursive_directory_iterator entry(folder_, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->path().extension() != ".jsonl") continue;
      std::ifstream in(entry->path(), std::ios::binary);
      lines += static_cast<uint64_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
    }
    return lines;
  }

 private:
  std::filesystem::path folder_;
};

void show(const std::string& what, uint64_t done, uint64_t expected) {
  const double share = expected == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(expected);
  const int full = static_cast<int>(share * 30.0);
  fmt::print(stderr, "\r  {:<34} [{:<30}] {:>6} of {} strokes", what, std::string(std::clamp(full, 0, 30), '#'), done,
             expected);
  std::fflush(stderr);
}

std::string last_lines(const std::filesystem::path& log, size_t count) {
  const auto text = read_text_file(log, kMaxLogBytes);
  if (!text) return text.error().message;
  size_t begin = text->size();
  for (size_t lines = 0; begin > 0 && lines <= count; --begin) lines += (*text)[begin - 1] == '\n' ? 1 : 0;
  return text->substr(begin);
}

}  // namespace

Status run_agent(const std::filesystem::path& config, const std::filesystem::path& state, uint64_t expected,
                 const std::string& what, const std::function<Status(uint64_t)>& watch) {
  const auto agent = program_folder() / "millwright-agent";
  auto log = config;
  log.replace_extension(".log");
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  ChildProcess child = MW_TRY(ChildProcess::start({{agent.string(), "--config", config.string(), "--fast"}, log}));
  const LineCount lines(state);
  const uint64_t before = lines.count();
  while (!child.poll()) {
    const uint64_t done = terminal || watch ? lines.count() - before : 0;
    if (terminal) show(what, done, expected);
    if (watch) MW_CHECK_OK(watch(done));
    std::this_thread::sleep_for(kProgressEvery);
  }
  show(what, lines.count() - before, expected);
  fmt::print(stderr, "\n");
  if (const int status = child.wait(); status != 0) {
    return fail(ErrorCode::kUnavailable, "{} ended with status {}; its log {} ends: {}", agent.string(), status,
                log.string(), last_lines(log, 3));
  }
  return {};
}

Result<lab::AssetReport> summarise(const std::string& name, const std::filesystem::path& records,
                                   const Judged& judged) {
  lab::AssetReport asset;
  asset.name = name;
  const auto all = MW_TRY_IN(name, read_records(records));
  if (auto status = check_contiguous(all); !status) return with_context(std::move(status).error(), name);
  asset.recorded = all.size();
  asset.triggered = judged.triggered;
  if (judged.known) asset.false_alarms = 0;
  bool alarmed = false;
  for (const model::StrokeRecord& record : all) {
    if (record.stroke_id <= judged.training_strokes) continue;
    asset.records.push_back(record);
    const bool fault = record.reason == model::Reason::kSensorFault;
    asset.sensor_faults += fault ? 1 : 0;
    asset.no_verdict += record.verdict == model::Verdict::kNoVerdict && !fault ? 1 : 0;
    asset.no_go += record.verdict == model::Verdict::kNoGo ? 1 : 0;
    const bool raised = record.alarm_active && !alarmed;
    alarmed = record.alarm_active;
    const bool healthy = judged.bad_from == 0 || record.stroke_id < judged.bad_from;
    if (judged.known && raised && healthy) ++*asset.false_alarms;
    if ((raised || record.trend.rising) && !asset.first_warning) asset.first_warning = record.stroke_id;
  }
  return asset;
}

Result<int> conclude(const std::filesystem::path& out, const lab::DemoReport& report) {
  MW_CHECK_OK(write_file_atomic(out / "report.html", lab::to_html(report)));
  fmt::print("\n{}\n", lab::to_text(report));
  for (const std::string& note : report.notes) fmt::print("{}\n", note);
  fmt::print("report: {}\n", (out / "report.html").string());
  for (const auto& asset : report.assets) {
    if (asset.recorded != asset.triggered) {
      fmt::print(stderr, "millwright: {}: {} strokes triggered but {} records written\n", asset.name, asset.triggered,
                 asset.recorded);
      return 1;
    }
  }
  return 0;
}

}  // namespace millwright::apps
