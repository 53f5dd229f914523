// SPDX-License-Identifier: Apache-2.0
// The verdict in a PLC's registers, by Modbus TCP. The stroke thread stores into a seqlock; the rest happens elsewhere.
// Another field bus takes the place of Server and Client behind the same Link.
#pragma once

#include <memory>
#include <variant>

#include "edge/plc/client.h"
#include "edge/plc/link.h"
#include "edge/plc/plc_options.h"
#include "edge/plc/server.h"

namespace millwright::edge::plc {

class PlcOutput final : public Output {
 public:
  static Result<std::unique_ptr<PlcOutput>> create(const PlcOptions& options, FailSafe on_death, const Clock& clock);

  void opened(uint64_t stroke_id) noexcept override;
  void drive(const OutputState& state) noexcept override;
  void stands(bool stop, bool alarm) noexcept override;
  void heartbeat(uint64_t beat) noexcept override;
  bool take_alarm_ack() noexcept override { return link_.take_alarm_ack(); }
  [[nodiscard]] std::optional<OutputLink> link() const override;

  // Where the server listens; 0 for a client.
  [[nodiscard]] uint16_t port() const;

 private:
  PlcOutput(const PlcOptions& options, FailSafe on_death, const Clock& clock);
  void put() noexcept { link_.put(state_, wakes_); }

  const PlcOptions options_;
  ResultState state_;  // the stroke thread's
  bool wakes_;         // a server needs no waking: it looks when it is asked
  Link link_;
  std::variant<std::monostate, std::unique_ptr<Server>, std::unique_ptr<Client>> end_;
};

// Whether the far side can be had, for `--check`; changes nothing. What was found, or why not.
Result<std::string> check_plc(const PlcOptions& options);

}  // namespace millwright::edge::plc
