// SPDX-License-Identifier: Apache-2.0
// What an asset keeps beside its records: windows for whoever labels and learns, summaries of features.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "edge/asset.h"
#include "edge/event_log.h"
#include "model/telemetry.h"

namespace millwright::edge {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr int64_t kLookEveryNs = 200'000'000;

template <typename T>
std::vector<double> first_of(const std::vector<T>& values, size_t count) {
  return {values.begin(), values.begin() + static_cast<ptrdiff_t>(std::min(count, values.size()))};
}

}  // namespace

// A disk that has no room for windows is no reason not to decide strokes.
void Asset::open_windows(const Config& config) {
  std::unique_ptr<WindowStore> store;
  if (config_.windows.max_mib > 0) {
    auto opened = WindowStore::open({.folder = config.state / "windows" / config_.id,
                                     .asset_id = config_.id,
                                     .window = config_.window,
                                     .max_bytes = config_.windows.max_mib << 20,
                                     .labels = config.state / config_.id / "labels.jsonl"});
    if (opened) {
      store = std::move(*opened);
    } else {
      log_event(Level::kError, "windows_not_kept", {{"asset_id", config_.id}, {"error", opened.error().message}});
    }
  }
  // Of strokes faster than a person can see, the page gets some.
  keeper_ = std::make_unique<WindowKeeper>(windows_, std::move(store), config_.windows,
                                           [this](std::span<const float> samples) {
                                             const int64_t now = clock_.monotonic_ns();
                                             if (now - looked_ns_ < kLookEveryNs) return;
                                             looked_ns_ = now;
                                             operator_view_.window(samples);
                                             publish(now);
                                           });
}

void Asset::log_windows() {
  const WindowStore* const store = keeper_->store();
  if (store == nullptr) return;
  const WindowStoreFigures figures = store->figures();
  if (figures.failures == std::exchange(logged_window_failures_, figures.failures)) return;
  log_event(Level::kError, "windows_not_kept",
            {{"asset_id", config_.id}, {"failures", figures.failures}, {"error", figures.last_error}});
}

void Asset::add_windows(nlohmann::json& status) const {
  if (const WindowStore* store = keeper_->store()) {
    const WindowStoreFigures kept = store->figures();
    status["windows"] = {{"kept", kept.windows},         {"bytes", kept.bytes},       {"given_up", kept.given_up},
                         {"damaged", kept.damaged},      {"failures", kept.failures}, {"left_out", windows_.left_out()},
                         {"last_error", kept.last_error}};
  }
}

Status Asset::label(uint64_t stroke_id, std::string_view label) {
  if (const uint64_t next = ledger_->next_id(); stroke_id >= next) {
    return fail(ErrorCode::kInvalidInput, "no stroke {} yet; the last one is {}", stroke_id, next - 1);
  }
  MW_CHECK_OK(labels_.add(stroke_id, label));
  // The log has it: the next start brings it to the window, should the disk refuse now.
  if (WindowStore* const store = keeper_->store()) (void)store->label(stroke_id, label);
  return {};
}

void Asset::report_features() {
  const int64_t now = clock_.monotonic_ns();
  if (!features_ || !summary_ || config_.features.every_s == 0) return;
  if (now - period_began_ns_ < config_.features.every_s * static_cast<int64_t>(kNanosPerSecond)) return;
  // The answer comes with the next stroke.
  const auto found = summary_->take();
  if (!found) return;
  const size_t count = std::min(feature_names_.size(), model::kMaxSummaryFeatures);
  model::FeaturesMessage message;
  message.timestamp = format_utc(clock_.wall_ns());
  message.device_id = device_id_;
  message.asset_id = config_.id;
  message.model = model_.hex();
  message.period_s = static_cast<double>(now - period_began_ns_) / kNanosPerSecond;
  message.strokes = found->strokes;
  message.features = feature_names_.size();
  message.names.assign(feature_names_.begin(), feature_names_.begin() + static_cast<ptrdiff_t>(count));
  message.mean = first_of(found->mean, count);
  message.sd = first_of(found->sd, count);
  message.min = first_of(found->low, count);
  message.max = first_of(found->high, count);
  period_began_ns_ = now;
  features_(config_.id, model::features_line(message));
}

}  // namespace millwright::edge
