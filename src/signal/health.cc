// SPDX-License-Identifier: Apache-2.0
#include "signal/health.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "signal/channel_facts.h"

namespace millwright::signal {
namespace {

constexpr double kFlatShare = 0.01;      // of the noise floor: less is no signal at all
constexpr double kUnpluggedShare = 0.1;  // of the noise floor
constexpr double kStrokeContrast = 4.0;  // loudest over quietest part of a window in which something happens
constexpr double kLooseShare = 0.1;      // of the learned high-band energy and ratio
constexpr size_t kMinStuckRun = 16;      // samples; longer windows want more
constexpr size_t kMinRailSamples = 6;
constexpr float kRailShare = 0.999F;
constexpr double kTolerated = 0.01;  // share of normal windows that may show what a check looks for

size_t stuck_run(size_t length) { return std::max(kMinStuckRun, length / 100); }

// A signal that is cut off stands at its extreme again and again, and seldom just below it. One long run and nothing
// else is a value that stuck there.
bool saturated(std::span<const float> x, const ChannelFacts& facts, float rail) {
  if (rail > 0.0F) return count_beyond(x, kRailShare * rail) >= std::max<size_t>(3, x.size() / 400);
  const ExtremeCounts extremes = count_extremes(x, facts);
  const size_t enough = std::max(kMinRailSamples, x.size() / 400);
  const size_t longest = facts.equal_pairs + 1 >= stuck_run(x.size()) ? run_facts(x).longest : 0;
  if (longest >= stuck_run(x.size()) && (longest == extremes.at_max || longest == extremes.at_min)) return false;
  const auto cut = [&](size_t at, size_t below) { return at >= enough && at >= 3 * below; };
  return extremes.fine_grained &&
         (cut(extremes.at_max, extremes.below_max) || cut(extremes.at_min, extremes.above_min));
}

bool stuck(const RunFacts& runs, size_t length) { return runs.longest >= stuck_run(length); }

bool dropped_out(const RunFacts& runs, size_t length) {
  return runs.longest_zero >= kMinStuckRun || runs.zeros_in_runs >= std::max<size_t>(2 * kMinStuckRun, length / 50);
}

SensorFault fault_of(std::span<const float> x, const HealthReference* reference) {
  if (!all_finite(x)) return SensorFault::kNotFinite;
  const ChannelFacts facts = channel_facts(x);
  if (!(facts.max > facts.min)) return SensorFault::kFlatLine;
  if (reference == nullptr) return SensorFault::kNone;
  const HealthReference& r = *reference;
  const bool live = r.noise_floor > 0.0F;
  if (live && facts.rms < kFlatShare * r.noise_floor) return SensorFault::kFlatLine;
  if ((r.rail > 0.0F || live) && saturated(x, facts, r.rail)) return SensorFault::kSaturated;
  if (!live) return SensorFault::kNone;
  if (facts.equal_pairs > 0) {
    const RunFacts runs = run_facts(x);
    if (stuck(runs, x.size())) return SensorFault::kStuck;
    if (dropped_out(runs, x.size())) return SensorFault::kDropout;
  }
  const NoiseFacts noise = noise_facts(x);
  const bool quiet = noise.floor < kUnpluggedShare * r.noise_floor;
  if (quiet && noise.contrast < kStrokeContrast) return SensorFault::kUnplugged;
  if (r.high_band_ratio > 0.0F && facts.rms > 0.0) {
    const double energy = high_band_energy(x);
    const double normal = static_cast<double>(r.high_band_ratio) * r.rms_low * r.rms_low;
    const double share = energy / (facts.rms * facts.rms);
    if (share < kLooseShare * r.high_band_ratio && energy < kLooseShare * normal) return SensorFault::kLoose;
  }
  return SensorFault::kNone;
}

double quantile(std::vector<double>& values, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + static_cast<ptrdiff_t>(at));
  return values[at];
}

}  // namespace

std::string_view name(SensorFault fault) {
  switch (fault) {
    case SensorFault::kNone: return "none";
    case SensorFault::kNotFinite: return "not_finite";
    case SensorFault::kFlatLine: return "flat_line";
    case SensorFault::kSaturated: return "saturated";
    case SensorFault::kStuck: return "stuck";
    case SensorFault::kDropout: return "dropout";
    case SensorFault::kGap: return "gap";
    case SensorFault::kWrongRate: return "wrong_rate";
    case SensorFault::kUnplugged: return "unplugged";
    case SensorFault::kLoose: return "loose";
  }
  return "unknown";
}

std::string_view name(Ne107 status) {
  switch (status) {
    case Ne107::kGood: return "good";
    case Ne107::kFailure: return "failure";
    case Ne107::kFunctionCheck: return "function_check";
    case Ne107::kOutOfSpecification: return "out_of_specification";
    case Ne107::kMaintenanceRequired: return "maintenance_required";
  }
  return "unknown";
}

Ne107 ne107(SensorFault fault) {
  switch (fault) {
    case SensorFault::kNone: return Ne107::kGood;
    case SensorFault::kNotFinite:
    case SensorFault::kFlatLine:
    case SensorFault::kStuck:
    case SensorFault::kDropout:
    case SensorFault::kUnplugged: return Ne107::kFailure;
    case SensorFault::kSaturated:
    case SensorFault::kGap:
    case SensorFault::kWrongRate: return Ne107::kOutOfSpecification;
    case SensorFault::kLoose: return Ne107::kMaintenanceRequired;
  }
  return Ne107::kFailure;
}

HealthFinding check_health(const Window& window, std::span<const HealthReference> references) {
  MW_CHECK(references.empty() || references.size() == window.channels, "one reference per channel, or none");
  for (size_t c = 0; c < window.channels; ++c) {
    const SensorFault fault = fault_of(window.channel(c), references.empty() ? nullptr : &references[c]);
    if (fault != SensorFault::kNone) return {fault, c};
  }
  return {};
}

HealthReference learn_health(std::span<const float> samples, size_t length, double rate_hz) {
  HealthReference reference;
  std::vector<double> floors;
  std::vector<double> ratios;
  std::vector<double> levels;
  std::vector<double> rails;
  size_t with_runs = 0;
  for (size_t at = 0; length > 0 && at + length <= samples.size(); at += length) {
    const std::span<const float> x = samples.subspan(at, length);
    if (!all_finite(x)) continue;
    const ChannelFacts facts = channel_facts(x);
    if (!(facts.max > facts.min)) continue;
    const RunFacts runs = run_facts(x);
    if (stuck(runs, length) || dropped_out(runs, length)) ++with_runs;
    if (saturated(x, facts, 0.0F)) rails.push_back(std::max(std::fabs(facts.max), std::fabs(facts.min)));
    floors.push_back(noise_facts(x).floor);
    levels.push_back(facts.rms);
    ratios.push_back(high_band_energy(x) / (facts.rms * facts.rms));
  }
  if (levels.empty()) return reference;
  reference.rms_low = static_cast<float>(0.5 * quantile(levels, 0.01));
  reference.rms_high = static_cast<float>(2.0 * quantile(levels, 0.99));
  // The quietest of the normal windows, one in a hundred set aside, must stay clear of what counts as a fault.
  if (static_cast<double>(with_runs) <= kTolerated * static_cast<double>(levels.size())) {
    reference.noise_floor = static_cast<float>(std::min(quantile(floors, 0.5), 3.0 * quantile(floors, kTolerated)));
  }
  if (rate_hz > 0.0) {
    reference.high_band_ratio = static_cast<float>(std::min(quantile(ratios, 0.5), 3.0 * quantile(ratios, kTolerated)));
  }
  // Normal running that is cut off now and then shows where the rails are.
  if (rails.size() > 1) reference.rail = static_cast<float>(quantile(rails, 0.5));
  return reference;
}

}  // namespace millwright::signal
