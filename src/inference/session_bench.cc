// SPDX-License-Identifier: Apache-2.0
// What Session::run() adds to the bare ONNX Runtime call: both in one run, in turns, on the same tiny model, where the
// call itself weighs most. usage: inference_bench [ROUNDS]; prints one JSON line.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <fmt/core.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "inference/bare_session.h"
#include "inference/session.h"
#include "onnx/graph_builder.h"

namespace millwright::inference {
namespace {

constexpr int64_t kDefaultRounds = 2'000;
constexpr int kCallsPerRound = 100;  // above the clock's own cost

Bytes tiny() {
  onnx::GraphBuilder b("tiny");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", 4});
  b.output(b.node("Add", {x, b.scalar(1.0F)}, {}, "y"), onnx::ElementType::kFloat, {"batch", 4});
  return b.finish().value();
}

template <typename Runner>
double round_us(Runner& runner) {
  const SystemClock clock;
  const int64_t start = clock.monotonic_ns();
  for (int i = 0; i < kCallsPerRound; ++i) MW_CHECK(runner.run(), "the tiny model runs");
  return static_cast<double>(clock.monotonic_ns() - start) * 1e-3 / kCallsPerRound;
}

double median(std::vector<double>& values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

int bench(int64_t rounds) {
  const Bytes bytes = tiny();
  Session ours = Session::create(bytes, 1).value();
  BareSession bare(bytes, "x", {1, 4}, "y", {1, 4});
  std::vector<double> ours_us;
  std::vector<double> bare_us;
  std::vector<double> added_us;
  for (int64_t i = 0; i < rounds; ++i) {
    // Who goes first changes, so that neither always finds the other's warm caches.
    const bool ours_first = i % 2 == 0;
    const double first = ours_first ? round_us(ours) : round_us(bare);
    const double second = ours_first ? round_us(bare) : round_us(ours);
    ours_us.push_back(ours_first ? first : second);
    bare_us.push_back(ours_first ? second : first);
    added_us.push_back(ours_us.back() - bare_us.back());
  }
  const double added = median(added_us);
  fmt::print(
      "{{\"rounds\": {}, \"calls_per_round\": {}, \"bare_us\": {:.3f}, \"session_us\": {:.3f}, \"added_us\": "
      "{:.3f}}}\n",
      rounds, kCallsPerRound, median(bare_us), median(ours_us), added);
  return added <= 0.5 ? 0 : 1;
}

}  // namespace
}  // namespace millwright::inference

int main(int argc, char** argv) {
  const auto rounds = argc > 1 ? millwright::parse_int(argv[1]) : millwright::inference::kDefaultRounds;
  if (!rounds || *rounds < 1 || *rounds > 1'000'000) {
    fmt::print(stderr, "usage: {} [ROUNDS]\n", argv[0]);
    return 2;
  }
  return millwright::inference::bench(*rounds);
}
