// SPDX-License-Identifier: Apache-2.0
// The simulated PLC as a program, for tests of the real agent: polls every 10 ms and says, one JSON line for each, when
// the machine may run, when it may not, and what it reads of results. Ends when its standard input does.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/clock.h"
#include "campaign/plc_sim.h"

namespace {

using millwright::campaign::PlcPoller;
using millwright::campaign::PlcRules;

constexpr int kScanMs = 10;
constexpr int64_t kNanosPerMilli = 1'000'000;

void tell(const char* event, int64_t now_ns) {
  std::printf("{\"event\":\"%s\",\"monotonic_ms\":%lld}\n", event, static_cast<long long>(now_ns / kNanosPerMilli));
  std::fflush(stdout);
}

void tell(const millwright::edge::plc::Block& block) {
  std::printf(
      "{\"event\":\"result\",\"cycle\":%u,\"stroke_id\":%u,\"verdict\":%d,\"valid\":%s,\"pass\":%s,\"ready\":%s,"
      "\"reason\":%d,\"score\":%d}\n",
      block.cycle, block.stroke, static_cast<int>(block.verdict), block.status.result_valid ? "true" : "false",
      block.status.pass ? "true" : "false", block.status.ready ? "true" : "false", block.reason, block.score);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: plc_sim PORT\n");
    return 2;
  }
  const millwright::SystemClock clock;
  PlcPoller plc(static_cast<uint16_t>(std::atoi(argv[1])), millwright::campaign::kAnswerTimeoutNs);
  PlcRules rules;
  std::optional<bool> safe;
  std::optional<uint32_t> sequence;
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (::poll(&input, 1, kScanMs) == 0) {
    std::optional<millwright::edge::plc::Block> block;
    if (plc.read(block)) {
      rules.scan(block, clock.monotonic_ns());
    } else {
      rules.link_lost();
    }
    const int64_t now = clock.monotonic_ns();
    if (safe != rules.safe(now)) tell(rules.safe(now) ? "safe" : "runs", now);
    safe = rules.safe(now);
    if (block && block->stroke != 0 && sequence != block->sequence) {
      sequence = block->sequence;
      tell(*block);
    }
  }
  return 0;
}
