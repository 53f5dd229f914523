// SPDX-License-Identifier: Apache-2.0
#include "campaign/plc_sim.h"

#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/check.h"

namespace millwright::campaign {
namespace {

using edge::plc::Block;
using edge::plc::BlockRegisters;
using edge::plc::Control;
using edge::plc::kBlockRegisters;
using edge::plc::kControlRegisters;
using edge::plc::WordOrder;

constexpr int64_t kNanosPerMicro = 1'000;
constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr int kRegisters = kBlockRegisters + kControlRegisters;

}  // namespace

void PlcRules::trigger(uint32_t cycle) {
  cycle_ = cycle;
  sequence_at_trigger_ = sequence_;
}

void PlcRules::scan(const std::optional<Block>& block, int64_t now_ns) {
  scan_ns_ = now_ns;
  linked_ = true;
  block_ = block;
  if (!block) return;
  sequence_ = block->sequence;
  if (heartbeat_ != block->heartbeat) beat_ns_ = now_ns;
  heartbeat_ = block->heartbeat;
}

bool PlcRules::result() const {
  return block_ && block_->status.result_valid && block_->cycle == cycle_ && block_->sequence != sequence_at_trigger_ &&
         !block_->status.fault && alive(scan_ns_);
}

bool PlcRules::safe(int64_t now_ns) const {
  return !alive(now_ns) || (block_ && (block_->status.stop || block_->status.fault));
}

PlcPoller::PlcPoller(uint16_t port, int64_t answer_timeout_ns) : context_(::modbus_new_tcp("127.0.0.1", port)) {
  MW_CHECK(context_ != nullptr, "libmodbus has memory");
  const int64_t micros = answer_timeout_ns / kNanosPerMicro;
  const auto seconds = static_cast<uint32_t>(micros / kMicrosPerSecond);
  const auto rest = static_cast<uint32_t>(micros % kMicrosPerSecond);
  ::modbus_set_response_timeout(context_, seconds, rest);
  ::modbus_set_byte_timeout(context_, seconds, rest);
}

PlcPoller::~PlcPoller() {
  if (open_) ::modbus_close(context_);
  ::modbus_free(context_);
}

bool PlcPoller::open() {
  if (!open_) open_ = ::modbus_connect(context_) == 0;
  return open_;
}

bool PlcPoller::lost() {
  if (open_) ::modbus_close(context_);
  open_ = false;
  return false;
}

bool PlcPoller::read(std::optional<Block>& block) {
  BlockRegisters registers{};
  if (!open() || ::modbus_read_registers(context_, 0, kBlockRegisters, registers.data()) != kBlockRegisters) {
    return lost();
  }
  block = edge::plc::decode_block(registers, WordOrder::kBig);
  return true;
}

bool PlcPoller::tell(const Control& control) {
  const auto registers = edge::plc::encode_control(control, WordOrder::kBig);
  if (!open() || ::modbus_write_registers(context_, kBlockRegisters, kControlRegisters, registers.data()) !=
                     static_cast<int>(kControlRegisters)) {
    return lost();
  }
  return true;
}

bool PlcPoller::ask() {
  const std::array<uint8_t, 6> request = {255, MODBUS_FC_READ_HOLDING_REGISTERS, 0, 0, 0, kBlockRegisters};
  if (!open() || ::modbus_send_raw_request(context_, request.data(), request.size()) < 0) return lost();
  return true;
}

bool PlcPoller::take(std::optional<Block>& block) {
  constexpr int kData = 9;  // header, function, count of bytes
  std::array<uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> reply{};
  if (!open_ ||
      ::modbus_receive_confirmation(context_, reply.data()) != kData + 2 * static_cast<int>(kBlockRegisters)) {
    return lost();
  }
  BlockRegisters registers{};
  for (size_t i = 0; i < registers.size(); ++i) {
    registers[i] = static_cast<uint16_t>((reply[kData + 2 * i] << 8) | reply[kData + 2 * i + 1]);
  }
  block = edge::plc::decode_block(registers, WordOrder::kBig);
  return true;
}

PlcTarget::PlcTarget()
    : context_(::modbus_new_tcp("127.0.0.1", 0)), mapping_(::modbus_mapping_new(0, 0, kRegisters, 0)) {
  MW_CHECK(context_ != nullptr && mapping_ != nullptr, "libmodbus has memory");
  listener_ = ::modbus_tcp_listen(context_, 4);
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  MW_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "loopback has a free port");
  port_ = ntohs(address.sin_port);
}

PlcTarget::~PlcTarget() {
  ::close(listener_);
  if (peer_ >= 0) ::close(peer_);
  ::modbus_mapping_free(mapping_);
  ::modbus_free(context_);
}

std::optional<Block> PlcTarget::serve(int64_t wait_ns) {
  std::array<pollfd, 2> fds = {
      {{.fd = listener_, .events = POLLIN, .revents = 0}, {.fd = peer_, .events = POLLIN, .revents = 0}}};
  const timespec timeout{.tv_sec = 0, .tv_nsec = std::clamp<int64_t>(wait_ns, 0, 999 * kNanosPerMilli)};
  ::ppoll(fds.data(), fds.size(), &timeout, nullptr);
  if (fds[0].revents != 0) {
    // The newest connection is the agent; an older one is what a lost link left behind.
    if (peer_ >= 0) ::close(peer_);
    peer_ = ::accept(listener_, nullptr, nullptr);
    ::modbus_set_socket(context_, peer_);
  } else if (fds[1].revents != 0) {
    std::array<uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> request{};
    const int n = ::modbus_receive(context_, request.data());
    if (n > 0) ::modbus_reply(context_, request.data(), n, mapping_);
    if (n < 0) {
      ::close(peer_);
      peer_ = -1;
    }
  }
  const std::span<const uint16_t, kBlockRegisters> registers(mapping_->tab_registers, kBlockRegisters);
  return edge::plc::decode_block(registers, WordOrder::kBig);
}

void PlcTarget::tell(const Control& control) {
  const auto registers = edge::plc::encode_control(control, WordOrder::kBig);
  std::ranges::copy(registers, mapping_->tab_registers + kBlockRegisters);
}

void PlcTarget::reboot() {
  if (peer_ >= 0) ::close(peer_);
  peer_ = -1;
  std::fill_n(mapping_->tab_registers, kRegisters, uint16_t{0});
}

}  // namespace millwright::campaign
