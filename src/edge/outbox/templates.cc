// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/templates.h"

#include <algorithm>
#include <cstring>

#include "edge/outbox/crc32c.h"

namespace millwright::edge::outbox {
namespace {

// A record's line is told by a ninth of its bytes where the template is of its kind (M1, simulated presses).
constexpr size_t kGoodShare = 7;
constexpr size_t kWorthwhileShare = 2;
constexpr size_t kMinPayload = 64;
constexpr uint32_t kLearnEvery = 16;  // messages of an asset, so that texts without a pattern do not wear the disk

uint64_t place_at(size_t copy, size_t place) { return kTemplatesAt + (copy * kTemplates + place) * kTemplateBytes; }

void bring_forward(std::vector<uint8_t>& order, size_t at) {
  const auto from = order.begin() + static_cast<ptrdiff_t>(at);
  std::rotate(order.begin(), from, from + 1);
}

}  // namespace

void Templates::load(BlockFile& file, uint32_t seed) {
  std::vector<std::byte> bytes(kTemplateBytes);
  since_learned_.fill(kLearnEvery);
  for (auto& order : of_asset_) order.clear();
  for (size_t i = 0; i < kTemplates; ++i) {
    places_[i] = {};
    for (size_t copy = 0; copy < 2 && !places_[i].known; ++copy) {
      if (!file.read(place_at(copy, i), bytes)) continue;
      if (auto model = decode_template(bytes, seed)) places_[i].known.emplace(*model);
    }
    if (places_[i].known) of_asset_[places_[i].known->asset].push_back(static_cast<uint8_t>(i));
  }
}

void Templates::bring_alike_forward(std::vector<uint8_t>& order, uint32_t letters) const {
  const auto alike = [&](uint8_t place) { return places_[place].known->model.letters() == letters; };
  const auto first = std::ranges::find_if(order, alike);
  if (first != order.end()) bring_forward(order, static_cast<size_t>(first - order.begin()));
}

Templates::Encoded Templates::encode(uint16_t asset, std::string_view payload, const Tails& safe_tails,
                                     std::string& out) {
  if (payload.size() < kMinPayload) return {};
  ++turn_;
  const size_t good = payload.size() / kGoodShare;
  std::vector<uint8_t>& order = of_asset_[asset];
  payload_.assign(payload);
  bring_alike_forward(order, payload_.letters());
  size_t best = order.size();
  size_t best_bytes = payload.size() / kWorthwhileShare + 1;
  for (size_t i = 0; i < order.size() && best_bytes > good; ++i) {
    const Known& known = *places_[order[i]].known;
    attempt_.resize(std::max(attempt_.size(), best_bytes + kDeltaSlack));
    std::memcpy(attempt_.data(), &known.crc, sizeof(known.crc));
    const auto bytes = encode_delta(known.model, payload_, std::span(attempt_).subspan(sizeof(known.crc)));
    if (!bytes || *bytes + sizeof(known.crc) >= best_bytes) continue;
    best = i;
    best_bytes = *bytes + sizeof(known.crc);
    best_.swap(attempt_);
  }
  Encoded result;
  ++since_learned_[asset];
  if (best_bytes > good && since_learned_[asset] > kLearnEvery && payload.size() <= kMaxTemplateText) {
    result.learn = free_place(safe_tails);
  }
  if (best < order.size()) {
    out.append(best_.data(), best_bytes);
    result.model = static_cast<uint16_t>(order[best] + 1);
    places_[order[best]].turn = turn_;
    bring_forward(order, best);
  }
  return result;
}

std::optional<size_t> Templates::free_place(const Tails& safe_tails) const {
  std::optional<size_t> free;
  for (size_t i = 0; i < kTemplates; ++i) {
    const Place& place = places_[i];
    if (!place.known) return i;
    bool needed = place.turn >= batch_turn_;
    for (size_t stream = 0; stream < kStreams; ++stream) needed |= place.last_use[stream] > safe_tails[stream];
    if (!needed && (!free || place.turn < places_[*free].turn)) free = i;
  }
  return free;
}

Status Templates::learn(BlockFile& file, uint32_t seed, size_t place, uint16_t asset, std::string_view payload) {
  Template model{.asset = asset, .crc = 0, .text = std::string(payload)};
  model.crc = crc32c(std::as_bytes(std::span(model.text)));
  const std::string bytes = outbox::encode(model, seed);
  if (places_[place].known) std::erase(of_asset_[places_[place].known->asset], place);
  of_asset_[asset].insert(of_asset_[asset].begin(), static_cast<uint8_t>(place));
  places_[place] = {.known = Known(model), .last_use = {}, .turn = turn_};
  since_learned_[asset] = 0;
  for (size_t copy = 0; copy < 2; ++copy) {
    MW_CHECK_OK(file.write(place_at(copy, place), std::as_bytes(std::span(bytes))));
  }
  return {};
}

Result<std::string> Templates::decode(uint16_t model, std::string_view stored) const {
  if (model == 0) return std::string(stored);
  const auto broken = [] { return fail(ErrorCode::kCorrupt, "the template of a message is not there any more"); };
  const auto& known = places_[model - 1].known;
  uint32_t crc = 0;
  if (!known || stored.size() < sizeof(crc)) return broken();
  std::memcpy(&crc, stored.data(), sizeof(crc));
  if (crc != known->crc) return broken();
  return decode_delta(known->model.text(), stored.substr(sizeof(crc)), kMaxPayloadBytes);
}

void Templates::used(uint16_t model, Stream stream, uint64_t position) {
  if (model == 0) return;
  uint64_t& last = places_[model - 1].last_use[static_cast<size_t>(stream)];
  last = std::max(last, position);
}

}  // namespace millwright::edge::outbox
