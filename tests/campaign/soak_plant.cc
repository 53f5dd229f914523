// SPDX-License-Identifier: Apache-2.0
#include "campaign/soak_plant.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <numbers>

#include "base/check.h"
#include "base/child_process.h"
#include "base/files.h"
#include "base/free_port.h"
#include "campaign/fresh_folder.h"
#include "edge/udp_packet.h"
#include "recording/recording.h"

namespace millwright::campaign {
namespace {

constexpr size_t kTrainingWindows = 400;
constexpr uint64_t kOneAbnormalIn = 50;

Status train(const SoakPlan& plan, const std::string& name, uint64_t seed) {
  const auto windows = plan.folder / ("windows-" + name);
  std::filesystem::create_directories(windows);
  Random random(seed);
  std::vector<float> samples(kTrainingWindows * kSoakFrames);
  for (size_t i = 0; i < kTrainingWindows; ++i) {
    make_soak_stroke(random, false, std::span(samples).subspan(i * kSoakFrames, kSoakFrames));
  }
  MW_CHECK_OK(recording::write_npy(windows / "normal.npy", samples, {kTrainingWindows, kSoakFrames}));
  auto tool =
      MW_TRY(ChildProcess::start({.argv = {plan.programs / "millwright", "train", "--recordings", windows, "--rate",
                                           fmt::format("{}", kSoakRateHz), "--out", plan.folder / (name + ".bundle")},
                                  .out_file = plan.folder / "train.log"}));
  if (tool.wait() == 0) return {};
  return fail(ErrorCode::kUnavailable, "millwright train failed; see {}", (plan.folder / "train.log").string());
}

}  // namespace

void make_soak_stroke(Random& random, bool abnormal, std::span<float> samples) {
  const double gain = 1.0 + 0.1 * random.normal();
  const double noise = abnormal ? 0.3 : 0.05;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(samples.size());
    double value = gain * std::exp(-4.0 * t) * std::sin(2.0 * std::numbers::pi * 12.0 * t) + noise * random.normal();
    if (abnormal) value += 0.8 * std::sin(2.0 * std::numbers::pi * 40.0 * t);
    samples[i] = static_cast<float>(value);
  }
}

SoakPlan make_plan(const std::filesystem::path& programs, uint64_t seed) {
  SoakPlan plan{.folder = fresh_folder(), .programs = programs, .seed = seed};
  plan.http_port = free_port(SOCK_STREAM);
  for (size_t i = 0; i < kSoakAssets; ++i) plan.udp_ports.push_back(free_port(SOCK_DGRAM));
  return plan;
}

uint16_t free_port(int type) {
  const auto port = millwright::free_port(type);
  MW_CHECK(port.has_value(), "a campaign needs a port");
  return *port;
}

nlohmann::json status_of(const SoakPlan& plan) {
  const auto text = read_text_file(plan.folder / "state" / "status.json", 1 << 20);
  auto status = nlohmann::json::parse(text.value_or(""), nullptr, false);
  return status.is_object() ? status : nlohmann::json::object();
}

bool eventually(const std::function<bool()>& done, double patience_s) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(patience_s);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 100);
  }
  return true;
}

std::string soak_asset(size_t index) { return fmt::format("press-{}", index + 1); }

Status put_bundle(const SoakPlan& plan, bool second) {
  const auto fresh = plan.folder / "press.bundle.new";
  std::error_code error;
  std::filesystem::copy_file(plan.folder / (second ? "b.bundle" : "a.bundle"), fresh,
                             std::filesystem::copy_options::overwrite_existing, error);
  if (!error) std::filesystem::rename(fresh, plan.folder / "press.bundle", error);
  if (error) return fail(ErrorCode::kIo, "{}: {}", fresh.string(), error.message());
  return {};
}

Status train_bundles(const SoakPlan& plan) {
  MW_CHECK_OK(train(plan, "a", plan.seed));
  MW_CHECK_OK(train(plan, "b", plan.seed + 1));
  return put_bundle(plan, false);
}

std::filesystem::path write_agent_config(const SoakPlan& plan) {
  auto path = plan.folder / "agent.toml";
  std::ofstream file(path);
  file << fmt::format(
      "[agent]\ndevice_id = \"box\"\nfactory_id = \"plant\"\nline_id = \"line\"\nstate = \"state\"\n"
      "[http]\nport = {}\n[mqtt]\nhost = \"127.0.0.1\"\nport = {}\ntls = false\nkeepalive_s = 10\n",
      plan.http_port, plan.mqtt_port);
  for (size_t i = 0; i < plan.udp_ports.size(); ++i) {
    file << fmt::format(
        "[[asset]]\nid = \"{}\"\nbundle = \"press.bundle\"\ndeadline_ms = {}\n"
        "window = {{ channels = 1, length = {}, rate_hz = {:.1f} }}\ntrigger = {{ kind = \"external\" }}\n"
        "source = {{ kind = \"udp\", port = {} }}\n"
        "output = {{ kind = \"none\", on_no_verdict = \"hold\", on_start = \"stop\", on_death = \"stop\" }}\n",
        soak_asset(i), kSoakDeadlineMs, kSoakFrames, kSoakRateHz, plan.udp_ports[i]);
    file << plan.more;
  }
  return path;
}

SoakPlant::SoakPlant(const std::vector<uint16_t>& ports, uint64_t seed)
    : ports_(ports),
      socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
      random_(seed),
      cycles_(ports.size()),
      lost_(ports.size()),
      thread_([this] { run(); }) {}

SoakPlant::~SoakPlant() { stop(); }

void SoakPlant::stop() {
  stopped_ = true;
  if (!thread_.joinable()) return;
  thread_.join();
  // What was lost on its way shows at a stroke that does arrive.
  for (size_t i = 0; i < ports_.size(); ++i) stroke(i, true);
}

void SoakPlant::run() {
  const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> pace(1.0 / kSoakStrokesPerSecond);
  for (uint64_t n = 0; !stopped_; ++n) {
    std::this_thread::sleep_until(start +
                                  std::chrono::duration_cast<std::chrono::nanoseconds>(pace * static_cast<double>(n)));
    const size_t asset = n % ports_.size();
    const bool lost = lost_[asset] > 0;
    if (lost) --lost_[asset];
    stroke(asset, !lost);
  }
}

void SoakPlant::stroke(size_t asset, bool arrives) {
  const uint64_t cycle = cycles_[asset]++;
  std::array<float, kSoakFrames> samples{};
  make_soak_stroke(random_, random_.below(kOneAbnormalIn) == 0, samples);
  if (flat_ == asset) samples.fill(0.0F);
  if (!arrives) return;
  const edge::PacketHeader header{.frames = kSoakFrames,
                                  .cycle_frame = 0,
                                  .sequence = cycle,
                                  .first_frame = cycle * kSoakFrames,
                                  .cycle = cycle + 1};
  std::array<std::byte, edge::kPacketHeaderBytes + sizeof(samples)> bytes{};
  const size_t size = edge::encode_packet(header, samples, bytes);
  babble(asset, {reinterpret_cast<const char*>(bytes.data()), size});
}

void SoakPlant::babble(size_t asset, const std::string& bytes) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(ports_[asset]);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)::sendto(socket_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
}

}  // namespace millwright::campaign
