// SPDX-License-Identifier: Apache-2.0
#include "edge/console_output.h"

#include <unistd.h>

#include <chrono>

#include <fmt/format.h>

namespace millwright::edge {
namespace {

constexpr size_t kWaiting = 4096;
constexpr auto kEvery = std::chrono::milliseconds(200);

}  // namespace

ConsoleOutput::ConsoleOutput(std::string asset_id)
    : asset_id_(std::move(asset_id)), waiting_(kWaiting), thread_([this] { run(); }) {}

ConsoleOutput::~ConsoleOutput() {
  stopping_ = true;
  thread_.join();
  print_waiting();
}

void ConsoleOutput::drive(const OutputState& state) noexcept {
  if (!waiting_.try_push(state)) lost_.fetch_add(1, std::memory_order_relaxed);
}

void ConsoleOutput::run() {
  while (!stopping_) {
    print_waiting();
    std::this_thread::sleep_for(kEvery);
  }
}

void ConsoleOutput::print_waiting() {
  std::string text;
  while (const auto state = waiting_.try_pop()) {
    text += fmt::format("{} stroke {} {} {}\n", asset_id_, state->stroke_id, model::name(state->verdict),
                        state->stop ? "stop" : "run");
  }
  if (const uint64_t lost = lost_.exchange(0); lost > 0) text += fmt::format("{} ({} lines lost)\n", asset_id_, lost);
  [[maybe_unused]] const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
}

}  // namespace millwright::edge
