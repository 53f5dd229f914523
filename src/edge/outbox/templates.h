// SPDX-License-Identifier: Apache-2.0
// The payloads that others are written as differences from. They are learned: when an asset's messages fit none of its
// templates well, the message at hand becomes one. A place is used again only when no record that lies between the
// durable tails and the heads needs it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/outbox/block_file.h"
#include "edge/outbox/delta.h"
#include "edge/outbox/layout.h"

namespace millwright::edge::outbox {

class Templates {
 public:
  using Tails = std::array<uint64_t, kStreams>;

  // Reads what of both copies is whole.
  void load(BlockFile& file, uint32_t seed);

  // Places that the batch at hand names are not taught anew.
  void begin_batch() { batch_turn_ = turn_ + 1; }

  struct Encoded {
    uint16_t model = 0;           // as in RecordHead; 0: nothing was appended, the payload is best stored as it is
    std::optional<size_t> learn;  // this place should learn the payload: then encode again
  };
  // Appends the payload as a difference to `out`.
  Encoded encode(uint16_t asset, std::string_view payload, const Tails& safe_tails, std::string& out);
  // Makes `payload` the template of `place`, in both copies on disk. Sync by the caller, before a record names it.
  Status learn(BlockFile& file, uint32_t seed, size_t place, uint16_t asset, std::string_view payload);
  [[nodiscard]] Result<std::string> decode(uint16_t model, std::string_view stored) const;

  // A record that names `model` ends before `position` of this stream's ring.
  void used(uint16_t model, Stream stream, uint64_t position);

 private:
  struct Known {
    explicit Known(const Template& from) : asset(from.asset), crc(from.crc), model(from.text) {}
    uint16_t asset;
    uint32_t crc;  // of its text
    DeltaModel model;
  };
  struct Place {
    std::optional<Known> known;
    Tails last_use{};
    uint64_t turn = 0;  // when it fitted last
  };
  void bring_alike_forward(std::vector<uint8_t>& order, uint32_t letters) const;
  [[nodiscard]] std::optional<size_t> free_place(const Tails& safe_tails) const;

  std::array<Place, kTemplates> places_;
  std::array<std::vector<uint8_t>, kMaxAssets> of_asset_;  // its places, the one that fitted last first
  std::array<uint32_t, kMaxAssets> since_learned_{};
  uint64_t turn_ = 0;
  uint64_t batch_turn_ = 0;
  PaddedText payload_;
  std::vector<char> best_;  // differences being made, and the shortest so far
  std::vector<char> attempt_;
};

}  // namespace millwright::edge::outbox
