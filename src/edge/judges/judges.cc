// SPDX-License-Identifier: Apache-2.0
#include "edge/judges/judges.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "edge/event_log.h"
#include "edge/judges/bundle_judge.h"

namespace millwright::edge {
namespace {

using inference::Rung;
using inference::RungFinding;
using inference::RungState;
using nlohmann::json;

constexpr int64_t kFirstRetryNs = 2'000'000'000;
constexpr int64_t kLongestRetryNs = 300'000'000'000;
constexpr double kNanosPerSecond = 1e9;
// Strokes in a row that a rung may fail on before it is left.
constexpr uint64_t kFailuresBorne = 3;

std::string where(const AssetConfig& asset) {
  return fmt::format("asset '{}': bundle {}", asset.id, asset.bundle.string());
}

std::vector<RungFinding> untried(std::span<const Rung> rungs) {
  std::vector<RungFinding> findings;
  for (const Rung& rung : rungs) findings.push_back({.provider = rung.provider, .why = {}, .report = {}});
  return findings;
}

size_t index_of(std::span<const RungFinding> findings, inference::Provider provider) {
  return static_cast<size_t>(std::ranges::find(findings, provider, &RungFinding::provider) - findings.begin());
}

json as_json(std::span<const RungFinding> findings) {
  json rungs = json::array();
  for (const RungFinding& finding : findings) {
    json rung = {{"provider", runtime_name(finding.provider)}, {"state", name(finding.state)}};
    if (!finding.why.empty()) rung["why"] = finding.why;
    if (finding.report.runs > 0) rung["p95_ms"] = finding.report.p95_ms;
    rungs.push_back(std::move(rung));
  }
  return rungs;
}

// A rung that is not there is no news for a box that never had it; one that is there and does not do is.
bool is_trouble(const RungFinding& finding) {
  return finding.state == RungState::kDisagrees || finding.state == RungState::kTooSlow ||
         finding.state == RungState::kFailed;
}

}  // namespace

Judges::Judges(const Config& config, const Clock& clock, metrics::Registry& metrics, JudgeMaker maker)
    : config_(config), clock_(clock), metrics_(metrics), maker_(std::move(maker)), climber_(maker_) {}

Judges::~Judges() = default;

Status Judges::load_all(Assets assets, bool live) {
  for (const auto& asset : assets) {
    if (asset->live() != live || asset->config().bundle.empty()) continue;
    const Status loaded = load(*asset, asset->config());
    if (loaded) continue;
    if (!live) return loaded;
    refuse(*asset, asset->config(), loaded.error());
  }
  return {};
}

bool Judges::reload(Asset& asset, const std::filesystem::path& bundle) {
  AssetConfig wanted = asset.config();
  wanted.bundle = bundle;
  if (const Status loaded = load(asset, wanted); !loaded) {
    refuse(asset, wanted, loaded.error());
    return false;
  }
  retries_.erase(asset.id());
  asset.set_bundle(bundle);
  return true;
}

Status Judges::load(Asset& asset, const AssetConfig& config) {
  auto bundle = std::make_shared<const model::LoadedBundle>(MW_TRY(maker_.load(config)));
  if (bundle->digest == asset.model()) return {};
  return begin(asset, config, std::move(bundle), untried(config_.inference.ladder));
}

// First in a confined child on the CPU: a model that never returns or eats all memory must not do so here, nor in a
// child on a GPU, which cannot be confined.
Status Judges::begin(Asset& asset, const AssetConfig& config, std::shared_ptr<const model::LoadedBundle> bundle,
                     std::vector<RungFinding> findings) {
  const std::string context = where(config);
  const auto sound = MW_TRY_IN(context, maker_.try_on(*bundle, Rung{}, -1));
  const std::vector<Rung>& rungs = config_.inference.ladder;
  Ladder ladder{.config = config, .bundle = bundle, .findings = std::move(findings), .serving = rungs.size()};
  const size_t cpu = index_of(ladder.findings, inference::Provider::kCpu);
  if (cpu < rungs.size()) {
    RungFinding& finding = ladder.findings[cpu];
    finding.report = sound;
    if (const Status fast = within_budget(*bundle, sound, config_.inference); fast) {
      MW_CHECK_OK(asset.offer(MW_TRY_IN(context, maker_.make(*bundle, rungs[cpu]))));
      serve(asset, ladder, cpu);
    } else {
      finding.state = RungState::kTooSlow;
      finding.why = fast.error().message;
    }
  }
  ClimbOrder order{.asset = asset.id(), .bundle = std::move(bundle), .rungs = {}};
  for (size_t i = 0; i < rungs.size(); ++i) {
    if (i == cpu || ladder.findings[i].state == RungState::kFailed) continue;
    if (i < ladder.serving) {
      order.rungs.push_back(rungs[i]);
    } else {
      ladder.findings[i].state = RungState::kUnneeded;
    }
  }
  if (ladder.serving == rungs.size() && order.rungs.empty()) {
    return fail(ErrorCode::kTimedOut, "{}: no provider serves: {}", context, ladder.findings.front().why);
  }
  if (!order.rungs.empty()) climber_.order(std::move(order));
  show(asset.id(), ladder);
  ladders_[asset.id()] = std::move(ladder);
  return {};
}

void Judges::serve(Asset& asset, Ladder& ladder, size_t index) {
  if (ladder.serving < ladder.findings.size()) ladder.findings[ladder.serving].state = RungState::kUnneeded;
  ladder.serving = index;
  ladder.findings[index].state = RungState::kServing;
  ladder.failures_before = asset.model_failures();
  log_event(Level::kInfo, "model_loaded",
            {{"asset_id", asset.id()},
             {"model", ladder.bundle->digest.hex()},
             {"bundle", ladder.config.bundle.string()},
             {"provider", runtime_name(ladder.findings[index].provider)}});
}

// A disk or a child process that was too slow may do better later; a bundle that is wrong stays wrong.
void Judges::refuse(Asset& asset, const AssetConfig& config, const Error& why) {
  const bool may_pass =
      why.code == ErrorCode::kTimedOut || why.code == ErrorCode::kUnavailable || why.code == ErrorCode::kIo;
  json details = {{"asset_id", asset.id()}, {"error", why.message}};
  if (may_pass) {
    Retry& retry = retries_[asset.id()];
    retry.config = config;
    retry.wait_ns = std::clamp(2 * retry.wait_ns, kFirstRetryNs, kLongestRetryNs);
    retry.next_ns = clock_.monotonic_ns() + retry.wait_ns;
    details["next_try_s"] = static_cast<double>(retry.wait_ns) / kNanosPerSecond;
  } else {
    retries_.erase(asset.id());
    if (asset.model() == Digest{}) asset.give_up_judge();
  }
  log_event(Level::kError, may_pass ? "model_not_loaded" : "model_refused", details);
}

void Judges::retry(Assets assets) {
  for (const auto& asset : assets) {
    const auto found = retries_.find(asset->id());
    if (found == retries_.end() || clock_.monotonic_ns() < found->second.next_ns) continue;
    const AssetConfig config = found->second.config;
    if (const Status loaded = load(*asset, config); !loaded) {
      refuse(*asset, config, loaded.error());
      continue;
    }
    retries_.erase(asset->id());
    asset->set_bundle(config.bundle);
  }
}

void Judges::tick(Assets assets) {
  retry(assets);
  for (ClimbNews& news : climber_.news()) {
    const auto asset = std::ranges::find(assets, news.asset, [](const auto& a) { return a->id(); });
    if (asset != assets.end()) take(std::move(news), **asset);
  }
  for (const auto& asset : assets) {
    const auto found = ladders_.find(asset->id());
    if (found == ladders_.end()) continue;
    const Ladder& ladder = found->second;
    const bool above = ladder.serving < ladder.findings.size() &&
                       ladder.findings[ladder.serving].provider != inference::Provider::kCpu;
    if (above && asset->model_failures() >= ladder.failures_before + kFailuresBorne) step_down(*asset);
  }
}

void Judges::take(ClimbNews news, Asset& asset) {
  const auto found = ladders_.find(asset.id());
  if (found == ladders_.end() || found->second.bundle->digest != news.digest) return;  // of a bundle that has gone
  Ladder& ladder = found->second;
  const size_t index = index_of(ladder.findings, news.finding.provider);
  if (index == ladder.findings.size() || ladder.findings[index].state == RungState::kFailed) return;
  ladder.findings[index] = news.finding;
  if (news.judge) {
    if (const Status offered = asset.offer(std::move(news.judge)); offered) {
      serve(asset, ladder, index);
    } else {
      ladder.findings[index].state = RungState::kFailed;
      ladder.findings[index].why = offered.error().message;
    }
  }
  show(asset.id(), ladder);
  if (!news.last) return;
  log_event(std::ranges::any_of(ladder.findings, is_trouble) ? Level::kWarning : Level::kInfo, "providers_tried",
            {{"asset_id", asset.id()}, {"providers", as_json(ladder.findings)}});
  if (ladder.serving < ladder.findings.size()) return;
  const AssetConfig config = ladder.config;
  ladders_.erase(found);
  refuse(asset, config, Error{ErrorCode::kTimedOut, where(config) + ": no provider of the list serves"});
}

// The GPU has gone, or its driver: what is left of the ladder serves, beginning with the CPU. The rung is tried again
// with the next bundle or start.
void Judges::step_down(Asset& asset) {
  Ladder& ladder = ladders_.at(asset.id());
  RungFinding& left = ladder.findings[ladder.serving];
  left.state = RungState::kFailed;
  left.why = fmt::format("{} strokes failed while it served", asset.model_failures() - ladder.failures_before);
  log_event(Level::kError, "provider_failed",
            {{"asset_id", asset.id()}, {"provider", runtime_name(left.provider)}, {"error", left.why}});
  const AssetConfig config = ladder.config;  // begin() puts another ladder in its place
  const Status stepped = begin(asset, config, ladder.bundle, ladder.findings);
  if (!stepped) refuse(asset, config, stepped.error());
}

void Judges::show(const std::string& asset, const Ladder& ladder) {
  const auto labels = [&](const RungFinding& finding, std::string_view state) {
    return metrics::Labels{{"device_id", config_.device_id},
                           {"asset_id", asset},
                           {"factory_id", config_.factory_id},
                           {"provider", std::string(runtime_name(finding.provider))},
                           {"state", std::string(state)}};
  };
  constexpr std::string_view kState = "edge_provider_rung_state";
  std::vector<RungState>& shown = shown_[asset];
  shown.resize(ladder.findings.size(), RungState::kWaiting);
  for (size_t i = 0; i < ladder.findings.size(); ++i) {
    const RungFinding& finding = ladder.findings[i];
    if (shown[i] != finding.state) metrics_.remove(kState, labels(finding, name(shown[i])));
    shown[i] = finding.state;
    metrics_
        .gauge({kState, "What became of each execution provider of the configuration"},
               labels(finding, name(finding.state)))
        .set(1.0);
  }
  metrics_
      .gauge({"edge_provider_rung", "Which execution provider of the configuration serves: 0 is the first"},
             {{"device_id", config_.device_id}, {"asset_id", asset}, {"factory_id", config_.factory_id}})
      .set(static_cast<double>(ladder.serving));
}

json Judges::status(const std::string& asset) const {
  const auto found = ladders_.find(asset);
  return found == ladders_.end() ? json::array() : as_json(found->second.findings);
}

}  // namespace millwright::edge
