// SPDX-License-Identifier: Apache-2.0
#include "campaign/udp_press.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <limits>
#include <vector>

#include "edge/udp_packet.h"

namespace millwright::campaign {

UdpPress::UdpPress(uint16_t port) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  to_.sin_family = AF_INET;
  to_.sin_port = htons(port);
  to_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

void UdpPress::stroke(Sensor sensor) {
  const edge::PacketHeader header{
      .frames = kFrames, .cycle_frame = 0, .sequence = cycle_, .first_frame = cycle_ * kFrames, .cycle = cycle_ + 1};
  ++cycle_;
  std::vector<float> samples(kFrames);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = sensor == Sensor::kFlat ? 1.0F : static_cast<float>((i * 7 + cycle_) % 5);
  }
  if (sensor == Sensor::kNotFinite) samples[kFrames / 2] = std::numeric_limits<float>::quiet_NaN();
  std::vector<std::byte> bytes(1024);
  bytes.resize(edge::encode_packet(header, samples, bytes));
  (void)::sendto(socket_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to_), sizeof(to_));
}

}  // namespace millwright::campaign
