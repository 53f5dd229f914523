// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <optional>

#include "apps/millwright/demo.h"
#include "apps/millwright/demo_plant.h"
#include "apps/millwright/demo_press.h"
#include "base/files.h"
#include "edge/press_signal.h"

namespace millwright::apps {
namespace {

Status make_folders(const DemoPhase& phase) {
  std::error_code error;
  for (const auto& folder : {phase.state, phase.training, phase.bundles}) {
    std::filesystem::remove_all(folder, error);
    std::filesystem::create_directories(folder, error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot make the folder: {}", folder.string(), error.message());
  }
  return {};
}

Status write_config(const std::filesystem::path& path, const std::vector<DemoPress>& presses, const DemoPhase& phase) {
  return write_file_atomic(path, demo_config(presses, phase));
}

// The same stroke that the agent saw, made again: the simulation depends on its seed and the stroke alone.
std::vector<float> samples_of(const DemoPress& press, uint64_t stroke) {
  edge::PressOptions options;
  options.rate_hz = kDemoRateHz;
  options.length = kDemoWindow;
  options.wear_from_stroke = press.wear_from;
  options.failure_stroke = press.failure;
  options.loose_from_stroke = press.loose_from;
  options.seed = press.seed;
  std::vector<float> samples(kDemoWindow);
  edge::PressSignal(options).stroke(stroke, 0, samples);
  return samples;
}

std::string title_of(const model::StrokeRecord& record) {
  if (record.verdict == model::Verdict::kNoVerdict) {
    return fmt::format("stroke {}: {} ({})", record.stroke_id, name(record.verdict), name(record.reason));
  }
  return fmt::format("stroke {}: {}, score {:.2f}", record.stroke_id, name(record.verdict), record.score);
}

// A good stroke from the beginning beside the worst one, or beside the first sensor fault.
void add_pictures(const DemoPress& press, lab::AssetReport& asset) {
  const model::StrokeRecord* good = nullptr;
  const model::StrokeRecord* bad = nullptr;
  for (const auto& record : asset.records) {
    if (good == nullptr && record.verdict == model::Verdict::kGo) good = &record;
    const bool fault = record.verdict == model::Verdict::kNoVerdict;
    if (fault && (bad == nullptr || bad->verdict != model::Verdict::kNoVerdict)) bad = &record;
    if (record.verdict == model::Verdict::kNoGo &&
        (bad == nullptr || (bad->verdict == model::Verdict::kNoGo && record.score > bad->score))) {
      bad = &record;
    }
  }
  if (bad != nullptr) asset.pictures.push_back({title_of(*bad), "bad", samples_of(press, bad->stroke_id)});
  if (good != nullptr) asset.pictures.push_back({title_of(*good), "good", samples_of(press, good->stroke_id)});
}

Result<lab::AssetReport> report_of(const DemoPress& press, const DemoPhase& phase) {
  const Judged judged{.training_strokes = kDemoTrainingStrokes, .triggered = kDemoStrokes, .bad_from = press.wear_from};
  lab::AssetReport asset = MW_TRY(summarise(press.name, phase.state / press.name / "records", judged));
  asset.story = press.story;
  asset.rate_hz = kDemoRateHz;
  asset.deadline_us = kDemoDeadlineMs * 1000.0;
  asset.window_us = 1e6 * static_cast<double>(kDemoWindow - 1) / kDemoRateHz;
  if (press.failure > 0) asset.failure = press.failure;
  add_pictures(press, asset);
  return asset;
}

// What the demo promises; each broken promise is one line, and the exit status says no.
std::vector<std::string> broken_promises(const std::vector<DemoPress>& presses,
                                         const std::vector<lab::AssetReport>& assets) {
  std::vector<std::string> broken;
  for (size_t i = 0; i < presses.size(); ++i) {
    const DemoPress& press = presses[i];
    const lab::AssetReport& asset = assets[i];
    if (press.failure > 0 &&
        (!asset.first_warning || *asset.first_warning >= press.failure || *asset.first_warning < press.wear_from)) {
      broken.push_back(press.name + ": the worn die was not announced between its first wear and its failure");
    }
    if (press.failure == 0 && asset.first_warning)
      broken.push_back(press.name + ": announced although nothing is wrong with its die");
    if (press.loose_from > 0 && asset.sensor_faults == 0)
      broken.push_back(press.name + ": the loose sensor was not found");
    if (press.loose_from == 0 && asset.sensor_faults > 0)
      broken.push_back(press.name + ": a sensor fault although its sensor is sound");
    if (asset.false_alarms.value_or(0) > 0)
      broken.push_back(fmt::format("{}: {} false alarms", press.name, *asset.false_alarms));
    if (asset.no_verdict > 0)
      broken.push_back(fmt::format("{}: {} strokes without a verdict", press.name, asset.no_verdict));
  }
  return broken;
}

// Every stroke must have reached the listener, those of the time without a broker late.
std::vector<std::string> broken_promises(const lab::LinkReport& link) {
  std::vector<std::string> broken;
  uint64_t late = 0;
  for (const auto& press : link.presses) {
    late += press.late;
    if (press.arrived != press.strokes) {
      broken.push_back(fmt::format("{}: {} of {} strokes arrived", press.name, press.arrived, press.strokes));
    }
  }
  if (late == 0) broken.emplace_back("no stroke came late: the broker was not away while strokes were decided");
  if (link.alerts == 0) broken.emplace_back("no alert reached the listener");
  return broken;
}

// Kills the broker a quarter of the way, and starts it again kCut later.
class Outage {
 public:
  Outage(DemoPlant& plant, uint64_t after_strokes) : plant_(plant), after_strokes_(after_strokes) {}
  Status watch(uint64_t strokes) {
    if (!cut_ && strokes >= after_strokes_) {
      cut_ = Instant::now();
      fmt::print(stderr, "\r{:<100}\r  the broker is killed; the presses go on\n", "");
      return plant_.cut();
    }
    if (cut_ && !mended_ && Instant::now() - *cut_ >= kCut) {
      mended_ = true;
      fmt::print(stderr, "\r{:<100}\r  the broker is back\n", "");
      return plant_.mend();
    }
    return {};
  }

 private:
  using Instant = std::chrono::steady_clock;
  static constexpr auto kCut = std::chrono::seconds(20);
  DemoPlant& plant_;
  uint64_t after_strokes_;
  std::optional<Instant::time_point> cut_;
  bool mended_ = false;
};

}  // namespace

Result<int> demo_on_presses(const DemoOptions& options) {
  const std::vector<DemoPress> presses = demo_presses();
  const auto out = std::filesystem::absolute(options.out);
  DemoPhase phase{.collect = true, .state = out / "state", .training = out / "training", .bundles = out / "bundles"};
  MW_CHECK_OK(make_folders(phase));
  DemoPlant plant = MW_TRY(DemoPlant::start(out / "plant"));
  phase.link = plant.agent_sections();
  fmt::print(stderr, "1. Four presses run normally; the agent has no model yet and collects their first {} strokes.\n",
             kDemoTrainingStrokes);
  MW_CHECK_OK(write_config(out / "collect.toml", presses, phase));
  MW_CHECK_OK(run_agent(out / "collect.toml", phase.state, presses.size() * kDemoTrainingStrokes, "collecting"));

  fmt::print(stderr, "2. Normal running is learnt, one bundle per press.\n");
  for (const DemoPress& press : presses) {
    MW_CHECK_OK(train_press(press.name, phase.training / press.name, kDemoRateHz, kDemoWindow,
                            phase.bundles / (press.name + ".bundle")));
  }

  fmt::print(
      stderr,
      "3. The agent goes on at the next stroke and decides every one; one die wears, one sensor comes loose, and "
      "the broker is away for 20 s.\n");
  phase.collect = false;
  MW_CHECK_OK(write_config(out / "agent.toml", presses, phase));
  const uint64_t strokes = presses.size() * (kDemoStrokes - kDemoTrainingStrokes);
  Outage outage(plant, strokes / 4);
  MW_CHECK_OK(run_agent(out / "agent.toml", phase.state, strokes, "deciding",
                        [&outage](uint64_t done) { return outage.watch(done); }));

  lab::DemoReport report{
      .title = "Four presses, one wearing die, one loose sensor",
      .subtitle =
          "Simulated presses (never evidence of how well a method works), played as fast as the machine allows; "
          "trained on their first strokes, then every stroke judged.",
      .assets = {},
      .link = {},
      .notes = {}};
  std::vector<std::pair<std::string, uint64_t>> expected;
  expected.reserve(presses.size());
  for (const DemoPress& press : presses) expected.emplace_back(press.name, kDemoStrokes);
  report.link = MW_TRY(plant.finish(expected));
  for (const DemoPress& press : presses) report.assets.push_back(MW_TRY(report_of(press, phase)));
  auto broken = broken_promises(presses, report.assets);
  for (std::string& promise : broken_promises(*report.link)) broken.push_back(std::move(promise));
  report.notes.insert(report.notes.end(), broken.begin(), broken.end());
  const int status = MW_TRY(conclude(out, report));
  return broken.empty() ? status : 1;
}

}  // namespace millwright::apps
