// SPDX-License-Identifier: Apache-2.0
// Samples that a converter or gateway sends by UDP. Lost packets become gaps; what is not a packet of ours is counted
// and dropped. The network is not trusted to be honest, only the machine's own segment to be quiet: see FORMAT.md.
#pragma once

#include <netinet/in.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "edge/packet_arrival.h"
#include "edge/packet_stream.h"
#include "edge/source.h"
#include "edge/udp_packet.h"
#include "edge/waiter.h"

namespace millwright::edge {

struct UdpOptions {
  std::string address = "127.0.0.1";  // IPv4, the interface to listen on
  uint16_t port = 0;                  // 0: any free one, for tests
  std::string from;                   // only packets from this IPv4 address; empty: from any
  size_t channels = 1;
  double rate_hz = 0.0;
  int64_t rate_span_ns = 5'000'000'000;  // over which arrivals are held against rate_hz
};

class UdpSource final : public SampleSource {
 public:
  // Binds the port; kUnavailable where it is in use.
  static Result<std::unique_ptr<UdpSource>> create(const UdpOptions& options, const Clock& clock);

  [[nodiscard]] SourceShape shape() const override { return {options_.channels, options_.rate_hz}; }
  Block next(size_t max_frames, int64_t until_ns) override;
  void stop() noexcept override { waiter_.stop(); }
  [[nodiscard]] bool live() const override { return true; }
  [[nodiscard]] const SourceCounters& counters() const override { return counters_; }
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  UdpSource(UdpOptions options, Descriptor socket, uint16_t port, uint32_t from, const Clock& clock);
  // What the kernel handed over: the datagram lies in packet_.
  struct Datagram {
    size_t bytes = 0;  // as sent, also where packet_ holds less
    in_addr sender{};
    std::optional<int64_t> stamp_ns;  // wall clock, when it arrived
  };
  bool receive(size_t max_frames, Block& block);
  std::optional<Datagram> read_datagram();

  UdpOptions options_;
  Descriptor socket_;
  uint16_t port_;
  uint32_t from_;  // network order; 0: any
  const Clock& clock_;
  SourceCounters counters_;
  Waiter waiter_;
  SystemClock kernel_clock_;  // what the kernel stamps with, whatever clock_ is
  PacketArrival arrival_;
  PacketStream stream_;
  std::vector<std::byte> packet_;
  alignas(8) std::array<std::byte, 256> control_{};
  std::vector<float> planar_;
  signal::TriggerEvent event_;
};

}  // namespace millwright::edge
