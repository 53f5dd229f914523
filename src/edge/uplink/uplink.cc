// SPDX-License-Identifier: Apache-2.0
#include "edge/uplink/uplink.h"

#include <pthread.h>

#include <chrono>

#include <nlohmann/json.hpp>

#include "edge/event_log.h"
#include "edge/mqtt/broker_options.h"
#include "net/mqtt/tls_context.h"

namespace millwright::edge {
namespace {

using nlohmann::json;

constexpr auto kPace = std::chrono::milliseconds(100);
constexpr int64_t kUpkeepNs = 5'000'000'000;
constexpr int64_t kHealthNs = 60'000'000'000;

OutboxOptions outbox_options(const Config& config) {
  OutboxOptions options;
  options.folder = config.state / "outbox";
  return options;
}

SenderOptions sender_options(const Config& config) {
  return {.line_id = config.line_id,
          .alerts_leave_on = config.mqtt->alerts_leave_on,
          .replay_per_s = config.mqtt->replay_per_s};
}

}  // namespace

Uplink::Uplink(Settings settings, model::Topics topics)
    : settings_(std::move(settings)),
      topics_(std::move(topics)),
      clock_(settings_.clock),
      outbox_(outbox_options(settings_.config), clock_),
      feeder_(outbox_, settings_.sources, clock_) {}

Result<std::unique_ptr<Uplink>> Uplink::create(Settings settings) {
  const Config& config = settings.config;
  model::Topics topics = MW_TRY(model::Topics::create(config.mqtt->prefix, config.factory_id, config.device_id));
  MW_CHECK_OK(net::mqtt::check_shape(broker_options(*config.mqtt)));
  std::error_code ignored;
  std::filesystem::create_directories(config.state / "outbox", ignored);
  std::unique_ptr<Uplink> uplink(new Uplink(std::move(settings), std::move(topics)));
  // The feeder opens it again where this fails.
  if (const Status opened = uplink->outbox_.open(); !opened) {
    uplink->logged_store_ = opened.error().message;
    log_event(Level::kError, "outbox_not_open", {{"error", opened.error().message}});
  }
  uplink->make_series();
  return uplink;
}

Uplink::~Uplink() { stop(0); }

net::mqtt::ClientOptions Uplink::client_options() {
  net::mqtt::ClientOptions options = broker_options(*settings_.config.mqtt);
  options.filters = {topics_.edge(model::Channel::kAck), topics_.edge(model::Channel::kCommand)};
  options.status_topic = topics_.edge(model::Channel::kStatus);
  options.status = [this](bool online) {
    return model::status_message(
        {.device_id = settings_.config.device_id, .online = online, .timestamp = format_utc(clock_.wall_ns())});
  };
  return options;
}

Status Uplink::start() {
  if (const auto foreign = foreign_certificate(settings_.config)) {
    log_event(Level::kWarning, "certificate_of_another", {{"error", *foreign}});
  }
  feeder_.start();
  client_ = MW_TRY(net::mqtt::Client::start(client_options(), *this));
  {
    const std::lock_guard lock(mutex_);
    SenderOptions options = sender_options(settings_.config);
    options.on_answer = [this](std::string_view topic, uint8_t reason) { note_answer(topic, reason); };
    sender_ = std::make_unique<Sender>(outbox_, *client_, topics_, options, clock_);
    if (client_->connected()) sender_->connected();
  }
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "uplink");
    run();
  });
  return {};
}

void Uplink::run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    std::unique_lock lock(mutex_);
    // A store that closed itself comes back through the feeder; until then there is nothing to read.
    if (outbox_.is_open()) {
      if (const Status sent = sender_->step(); !sent && sent.error().message != logged_read_) {
        logged_read_ = sent.error().message;
        log_event(Level::kError, "outbox_not_read", {{"error", logged_read_}});
      }
    }
    wake_.wait_for(lock, kPace);
  }
}

uint64_t Uplink::waiting() {
  uint64_t messages = 0;
  for (const StreamFigures& stream : outbox_.figures().streams) messages += stream.messages;
  return messages;
}

void Uplink::stop(int64_t deliver_ns) {
  if (stopping_.load(std::memory_order_acquire)) return;
  feeder_.finish();
  const int64_t until = clock_.monotonic_ns() + deliver_ns;
  while (thread_.joinable() && waiting() > 0 && client_->connected() && clock_.monotonic_ns() < until) {
    std::this_thread::sleep_for(kPace);
  }
  stopping_.store(true, std::memory_order_release);
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  // Outside of the lock: its last callbacks take it.
  if (client_) client_->stop();
  (void)outbox_.tick();
}

void Uplink::on_connected() {
  const std::lock_guard lock(mutex_);
  if (sender_) sender_->connected();
  logged_loss_.clear();
  log_event(Level::kInfo, "broker_connected", {{"host", settings_.config.mqtt->host}});
  wake_.notify_all();
}

// Without the hub's confirmations alerts never leave: nobody must have to guess why.
void Uplink::on_subscribed(std::string_view filter, const Status& result) {
  if (result) return;
  log_event(Level::kError, "subscription_refused",
            {{"host", settings_.config.mqtt->host}, {"topic", filter}, {"error", result.error().message}});
}

// Once per cause: a plant's broker may be away for days.
void Uplink::on_disconnected(std::string_view why) {
  const std::lock_guard lock(mutex_);
  if (logged_loss_ == why) return;
  logged_loss_ = why;
  if (stopping_.load(std::memory_order_acquire)) {
    log_event(Level::kInfo, "broker_left", {{"host", settings_.config.mqtt->host}});
    return;
  }
  log_event(Level::kWarning, "broker_lost", {{"host", settings_.config.mqtt->host}, {"error", why}});
}

void Uplink::on_delivery(const net::mqtt::Delivery& delivery) {
  const std::lock_guard lock(mutex_);
  if (sender_) sender_->delivered(delivery);
  wake_.notify_all();
}

void Uplink::on_status_answered(uint8_t reason) {
  const std::lock_guard lock(mutex_);
  note_answer(topics_.edge(model::Channel::kStatus), reason);
}

// Under the lock. What a broker's list refuses is kept and tried again: nobody must have to guess why nothing arrives.
// One message that it will not have says nothing about its topic.
void Uplink::note_answer(std::string_view topic, uint8_t reason) {
  const bool poison = is_about_the_message(reason);
  const Refusals::Change change = (poison ? poisoned_ : refusals_).answered(topic, reason);
  if (change == Refusals::Change::kNone) return;
  if (change == Refusals::Change::kAcceptedAgain) {
    log_event(Level::kInfo, "publish_accepted_again", {{"topic", topic}});
    return;
  }
  constexpr uint8_t kNotAuthorised = 0x87;
  std::string_view what_then = "until the broker takes it, it is kept and tried again";
  if (reason == kNotAuthorised) {
    what_then = "the broker's list must let this box write there; until then it is kept and tried again";
  } else if (poison) {
    what_then =
        "it is about this message, not about a right: an alert is kept, another is put aside in outbox.dead "
        "after a number of tries; is the broker's largest packet below what this box sends?";
  }
  log_event(Level::kError, "publish_refused",
            {{"host", settings_.config.mqtt->host},
             {"topic", topic},
             {"reason", fmt::format("0x{:02X}", reason)},
             {"error", fmt::format("{}; {}", net::mqtt::reason_name(reason), what_then)}});
}

// A broker may grant a subscription that its list lets nothing through for: silence is all there is to go by.
void Uplink::note_confirmations(int64_t now_ns) {
  const OutboxFigures outbox = outbox_.figures();
  if (!outbox.open) return;  // then nothing waits as far as it knows
  const StreamFigures& alerts = outbox.streams[static_cast<size_t>(Stream::kAlerts)];
  const auto change = confirmations_.look(now_ns, client_ && client_->connected(), alerts.messages, alerts.delivered);
  if (change == ConfirmationWatch::Change::kNone) return;
  if (change == ConfirmationWatch::Change::kConfirmed) {
    log_event(Level::kInfo, "alerts_confirmed_again", {{"waiting", alerts.messages}});
    return;
  }
  const bool hub = settings_.config.mqtt->alerts_leave_on == AlertsLeaveOn::kHub;
  log_event(
      Level::kWarning, "alerts_unconfirmed",
      {{"waiting", alerts.messages},
       {"minutes", ConfirmationWatch::kPatienceNs / 60'000'000'000},
       {"error", hub ? fmt::format("no hub confirms alerts: does one run, may it write {0}, and may this box read it "
                                   "(deploy/mosquitto: the certificate's common name must be the device_id)?",
                                   topics_.edge(model::Channel::kAck))
                     : std::string("the broker acknowledges no alert; see publish_refused")}});
}

// A hub that is gone while the machine is well: no alert waits for it, and yet nothing arrives.
void Uplink::note_listeners() {
  const bool nobody = sender_figures().nobody_listens;
  if (nobody == std::exchange(nobody_listened_, nobody)) return;
  if (nobody) {
    log_event(Level::kWarning, "nobody_listens",
              {{"host", settings_.config.mqtt->host},
               {"error",
                "the broker takes messages that nobody has subscribed to: does the hub run, and does it "
                "subscribe to all channels of this box? They are kept and tried again"}});
  } else {
    log_event(Level::kInfo, "somebody_listens", {{"host", settings_.config.mqtt->host}});
  }
}

void Uplink::on_message(std::string_view topic, std::string_view payload, bool retained) {
  if (topic == topics_.edge(model::Channel::kAck)) {
    const auto ack = model::parse_ack_message(payload);
    if (!ack || ack->device_id != settings_.config.device_id) return;
    const std::lock_guard lock(mutex_);
    if (sender_) sender_->acknowledged(*ack);
    return;
  }
  // A retained command would be obeyed again at every start.
  if (retained || topic != topics_.edge(model::Channel::kCommand)) return;
  const auto command = model::parse_command_message(payload);
  if (!command || command->device_id != settings_.config.device_id) {
    log_event(Level::kWarning, "command_refused",
              {{"error", command ? std::string("it is for another device") : command.error().message}});
    return;
  }
  if (command->command_id == last_command_) return;
  last_command_ = command->command_id;
  const Status done = settings_.command(*command);
  log_event(done ? Level::kInfo : Level::kWarning, done ? "command_done" : "command_refused",
            {{"command_id", command->command_id},
             {"asset_id", command->asset_id},
             {"user", command->user},
             {"error", done ? std::string() : done.error().message}});
}

void Uplink::tick(const SystemFigures& system) {
  const int64_t now = clock_.monotonic_ns();
  note_confirmations(now);
  note_listeners();
  if (now >= next_upkeep_ns_) {
    next_upkeep_ns_ = now + kUpkeepNs;
    const Status kept = outbox_.is_open() ? outbox_.tick() : Status();
    const std::string error = kept ? feeder_.figures().last_error : kept.error().message;
    const std::lock_guard lock(mutex_);
    if (!error.empty() && error != logged_store_) log_event(Level::kError, "outbox_failing", {{"error", error}});
    if (error.empty() && !logged_store_.empty()) log_event(Level::kInfo, "outbox_good", json::object());
    logged_store_ = error;
    note_losses(now);
  }
  if (now < next_health_ns_ || !outbox_.is_open()) return;
  next_health_ns_ = now + kHealthNs;
  read_certificate();
  model::HealthMessage health;
  health.timestamp = format_utc(clock_.wall_ns());
  health.device_id = settings_.config.device_id;
  health.cpu_pct = system.cpu_percent.value_or(0.0);
  health.gpu_pct = system.gpu_percent;
  health.temp_c = system.temperature_celsius;
  const OutboxFigures figures = outbox_.figures();
  health.figures = {{"memory_pct", system.memory_percent.value_or(0.0)},
                    {"outbox_headroom_s", figures.headroom_s},
                    {"resident_bytes", static_cast<double>(system.process_resident_bytes)}};
  const std::string line = model::health_line(health);
  std::vector<Message> messages;
  messages.reserve(settings_.config.assets.size());
  for (const AssetConfig& asset : settings_.config.assets) {
    messages.push_back({.stream = Stream::kHealth, .asset = asset.id, .wall_ns = clock_.wall_ns(), .payload = line});
  }
  (void)outbox_.append(messages);  // the feeder finds out why, and says so
}

// It may be renewed while we run.
void Uplink::read_certificate() {
  const MqttConfig& mqtt = *settings_.config.mqtt;
  if (!mqtt.tls || mqtt.certificate_file.empty()) return;
  certificate_ends_s_ = net::mqtt::certificate_not_after(mqtt.certificate_file).value_or(0);
}

void Uplink::add_features(std::string_view asset_id, std::string_view line) {
  if (!outbox_.is_open()) return;
  const Message message{.stream = Stream::kFeatures, .asset = asset_id, .wall_ns = clock_.wall_ns(), .payload = line};
  (void)outbox_.append(std::span(&message, 1));  // the feeder finds out why, and says so
}

}  // namespace millwright::edge
