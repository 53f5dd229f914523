// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/plc_output.h"

#include <fmt/format.h>

namespace millwright::edge::plc {

Result<std::unique_ptr<PlcOutput>> PlcOutput::create(const PlcOptions& options, FailSafe on_death, const Clock& clock) {
  std::unique_ptr<PlcOutput> output(new PlcOutput(options, on_death, clock));
  if (options.role == PlcOptions::Role::kServer) {
    output->end_ = MW_TRY_IN("output", Server::start(options, output->link_));
  } else {
    output->end_ = MW_TRY_IN("output", Client::start(options, output->link_));
  }
  return output;
}

PlcOutput::PlcOutput(const PlcOptions& options, FailSafe on_death, const Clock& clock)
    : options_(options), wakes_(options.role == PlcOptions::Role::kClient), link_(clock, on_death, options.map.order) {
  // Two lives of the agent must not begin with the same numbers.
  state_.sequence = static_cast<uint32_t>(clock.wall_ns() ^ clock.monotonic_ns());
  state_.result.stop = true;
  put();
}

void PlcOutput::opened(uint64_t stroke_id) noexcept {
  state_.open(stroke_id);
  put();
}

void PlcOutput::drive(const OutputState& state) noexcept {
  state_.drive(state);
  put();
}

void PlcOutput::stands(bool stop, bool alarm) noexcept {
  state_.result.stop = stop;
  state_.result.alarm = alarm;
  put();
}

void PlcOutput::heartbeat(uint64_t beat) noexcept {
  state_.beats = beat;
  put();
}

std::optional<OutputLink> PlcOutput::link() const {
  constexpr double kSecondsPerNano = 1e-9;
  OutputLink facts = link_.facts();
  if (const int error = link_.last_error; error != 0) {
    facts.last_error = failure_words(options_, link_.last_step, error);
  } else if (options_.role == PlcOptions::Role::kServer && facts.connects == 0) {
    facts.last_error = fmt::format("no PLC has connected to {}:{} yet", options_.address, port());
  } else if (const int64_t still = link_.standstill_ns(); still > 0) {
    facts.last_error =
        fmt::format("the PLC's heartbeat (control register 1) has stood still for {:.0f} s; does its program run?",
                    static_cast<double>(still) * kSecondsPerNano);
  } else if (!facts.up) {
    facts.last_error =
        fmt::format("no request from the PLC for {:.0f} s; is it on, and is the cable in?", facts.heard_age_s);
  }
  return facts;
}

uint16_t PlcOutput::port() const {
  const auto* server = std::get_if<std::unique_ptr<Server>>(&end_);
  return server == nullptr ? uint16_t{0} : (*server)->port();
}

Result<std::string> check_plc(const PlcOptions& options) {
  const RegisterMap& map = options.map;
  constexpr uint16_t kFirstByManual = 40'001;
  const std::string where =
      fmt::format("registers {}-{} and {}-{}, counted from 0{}", map.base, map.base + kBlockRegisters - 1,
                  map.control_base, map.control_base + kControlRegisters - 1,
                  map.base >= kFirstByManual || map.control_base >= kFirstByManual
                      ? "; where a PLC's manual says 40001 it mostly means the first one: base = 0"
                      : "");
  if (options.role == PlcOptions::Role::kServer) {
    MW_CHECK_OK(can_listen(options));
    return fmt::format("{}:{} can be listened on; {}", options.address, options.port, where);
  }
  MW_CHECK_OK(Client::can_reach(options));
  return fmt::format("the PLC at {}:{} answers; {} can be read", options.address, options.port, where);
}

}  // namespace millwright::edge::plc
