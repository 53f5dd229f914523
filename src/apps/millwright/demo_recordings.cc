// SPDX-License-Identifier: Apache-2.0
// The demo on somebody's own recordings: every file is one machine; the first part of it is taken as normal running.
#include <algorithm>
#include <cstdio>

#include "apps/millwright/demo.h"
#include "apps/millwright/demo_press.h"
#include "base/files.h"
#include "recording/recording.h"

namespace millwright::apps {
namespace {

constexpr size_t kMaxMachines = 64;
constexpr double kTrainingShare = 0.4;  // of each recording, from its beginning
constexpr double kShortestDeadlineMs = 1'000.0;

struct Machine {
  std::string name;
  std::filesystem::path path;
  double rate_hz = 0.0;
  size_t channels = 1;
  size_t length = 0;  // samples per stroke
  size_t strokes = 0;
  size_t training = 0;
  bool cut = false;            // from one long recording
  std::vector<float> samples;  // planar windows
};

std::string safe_name(const std::filesystem::path& path) {
  std::string name = path.stem().string();
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '-';
  }
  return name.empty() ? "machine" : name.substr(0, 48);
}

// A long recording becomes windows that follow one another, as the agent's fixed trigger will cut them.
std::vector<float> cut(const recording::Recording& recording, size_t length) {
  const size_t windows = recording.length / length;
  std::vector<float> samples;
  samples.reserve(windows * recording.channels * length);
  for (size_t w = 0; w < windows; ++w) {
    for (size_t c = 0; c < recording.channels; ++c) {
      const auto part = recording.channel(c).subspan(w * length, length);
      samples.insert(samples.end(), part.begin(), part.end());
    }
  }
  return samples;
}

Result<Machine> read_machine(const std::filesystem::path& path, const DemoOptions& options) {
  recording::ReadOptions reading;
  if (options.rate_hz > 0.0) reading.rate_hz = options.rate_hz;
  recording::Recording recording = MW_TRY(recording::read_recording(path, reading));
  Machine machine{.name = safe_name(path),
                  .path = std::filesystem::absolute(path),
                  .rate_hz = recording.rate_hz,
                  .channels = recording.channels};
  machine.cut = recording.windows == 0;
  machine.length = machine.cut ? options.window : recording.length;
  machine.strokes = machine.cut ? recording.length / options.window : recording.windows;
  machine.samples = machine.cut ? cut(recording, options.window) : std::move(recording.samples);
  machine.training = static_cast<size_t>(kTrainingShare * static_cast<double>(machine.strokes));
  return machine;
}

std::string asset_config(const Machine& machine, const std::filesystem::path& bundle, double deadline_ms) {
  return fmt::format(
      "\n[[asset]]\nid = \"{}\"\ndeadline_ms = {:.0f}\nbundle = {}\n"
      "[asset.window]\nchannels = {}\nlength = {}\nrate_hz = {}\n"
      "[asset.trigger]\nkind = \"{}\"\n[asset.source]\nkind = \"recording\"\npaths = [{}]\n"
      "[asset.output]\nkind = \"none\"\non_start = \"stop\"\non_no_verdict = \"hold\"\non_death = \"stop\"\n",
      machine.name, deadline_ms, toml_text(bundle), machine.channels, machine.length, machine.rate_hz,
      machine.cut ? "fixed" : "external", toml_text(machine.path));
}

double deadline_ms(const Machine& machine) {
  const double window_ms = machine.rate_hz > 0.0 ? 1000.0 * static_cast<double>(machine.length) / machine.rate_hz : 0.0;
  return std::max(kShortestDeadlineMs, 2.0 * window_ms);
}

void add_pictures(const Machine& machine, lab::AssetReport& asset) {
  const auto by_score = [](const auto& a, const auto& b) { return a.score < b.score; };
  std::vector<model::StrokeRecord> judged;
  for (const auto& record : asset.records) {
    if (record.verdict != model::Verdict::kNoVerdict) judged.push_back(record);
  }
  const auto worst = std::max_element(judged.begin(), judged.end(), by_score);
  const auto best = std::min_element(judged.begin(), judged.end(), by_score);
  if (worst == judged.end()) return;
  for (const auto& [record, css] : {std::pair(worst, "bad"), std::pair(best, "good")}) {
    const size_t index = record->stroke_id - 1;
    if (index >= machine.strokes) continue;
    const auto first = machine.samples.begin() + static_cast<std::ptrdiff_t>(index * machine.channels * machine.length);
    asset.pictures.push_back(
        {fmt::format("stroke {}: {}, score {:.2f}", record->stroke_id, name(record->verdict), record->score), css,
         std::vector<float>(first, first + static_cast<std::ptrdiff_t>(machine.length))});
  }
}

Status train_machine(const Machine& machine, const std::filesystem::path& out) {
  const auto folder = out / "training" / machine.name;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot make the folder: {}", folder.string(), error.message());
  const auto samples = std::span(machine.samples).first(machine.training * machine.channels * machine.length);
  MW_CHECK_OK(
      recording::write_npy(folder / "normal.npy", samples, {machine.training, machine.channels, machine.length}));
  return train_press(machine.name, folder, machine.rate_hz, machine.length,
                     out / "bundles" / (machine.name + ".bundle"));
}

Result<std::vector<Machine>> read_machines(const DemoOptions& options) {
  const auto paths = MW_TRY(recording::list_recordings(options.data));
  if (paths.size() > kMaxMachines) {
    return fail(ErrorCode::kTooLarge, "{}: {} recordings; the demo takes at most {}, one per machine",
                options.data.string(), paths.size(), kMaxMachines);
  }
  std::vector<Machine> machines;
  for (const auto& path : paths) {
    fmt::print(stderr, "  reading {}\n", path.string());
    machines.push_back(MW_TRY(read_machine(path, options)));
    // "a.csv" and "a.npy" are two machines.
    const std::string name = machines.back().name;
    const auto taken = [&machines](const std::string& wanted) {
      return std::any_of(machines.begin(), machines.end() - 1,
                         [&wanted](const Machine& m) { return m.name == wanted; });
    };
    for (int n = 2; taken(machines.back().name); ++n) machines.back().name = fmt::format("{}-{}", name, n);
  }
  return machines;
}

}  // namespace

Result<int> demo_on_recordings(const DemoOptions& options) {
  const auto out = std::filesystem::absolute(options.out);
  std::error_code error;
  for (const char* folder : {"state", "training", "bundles"}) {
    std::filesystem::remove_all(out / folder, error);
    std::filesystem::create_directories(out / folder, error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot make the folder: {}", (out / folder).string(), error.message());
  }
  fmt::print(stderr, "1. The recordings are read; the first {:.0f} % of each is taken as normal running.\n",
             100.0 * kTrainingShare);
  const auto machines = MW_TRY(read_machines(options));
  fmt::print(stderr, "2. Normal running is learnt, one bundle per machine.\n");
  std::string config = fmt::format(
      "# Written by `millwright demo`.\n[agent]\ndevice_id = \"demo-box\"\nfactory_id = \"demo\"\nline_id = "
      "\"line-1\"\nstate = {}\n",
      toml_text(out / "state"));
  uint64_t strokes = 0;
  for (const Machine& machine : machines) {
    MW_CHECK_OK(train_machine(machine, out));
    config += asset_config(machine, out / "bundles" / (machine.name + ".bundle"), deadline_ms(machine));
    strokes += machine.strokes;
  }
  fmt::print(stderr, "3. The agent plays the recordings from their beginning and decides every stroke.\n");
  MW_CHECK_OK(write_file_atomic(out / "agent.toml", config));
  MW_CHECK_OK(run_agent(out / "agent.toml", out / "state", strokes, "deciding"));

  lab::DemoReport report{.title = "Your recordings",
                         .subtitle = "Nobody has said which strokes are bad: look at what was found.",
                         .assets = {},
                         .notes = {}};
  for (const Machine& machine : machines) {
    const Judged judged{.training_strokes = 0, .triggered = machine.strokes, .known = false};
    lab::AssetReport asset = MW_TRY(summarise(machine.name, out / "state" / machine.name / "records", judged));
    asset.story = fmt::format("{}; strokes 1 to {} were taken as normal running.", machine.path.filename().string(),
                              machine.training);
    asset.rate_hz = machine.rate_hz;
    asset.deadline_us = deadline_ms(machine) * 1000.0;
    if (machine.rate_hz > 0.0) asset.window_us = 1e6 * static_cast<double>(machine.length - 1) / machine.rate_hz;
    add_pictures(machine, asset);
    report.assets.push_back(std::move(asset));
  }
  return conclude(out, report);
}

}  // namespace millwright::apps
