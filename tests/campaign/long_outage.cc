// SPDX-License-Identifier: Apache-2.0
#include "campaign/long_outage.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <map>

#include "base/clock.h"
#include "base/random.h"
#include "campaign/fault_proxy.h"
#include "campaign/fleet.h"
#include "edge/journal.h"
#include "edge/uplink/uplink.h"
#include "net/mqtt/broker_fixture.h"

namespace millwright::campaign {
namespace {

using nlohmann::ordered_json;

constexpr double kConnectS = 180.0;
constexpr double kDrainS = 1800.0;
constexpr double kFeedS = 60.0;
constexpr uint64_t kBefore = 5;   // live strokes before the outage
constexpr uint64_t kRound = 300;  // strokes that are told at once
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kFirstWallNs = 1'763'900'000'000'000'000;

// A clock that can be set forward, and goes on from there.
class MovableClock final : public Clock {
 public:
  [[nodiscard]] int64_t monotonic_ns() const override { return system_.monotonic_ns() + ahead_ns_; }
  [[nodiscard]] int64_t wall_ns() const override { return system_.wall_ns() + ahead_ns_; }
  void advance_ns(int64_t by) { ahead_ns_ += by; }

 private:
  SystemClock system_;
  std::atomic<int64_t> ahead_ns_{0};
};

// What the shipped broker's configuration has for a hub; the rest is default.
constexpr const char* kBroker =
    "allow_anonymous true\nlog_type none\nmax_inflight_messages 100\nmax_queued_messages 100000\n";

class Plant {
 public:
  explicit Plant(const OutagePlan& plan) : plan_(plan), broker_(kBroker) {}

  Result<OutageFigures> go() {
    MW_CHECK_OK(build());
    proxy_->unplug(true);
    MW_CHECK_OK(outage());
    proxy_->unplug(false);
    return come_back();
  }

 private:
  Status build() {
    std::filesystem::create_directories(plan_.folder);
    {
      // A port that is free for two plants at once is taken by one.
      static std::mutex one_at_a_time;
      const std::lock_guard lock(one_at_a_time);
      broker_.start();
    }
    proxy_.emplace(broker_.port());
    hub_.emplace(broker_.port(), plan_.folder, plan_.deaf_every);
    hub_->start();
    config_ = MW_TRY(edge::parse_config(
        fmt::format("[agent]\ndevice_id = \"box\"\nfactory_id = \"f\"\nline_id = \"l\"\nstate = \"state\"\n[mqtt]\n"
                    "host = \"127.0.0.1\"\nport = {}\ntls = false\nreplay_per_s = {:.1f}\n[[asset]]\nid = "
                    "\"press\"\ndeadline_ms = 100\n"
                    "window = {{ length = 16, rate_hz = 10000.0 }}\ntrigger = {{ kind = \"external\" }}\n"
                    "source = {{ kind = \"udp\", port = 7007 }}\noutput = {{ kind = \"none\", on_no_verdict = "
                    "\"hold\", on_start = \"stop\", on_death = \"stop\" }}\n",
                    proxy_->port(), plan_.replay_per_s),
        "outage", plan_.folder));
    // The journal's own bound is not what is tried here.
    journal_.emplace(
        MW_TRY(edge::Journal::open(plan_.folder / "records", {.max_file_bytes = 16 << 20, .max_files = 4})));
    uplink_ = MW_TRY(edge::Uplink::create({.config = config_,
                                           .clock = clock_,
                                           .metrics = registry_,
                                           .sources = {{.asset = "press", .records = plan_.folder / "records"}},
                                           .command = [](const model::CommandMessage&) { return Status(); }}));
    MW_CHECK_OK(uplink_->start());
    if (!wait_until(kConnectS, [this] { return connected() && hub_->listening(); })) {
      return fail(ErrorCode::kTimedOut, "box and hub do not reach the broker");
    }
    for (uint64_t i = 0; i < kBefore; ++i) MW_CHECK_OK(strokes(1));
    // What went live and is not proven yet when the link is cut counts as given up later, though it arrived.
    if (!wait_until(kConnectS, [this] { return hub_->scores_heard() == stroke_ && settled(); })) {
      return fail(ErrorCode::kTimedOut, "live scores do not arrive before the outage");
    }
    return {};
  }

  [[nodiscard]] bool connected() { return uplink_->status()["connected"] == true; }

  // Records, made so that each can be made again from its number.
  [[nodiscard]] std::string line(uint64_t stroke) const {
    Random random(plan_.seed * 1'000'003 + stroke);
    model::StrokeRecord record;
    record.stroke_id = stroke;
    record.plc_cycle = stroke + 1000;
    const double at_s = static_cast<double>(stroke) * plan_.interval_s;
    record.trigger_wall_ns = kFirstWallNs + static_cast<int64_t>(at_s * 1e6) * 1000;
    record.trigger_monotonic_ns = 7'469'346'112'943 + static_cast<int64_t>(at_s * 1e9);
    record.latency_ns = 1'000'000 + static_cast<int64_t>(random.below(900'000));
    record.is_alert = is_alert(stroke);
    record.verdict = record.is_alert ? model::Verdict::kNoGo : model::Verdict::kGo;
    record.severity = record.is_alert ? model::Severity::kMedium : model::Severity::kLow;
    record.score = random.uniform();
    record.raw_score = 40.0 + random.normal();
    record.threshold = 50.74292597660239;
    record.provider = 1;
    record.model.bytes.fill(0xCE);
    record.top.count = 3;
    for (uint8_t i = 0; i < 3; ++i) {
      record.top.items[i].feature = static_cast<uint16_t>(random.below(context_.feature_names.size()));
      record.top.items[i].share = static_cast<float>(random.uniform());
    }
    return model::to_json_line(record, context_);
  }
  [[nodiscard]] bool is_alert(uint64_t stroke) const { return stroke % plan_.alert_every == 0; }

  Status strokes(uint64_t count) {
    std::string lines;
    const uint64_t first = stroke_ + 1;
    for (uint64_t i = 0; i < count; ++i) lines += line(++stroke_) + "\n";
    MW_CHECK_OK(journal_->append(lines, first));
    uplink_->note(0, stroke_);
    return {};
  }

  Status outage() {
    if (!wait_until(kConnectS, [this] { return !connected(); })) {
      return fail(ErrorCode::kTimedOut, "the link is cut, and the box does not notice");
    }
    outage_begins_ = stroke_ + 1;
    const auto round_ns = static_cast<int64_t>(plan_.interval_s * static_cast<double>(kRound) * kSecondNs);
    uint64_t told = 0;
    for (uint64_t left = plan_.strokes; left > 0;) {
      const uint64_t count = std::min(left, kRound);
      left -= count;
      clock_.advance_ns(round_ns);
      MW_CHECK_OK(strokes(count));
      if (!wait_until_fed()) return fail(ErrorCode::kTimedOut, "the feeder stands at a stroke before {}", stroke_);
      uplink_->tick({});
      if (const uint64_t tenths = (plan_.strokes - left) * 10 / plan_.strokes;
          plan_.strokes > 100'000 && tenths > told) {
        told = tenths;
        std::fprintf(stderr, "outage: %lu of %lu strokes\n", static_cast<unsigned long>(plan_.strokes - left),
                     static_cast<unsigned long>(plan_.strokes));
      }
    }
    outage_ends_ = stroke_;
    return {};
  }

  bool wait_until_fed() {
    const int64_t until = SystemClock().monotonic_ns() + static_cast<int64_t>(kFeedS * kSecondNs);
    while (uplink_->status()["fed"]["scores"] < stroke_) {
      if (SystemClock().monotonic_ns() > until) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return true;
  }

  // A stroke a second while what waited is sent, and a few seconds more.
  Result<OutageFigures> come_back() {
    const SystemClock real;
    if (!wait_until(kConnectS, [this] { return connected(); })) {
      return fail(ErrorCode::kTimedOut, "the link is back, and the box is not");
    }
    const int64_t back_ns = real.monotonic_ns();
    std::map<uint64_t, int64_t> made_ns;
    // Live strokes beside an empty store say nothing new.
    const uint64_t calm_enough = plan_.told_late_ms > 0 ? 2 : 8;
    uint64_t calm = 0;
    bool drained = false;
    for (int64_t next = back_ns; calm < calm_enough && real.monotonic_ns() - back_ns < kDrainS * kSecondNs;
         next += kSecondNs) {
      made_ns[stroke_ + 1] = real.monotonic_ns();
      if (plan_.told_late_ms > 0) pause_ms(static_cast<uint64_t>(plan_.told_late_ms));
      MW_CHECK_OK(strokes(1));
      uplink_->tick({});
      while (real.monotonic_ns() < next + kSecondNs) pause_ms(10);
      // Live scores wait a few seconds for their proof; beyond them nothing is left.
      drained = drained || uplink_->status()["outbox"]["waiting"] < 12;
      calm += drained ? 1 : 0;
    }
    figures_.not_drained = wait_until(kConnectS, [this] { return settled(); }) ? 0 : 1;
    return account(back_ns, made_ns);
  }
  [[nodiscard]] bool settled() {
    uplink_->tick({});
    const auto now = uplink_->status();
    return now["outbox"]["waiting"] == 0 && now["fed"]["scores"] == stroke_;
  }

  uint64_t dropped(const std::string& page, std::string_view stream, std::string_view reason) {
    uint64_t sum = 0;
    for (size_t begin = 0, end = 0; (end = page.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string_view one(page.data() + begin, end - begin);
      if (!one.starts_with("edge_outbox_dropped_total{")) continue;
      if (one.find(fmt::format("stream=\"{}\"", stream)) == std::string_view::npos) continue;
      if (!reason.empty() && one.find(fmt::format("reason=\"{}\"", reason)) == std::string_view::npos) continue;
      sum += std::stoull(std::string(one.substr(one.rfind(' ') + 1)));
    }
    return sum;
  }

  OutageFigures account(int64_t back_ns, const std::map<uint64_t, int64_t>& made_ns) {
    const auto seconds = [back_ns](int64_t at) { return static_cast<double>(at - back_ns) / 1e9; };
    const Hub::Strokes scores = hub_->scores();
    const Hub::Strokes alerts = hub_->alerts();
    OutageFigures& f = figures_;
    uint64_t oldest = 0;  // score of the outage that arrived
    const auto look = [&](const Hub::Strokes& stored, uint64_t stroke, double& last_s) {
      const auto found = stored.find(stroke);
      if (found == stored.end()) return false;
      f.duplicates += found->second.times - 1;
      f.wrong += found->second.record == line(stroke) ? 0 : 1;
      const bool waited = stroke >= outage_begins_ && stroke <= outage_ends_;
      if (waited) last_s = std::max(last_s, seconds(found->second.first_ns));
      return true;
    };
    for (uint64_t stroke = 1; stroke <= stroke_; ++stroke) {
      const bool arrived = look(scores, stroke, f.drained_s);
      f.scores_missing += arrived ? 0 : 1;
      if (arrived && oldest == 0 && stroke >= outage_begins_) oldest = stroke;
      f.holes += !arrived && oldest != 0 ? 1 : 0;
      if (is_alert(stroke)) f.alerts_missing += look(alerts, stroke, f.alerts_up_s) ? 0 : 1;
      const auto made = made_ns.find(stroke);
      if (made == made_ns.end() || !arrived) continue;
      f.worst_lag_s = std::max(f.worst_lag_s, static_cast<double>(scores.at(stroke).first_ns - made->second) / 1e9);
    }
    f.scores = outage_ends_ + 1 - outage_begins_;
    f.alerts = outage_ends_ / plan_.alert_every - (outage_begins_ - 1) / plan_.alert_every;
    f.live = stroke_ - outage_ends_;
    std::string page;
    registry_.render(page);
    f.scores_dropped = dropped(page, "scores", "");
    f.alerts_dropped = dropped(page, "alerts", "");
    f.dropped_full = dropped(page, "scores", "full");
    f.dropped_expired = dropped(page, "scores", "expired");
    struct stat file{};
    if (::stat((plan_.folder / "state" / "outbox" / "outbox.log").c_str(), &file) == 0) {
      f.file_bytes = static_cast<uint64_t>(std::max<int64_t>(file.st_size, int64_t{file.st_blocks} * 512));
    }
    uplink_->stop(0);
    return f;
  }

  const OutagePlan plan_;
  MovableClock clock_;
  net::mqtt::RealBroker broker_;
  std::optional<FaultProxy> proxy_;
  std::optional<Hub> hub_;
  edge::Config config_;
  metrics::Registry registry_;
  std::optional<edge::Journal> journal_;
  std::unique_ptr<edge::Uplink> uplink_;
  uint64_t stroke_ = 0;
  uint64_t outage_begins_ = 0;
  uint64_t outage_ends_ = 0;
  OutageFigures figures_;
  const model::RecordContext context_{.factory_id = "f",
                                      .line_id = "l",
                                      .asset_id = "press",
                                      .device_id = "box",
                                      .boot_id = "f3489bb7-22d8-424b-a2e6-9e1309aad6fe",
                                      .feature_names = {"rms", "peak", "crest factor", "kurtosis", "band 200-400 Hz",
                                                        "dominant frequency", "mel 325 Hz", "spectral centroid"}};
};

}  // namespace

Result<OutageFigures> live_through(const OutagePlan& plan) { return Plant(plan).go(); }

ordered_json to_json(const OutageFigures& f) {
  const auto tenths = [](double value) { return std::round(value * 10.0) / 10.0; };
  return {{"scores", f.scores},
          {"alerts", f.alerts},
          {"live", f.live},
          {"scores_missing", f.scores_missing},
          {"scores_dropped", f.scores_dropped},
          {"dropped_full", f.dropped_full},
          {"dropped_expired", f.dropped_expired},
          {"alerts_missing", f.alerts_missing},
          {"alerts_dropped", f.alerts_dropped},
          {"holes", f.holes},
          {"wrong", f.wrong},
          {"duplicates", f.duplicates},
          {"not_drained", f.not_drained},
          {"outbox_mib", static_cast<double>(f.file_bytes) / (1 << 20)},
          {"alerts_up_s", tenths(f.alerts_up_s)},
          {"drained_s", tenths(f.drained_s)},
          {"worst_lag_s", tenths(f.worst_lag_s)}};
}

}  // namespace millwright::campaign
