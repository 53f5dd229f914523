// SPDX-License-Identifier: Apache-2.0
#include "campaign/fleet.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>

#include "base/check.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/free_port.h"
#include "edge/journal.h"

namespace millwright::campaign {
namespace {

using nlohmann::json;

constexpr size_t kMaxStatusBytes = 1 << 20;
constexpr size_t kMaxJournalBytes = size_t{64} << 20;

// What the way to the hub appends to a record.
std::string without_identity(std::string_view payload) {
  const size_t at = payload.rfind(",\"message\":");
  return std::string(payload.substr(0, at)) + "}";
}

void write_config(const BoxPlan& plan, uint16_t port) {
  std::ofstream(plan.folder / "agent.toml") << fmt::format(
      "[agent]\ndevice_id = \"{}\"\nfactory_id = \"f\"\nline_id = \"l\"\nstate = \"state\"\n"
      "[http]\nenabled = false\n"
      "[mqtt]\nhost = \"127.0.0.1\"\nport = {}\ntls = false\nalerts_leave_on = \"{}\"\n"
      "[[asset]]\nid = \"press\"\ndeadline_ms = 1000\nwindow = {{ length = {}, rate_hz = 10000.0 }}\n"
      "trigger = {{ kind = \"external\" }}\nsource = {{ kind = \"udp\", port = {} }}\n"
      "output = {{ kind = \"none\", on_no_verdict = \"hold\", on_start = \"stop\", on_death = \"stop\" }}\n",
      plan.device_id, plan.broker_port, plan.alerts_leave_on, UdpPress::kFrames, port);
}

}  // namespace

void pause_ms(uint64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

bool wait_until(double patience_s, const std::function<bool()>& done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(patience_s);
  while (!done()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    pause_ms(20);
  }
  return true;
}

Hub::Hub(uint16_t port, const std::filesystem::path& folder, uint64_t deaf_every)
    : port_(port),
      deaf_every_(deaf_every),
      store_(::open((folder / "hub.jsonl").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  MW_CHECK(store_.valid(), "a hub needs a store");
}

void Hub::start() {
  if (subscriber_) return;
  net::mqtt::ClientOptions options;
  options.host = "127.0.0.1";
  options.port = port_;
  options.client_id = "hub";
  options.session_expiry_s = 3600;
  options.backoff_first_ms = 20;
  options.backoff_limit_ms = 500;
  auto started = net::mqtt::FleetSubscriber::start(options, "", *this);
  MW_CHECK(started.has_value(), "the hub's options can work");
  subscriber_ = std::move(*started);
}

void Hub::stop() {
  if (!subscriber_) return;
  subscriber_->stop();
  subscriber_.reset();
}

bool Hub::note(Strokes& strokes, const model::StrokeMessage& message, std::string_view payload) {
  const std::lock_guard lock(mutex_);
  Stored& stored = strokes[message.record.stroke_id];
  if (!stored.identity.emplace(message.identity.boot_id, message.identity.seq).second) {
    ++repeats_;
    return false;
  }
  if (stored.times++ > 0) return true;
  stored.record = without_identity(payload);
  stored.first_ns = SystemClock().monotonic_ns();
  stored.historical = message.identity.historical;
  return true;
}

bool Hub::on_alert(const model::StrokeMessage& message, std::string_view payload) {
  if (forgets()) return true;
  const std::string line = std::string(payload) + "\n";
  if (::write(store_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return false;
  if (::fdatasync(store_.get()) != 0) return false;
  note(alerts_, message, payload);
  return true;
}

void Hub::on_score(const model::StrokeMessage& message, std::string_view payload) {
  if (!forgets()) note(scores_, message, payload);
}

Result<std::unique_ptr<Box>> Box::start(const BoxPlan& plan) {
  std::filesystem::create_directories(plan.folder);
  const uint16_t port = MW_TRY(free_port(SOCK_DGRAM));
  write_config(plan, port);
  std::unique_ptr<Box> box(new Box(plan));
  MW_CHECK_OK(box->begin_again());
  constexpr double kPatienceS = 30.0;
  const bool runs = wait_until(kPatienceS, [&box] { return !box->uplink().is_null() || !box->alive(); });
  if (!runs || !box->alive()) {
    return fail(ErrorCode::kUnavailable, "{} does not run; see {}", plan.agent.string(),
                (plan.folder / "agent.log").string());
  }
  box->press_ = std::thread([box = box.get(), port] { box->press(port); });
  // Strokes before the first one that was watched are nobody's.
  const bool recorded = wait_until(kPatienceS, [&box] {
    const auto records = read_records(box->records());
    return records && !records->empty();
  });
  if (!recorded) return fail(ErrorCode::kUnavailable, "no stroke is on record; see {}", plan.folder.string());
  return box;
}

Box::~Box() { halt(); }

Status Box::begin_again() {
  agent_.emplace(MW_TRY(ChildProcess::start({.argv = {plan_.agent.string(), "--config", plan_.folder / "agent.toml"},
                                             .out_file = plan_.folder / "agent.log"})));
  return {};
}

void Box::kill() {
  agent_->signal(SIGKILL);
  agent_->wait();
}

void Box::press(uint16_t port) {
  UdpPress press(port);
  Random random(plan_.seed);
  constexpr uint64_t kFaultPercent = 30;
  while (!halted_) {
    const bool faulty = random.below(100) < kFaultPercent;
    press.stroke(!faulty ? Sensor::kGood : random.below(2) == 0 ? Sensor::kFlat : Sensor::kNotFinite);
    pause_ms(static_cast<uint64_t>(1e3 * 2.0 * random.uniform() / plan_.strokes_per_s));
  }
}

void Box::halt() {
  halted_ = true;
  if (press_.joinable()) press_.join();
}

int Box::end() {
  halt();
  agent_->signal(SIGTERM);
  return agent_->wait();
}

json Box::uplink() const {
  const auto text = read_text_file(plan_.folder / "state" / "status.json", kMaxStatusBytes);
  if (!text) return nullptr;
  const json status = json::parse(*text, nullptr, false);
  return status.is_object() && status.contains("uplink") ? status["uplink"] : json(nullptr);
}

bool Box::connected() const {
  const json now = uplink();
  return now.is_object() && now["connected"] == true;
}

uint64_t Box::resident_bytes() const {
  std::ifstream file("/proc/" + std::to_string(agent_->pid()) + "/statm");
  uint64_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<uint64_t>(::getpagesize());
}

Result<std::map<uint64_t, std::string>> read_records(const std::filesystem::path& folder) {
  std::map<uint64_t, std::string> records;
  for (const auto& file : MW_TRY(edge::journal_files(folder))) {
    const std::string text = MW_TRY(read_text_file(file, kMaxJournalBytes));
    for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string line = text.substr(begin, end - begin);
      const json record = json::parse(line, nullptr, false);
      if (record.is_object()) records[record["stroke_id"]] = line;
    }
  }
  return records;
}

Account settle(const std::map<uint64_t, std::string>& decided, const Hub& hub) {
  const Hub::Strokes scores = hub.scores();
  const Hub::Strokes alerts = hub.alerts();
  Account account{.strokes = decided.size()};
  std::string fault;
  bool alarm = false;
  const auto judge = [&account](const Hub::Strokes& stored, uint64_t stroke, const std::string& line) {
    const auto found = stored.find(stroke);
    if (found == stored.end()) return false;
    account.duplicates += found->second.times - 1;
    account.strange += found->second.record == line ? 0 : 1;
    return true;
  };
  for (const auto& [stroke, line] : decided) {
    if (!judge(scores, stroke, line)) account.lost_scores.push_back(stroke);
    // An alert: a score at or above the threshold, an alarm that begins or ends, a sensor that fails, fails in another
    // way, or is good again. A stroke without a verdict for another reason says nothing about the sensor.
    const json record = json::parse(line);
    const bool knows = record["verdict"] != "NO_VERDICT" || record["reason"] == "sensor_fault";
    const std::string now = knows ? record.value("sensor_fault", "") : fault;
    const bool is_alert = record["is_alert"] == true || record["alarm_active"] != alarm || now != fault;
    fault = now;
    alarm = record["alarm_active"];
    const bool has = judge(alerts, stroke, line);
    account.alerts += is_alert ? 1 : 0;
    account.alerts_lost += is_alert && !has ? 1 : 0;
    account.strange += !is_alert && has ? 1 : 0;
  }
  for (const auto& [stroke, stored] : scores) account.strange += decided.contains(stroke) ? 0 : 1;
  for (const auto& [stroke, stored] : alerts) account.strange += decided.contains(stroke) ? 0 : 1;
  account.scores_lost = account.lost_scores.size();
  return account;
}

}  // namespace millwright::campaign
