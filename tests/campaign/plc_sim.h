// SPDX-License-Identifier: Apache-2.0
// The machine's PLC, as src/edge/plc/FORMAT.md asks it to behave: what it accepts, when it goes into its safe state,
// and its two ways to the registers, both by libmodbus.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "edge/plc/registers.h"

struct _modbus;
struct _modbus_mapping_t;

namespace millwright::campaign {

inline constexpr int64_t kHeartbeatTimeoutNs = 250'000'000;
inline constexpr int64_t kAnswerTimeoutNs = 100'000'000;

class PlcRules {
 public:
  // A part comes before the PLC.
  void trigger(uint32_t cycle);
  // One scan: what was read just now; nullopt: nothing, or nothing whole.
  void scan(const std::optional<edge::plc::Block>& block, int64_t now_ns);
  void link_lost() { linked_ = false; }

  // Whether the last scan decides the present part.
  [[nodiscard]] bool result() const;
  [[nodiscard]] bool accepted() const { return result() && block_->status.pass; }
  // The machine must not run.
  [[nodiscard]] bool safe(int64_t now_ns) const;
  [[nodiscard]] bool alive(int64_t now_ns) const { return linked_ && now_ns - beat_ns_ < kHeartbeatTimeoutNs; }
  [[nodiscard]] const std::optional<edge::plc::Block>& block() const { return block_; }

 private:
  uint32_t cycle_ = 0;
  std::optional<uint32_t> sequence_at_trigger_;
  std::optional<uint32_t> sequence_;
  std::optional<edge::plc::Block> block_;
  std::optional<uint16_t> heartbeat_;
  int64_t beat_ns_ = -kHeartbeatTimeoutNs;
  int64_t scan_ns_ = 0;
  bool linked_ = false;
};

// Polls an agent that is a server.
class PlcPoller {
 public:
  PlcPoller(uint16_t port, int64_t answer_timeout_ns);
  ~PlcPoller();
  PlcPoller(const PlcPoller&) = delete;
  PlcPoller& operator=(const PlcPoller&) = delete;

  // Each false: the link is lost, and the next call tries to have it back.
  bool read(std::optional<edge::plc::Block>& block);
  bool tell(const edge::plc::Control& control);
  // read() in two halves, so that something may happen in between.
  bool ask();
  bool take(std::optional<edge::plc::Block>& block);

 private:
  bool open();
  bool lost();

  ::_modbus* context_;
  bool open_ = false;
};

// Is written to by an agent that is a client.
class PlcTarget {
 public:
  PlcTarget();
  ~PlcTarget();
  PlcTarget(const PlcTarget&) = delete;
  PlcTarget& operator=(const PlcTarget&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }
  // Serves one request, or waits until then. The registers as they stand afterwards.
  std::optional<edge::plc::Block> serve(int64_t wait_ns);
  void tell(const edge::plc::Control& control);
  // As after a reboot: no connection, and all registers zero.
  void reboot();

 private:
  ::_modbus* context_;
  ::_modbus_mapping_t* mapping_;
  int listener_ = -1;
  int peer_ = -1;
  uint16_t port_ = 0;
};

}  // namespace millwright::campaign
