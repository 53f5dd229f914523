// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/fleet_subscriber.h"

namespace millwright::net::mqtt {

using model::Channel;

Result<std::unique_ptr<FleetSubscriber>> FleetSubscriber::start(ClientOptions options, std::string prefix,
                                                                FleetEvents& events) {
  MW_CHECK_OK(model::check_prefix(prefix));
  options.filters.clear();
  for (const Channel channel :
       {Channel::kAlerts, Channel::kScores, Channel::kHealth, Channel::kFeatures, Channel::kStatus}) {
    options.filters.push_back(model::fleet_filter(prefix, channel));
  }
  std::unique_ptr<FleetSubscriber> made(new FleetSubscriber(std::move(prefix), events));
  made->wanted_ = options.filters.size();
  // The client's thread begins within start(), and may hear something before it returns.
  const std::lock_guard lock(made->starting_);
  made->client_ = MW_TRY(Client::start(std::move(options), *made));
  return made;
}

FleetSubscriber::~FleetSubscriber() { stop(); }

void FleetSubscriber::stop() {
  if (client_) client_->stop();
}

bool FleetSubscriber::listening() const {
  const std::lock_guard lock(mutex_);
  return granted_ == wanted_;
}

std::string FleetSubscriber::trouble() const {
  const std::lock_guard lock(mutex_);
  return refusal_.empty() && granted_ < wanted_ ? "not connected yet" : refusal_;
}

bool FleetSubscriber::command(std::string_view factory_id, const model::CommandMessage& command) {
  const auto topics = model::Topics::create(prefix_, factory_id, command.device_id);
  return topics &&
         client_->publish({.topic = topics->edge(Channel::kCommand), .payload = model::command_message(command)});
}

void FleetSubscriber::on_disconnected(std::string_view why) {
  const std::lock_guard lock(mutex_);
  granted_ = 0;
  refusal_ = why;
}

void FleetSubscriber::on_subscribed(std::string_view, const Status& result) {
  const std::lock_guard lock(mutex_);
  if (result && ++granted_ == wanted_) refusal_.clear();
  if (!result) refusal_ = result.error().message;
}

void FleetSubscriber::on_message(std::string_view topic, std::string_view payload, bool) {
  {
    const std::lock_guard lock(starting_);
  }
  reader_.read(topic, payload, *client_);
}

}  // namespace millwright::net::mqtt
