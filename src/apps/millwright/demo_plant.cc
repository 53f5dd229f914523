// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/demo_plant.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "apps/millwright/demo_press.h"
#include "base/files.h"
#include "base/free_port.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

constexpr auto kLook = std::chrono::milliseconds(100);
constexpr auto kPatience = std::chrono::seconds(20);
constexpr uint64_t kMaxAnswerBytes = 16ULL << 20;

double now_s() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

Result<std::string> program(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/usr/local/bin/"}) {
    std::error_code ignored;
    if (std::filesystem::exists(folder + name, ignored)) return folder + name;
  }
  return fail(ErrorCode::kUnavailable, "{0} is not installed (apt-get install {0})", name);
}

Result<ChildProcess> start_program(const std::string& name, std::vector<std::string> arguments,
                                   const std::filesystem::path& log) {
  arguments.insert(arguments.begin(), MW_TRY(program(name)));
  return ChildProcess::start({.argv = std::move(arguments), .out_file = log});
}

// Until the file holds the text, or the program ends.
Status wait_for_text(ChildProcess& child, const std::filesystem::path& log, std::string_view text) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until && !child.poll()) {
    const auto said = read_text_file(log, kMaxAnswerBytes);
    if (said && said->find(text) != std::string::npos) return {};
    std::this_thread::sleep_for(kLook);
  }
  return fail(ErrorCode::kUnavailable, "a part of the demo's plant does not start; see {}", log.string());
}

}  // namespace

double DemoPlant::since_start_s() const { return now_s() - started_s_; }

Result<DemoPlant> DemoPlant::start(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot make the folder: {}", folder.string(), error.message());
  DemoPlant plant(folder);
  plant.started_s_ = now_s();
  plant.broker_port_ = MW_TRY(free_port());
  plant.agent_port_ = MW_TRY(free_port());
  plant.prometheus_port_ = MW_TRY(free_port());
  MW_CHECK_OK(plant.make_certificates());
  MW_CHECK_OK(plant.start_broker());
  MW_CHECK_OK(plant.start_listener());
  MW_CHECK_OK(plant.start_prometheus());
  return plant;
}

// A CA of the demo's own, and one certificate each for broker, box and listener. Good for two days, never kept.
Status DemoPlant::make_certificates() const {
  const auto openssl = [this](std::vector<std::string> arguments) -> Status {
    ChildProcess child = MW_TRY(start_program("openssl", std::move(arguments), path("openssl.log")));
    if (child.wait() == 0) return {};
    return fail(ErrorCode::kUnavailable, "openssl makes no certificate; see {}", path("openssl.log"));
  };
  MW_CHECK_OK(openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                       "-subj", "/CN=demo plant", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout",
                       path("ca.key"), "-out", path("ca.crt")}));
  MW_CHECK_OK(write_file_atomic(path("names"), "subjectAltName=IP:127.0.0.1\n"));
  for (const std::string who : {"broker", "box", "listener"}) {
    const auto file = [&](const char* ending) { return path((who + ending).c_str()); };
    MW_CHECK_OK(openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + who,
                         "-keyout", file(".key"), "-out", file(".csr")}));
    MW_CHECK_OK(openssl({"x509", "-req", "-in", file(".csr"), "-CA", path("ca.crt"), "-CAkey", path("ca.key"),
                         "-CAcreateserial", "-days", "2", "-extfile", path("names"), "-out", file(".crt")}));
  }
  return {};
}

Status DemoPlant::start_broker() {
  MW_CHECK_OK(write_file_atomic(
      path("mosquitto.conf"),
      fmt::format("user root\nlistener {} 127.0.0.1\nallow_anonymous true\nrequire_certificate true\ntls_version "
                  "tlsv1.3\ncafile {}\ncertfile {}\nkeyfile {}\nmax_queued_messages 0\n",
                  broker_port_, path("ca.crt"), path("broker.crt"), path("broker.key"))));
  broker_.emplace(MW_TRY(start_program("mosquitto", {"-c", path("mosquitto.conf")}, path("mosquitto.log"))));
  return wait_for_text(*broker_, path("mosquitto.log"), "running");
}

Status DemoPlant::start_listener() {
  const auto millwright = program_folder() / "millwright";
  listener_.emplace(MW_TRY(ChildProcess::start(
      {.argv = {millwright.string(), "listen", "--host", "127.0.0.1", "--port", std::to_string(broker_port_), "--ca",
                path("ca.crt"), "--certificate", path("listener.crt"), "--key", path("listener.key"), "--confirm-into",
                path("alerts.jsonl")},
       .out_file = path("heard.jsonl")})));
  return wait_for_text(*listener_, path("heard.jsonl"), "listening");
}

Status DemoPlant::start_prometheus() {
  MW_CHECK_OK(write_file_atomic(
      path("prometheus.yml"),
      fmt::format("global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: millwright\n    static_configs:\n"
                  "      - targets: ['127.0.0.1:{}']\n",
                  agent_port_)));
  prometheus_.emplace(MW_TRY(start_program(
      "prometheus",
      {"--config.file=" + path("prometheus.yml"), fmt::format("--web.listen-address=127.0.0.1:{}", prometheus_port_),
       "--storage.tsdb.path=" + path("prometheus")},
      path("prometheus.log"))));
  return wait_for_text(*prometheus_, path("prometheus.log"), "ready to receive web requests");
}

std::string DemoPlant::agent_sections() const {
  return fmt::format(
      "[http]\nport = {}\n[mqtt]\nhost = \"127.0.0.1\"\nport = {}\nca_file = {}\ncertificate_file = {}\nkey_file = "
      "{}\nlongest_wait_s = 3.0\n",
      agent_port_, broker_port_, toml_text(path("ca.crt")), toml_text(path("box.crt")), toml_text(path("box.key")));
}

Status DemoPlant::cut() {
  cut_s_ = since_start_s();
  broker_->signal(SIGKILL);
  broker_->wait();
  broker_.reset();
  return {};
}

Status DemoPlant::mend() {
  MW_CHECK_OK(start_broker());
  mended_s_ = since_start_s();
  return {};
}

Result<lab::LinkReport> DemoPlant::finish(const std::vector<std::pair<std::string, uint64_t>>& presses) {
  lab::LinkReport report{.cut_s = cut_s_, .mended_s = mended_s_};
  for (const auto& [name, strokes] : presses) report.presses.push_back({.name = name, .strokes = strokes});
  ask_prometheus(report);
  listener_->signal(SIGTERM);
  listener_->wait();
  MW_CHECK_OK(count_arrivals(report));
  return report;
}

// The listener's lines. A stroke that calls arrives as alert and as score: one stroke.
Status DemoPlant::count_arrivals(lab::LinkReport& report) const {
  struct Arrival {
    std::set<uint64_t> strokes;
    std::set<uint64_t> late;
    std::set<std::pair<std::string, uint64_t>> scores;  // boot, sequence
    uint64_t repeated = 0;
  };
  std::map<std::string, Arrival> arrivals;
  std::ifstream heard(folder_ / "heard.jsonl");
  for (std::string line; std::getline(heard, line);) {
    const json message = json::parse(line, nullptr, false);
    if (!message.is_object()) continue;  // the listener's own words
    const std::string kind = message.value("kind", "");
    if (kind == "alert") ++report.alerts;
    if (kind != "alert" && kind != "score") continue;
    const json& content = message.at("content");
    report.arrived_bytes += content.dump().size();
    Arrival& arrival = arrivals[content.at("asset_id").get<std::string>()];
    const auto stroke = content.at("stroke_id").get<uint64_t>();
    const json& identity = content.at("message");
    arrival.strokes.insert(stroke);
    if (kind != "score") continue;
    if (identity.at("historical").get<bool>()) arrival.late.insert(stroke);
    const bool is_new =
        arrival.scores.emplace(identity.at("boot_id").get<std::string>(), identity.at("seq").get<uint64_t>()).second;
    arrival.repeated += is_new ? 0 : 1;
  }
  constexpr uint64_t kSampleBytes = 4;
  const auto raw_per_stroke = static_cast<uint64_t>(kDemoRateHz * 60.0 / kRealStrokesPerMinute) * kSampleBytes;
  for (lab::LinkReport::Press& press : report.presses) {
    const Arrival& arrival = arrivals[press.name];
    press.arrived = arrival.strokes.size();
    press.late = arrival.late.size();
    press.repeated = arrival.repeated;
    report.raw_bytes += press.strokes * raw_per_stroke;
  }
  return {};
}

// Its picture is left out where Prometheus does not answer: nothing else depends on it.
void DemoPlant::ask_prometheus(lab::LinkReport& report) const {
  const auto answer_file = folder_ / "waiting.json";
  auto asking = start_program("promtool",
                              {"query", "range", "--format=json", fmt::format("--start={:.0f}", started_s_),
                               fmt::format("--end={:.0f}", now_s()), "--step=1s",
                               fmt::format("http://127.0.0.1:{}", prometheus_port_), "sum(edge_outbox_messages)"},
                              answer_file);
  if (!asking || asking->wait() != 0) return;
  const json answer = json::parse(read_text_file(answer_file, kMaxAnswerBytes).value_or(""), nullptr, false);
  if (!answer.is_array() || answer.empty() || !answer[0].contains("values")) return;
  for (const json& point : answer[0]["values"]) {
    report.waiting.emplace_back(point.at(0).get<double>() - started_s_, std::stod(point.at(1).get<std::string>()));
  }
}

}  // namespace millwright::apps
