// SPDX-License-Identifier: Apache-2.0
#include "edge/record_writer.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <chrono>

#include "base/check.h"

namespace millwright::edge {
namespace {

constexpr size_t kBatchEntries = 256;
constexpr size_t kBatchLines = 1024;
constexpr int kIdleMs = 1000;
constexpr int kRetryMs = 200;

}  // namespace

RecordWriter::RecordWriter(Ledger& ledger, RecordSink& sink, RecordLines& lines, uint64_t journal_last_id,
                           Listener listener)
    : ledger_(ledger),
      sink_(sink),
      lines_(lines),
      listener_(std::move(listener)),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      last_written_id_(journal_last_id) {
  MW_CHECK(event_.valid(), "an event descriptor is always to be had");
}

RecordWriter::~RecordWriter() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  wake();
  thread_.join();
}

void RecordWriter::start() {
  thread_ = std::thread([this] { run(); });
}

void RecordWriter::wake() noexcept {
  if (!sleeping_.exchange(false, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  // Full means that the writer is being woken already.
  [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof(one));
}

void RecordWriter::sleep(int timeout_ms) {
  // An exchange and not a store: it either comes before the exchange in wake(), which then wakes, or reads from it, and
  // then the look below sees what was decided before that.
  sleeping_.exchange(true, std::memory_order_acq_rel);
  pollfd event{.fd = event_.get(), .events = POLLIN, .revents = 0};
  // Between the last look at the ledger and this line a stroke may have been decided without a wake-up.
  const bool something = ledger_.peek(0).has_value() || stopping_;
  if (!something || timeout_ms == kRetryMs) ::poll(&event, 1, timeout_ms);
  sleeping_.store(false, std::memory_order_release);
  uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t n = ::read(event_.get(), &ignored, sizeof(ignored));
}

void RecordWriter::run() {
  while (true) {
    const auto lines = drain();
    if (!lines) {
      if (stopping_) return;
      sleep(kRetryMs);
    } else if (*lines == 0) {
      if (stopping_) return;
      sleep(kIdleMs);
    }
  }
}

Result<uint64_t> RecordWriter::drain() {
  const uint64_t before = written();
  size_t entries = 0;
  const auto note = [this](Status status) {
    if (status) return status;
    ++failures_;
    const std::lock_guard lock(mutex_);
    last_error_ = status.error().message;
    return status;
  };
  for (; entries < kBatchEntries; ++entries) {
    const auto entry = ledger_.peek(entries);
    if (!entry) break;
    MW_CHECK_OK(note(add(*entry)));
  }
  MW_CHECK_OK(note(flush()));
  ledger_.release(entries);
  MW_CHECK_OK(note(ledger_.keep_reserve()));
  return written() - before;
}

// Gathers the strokes of one entry that are not in the journal yet.
Status RecordWriter::add(const LedgerEntry& entry) {
  model::StrokeRecord record = entry.first;
  for (uint64_t i = 0; i < entry.count; ++i) {
    record.stroke_id = entry.first.stroke_id + i;
    record.plc_cycle = i < entry.cycled && entry.first.plc_cycle != 0 ? entry.first.plc_cycle + i : 0;
    if (record.stroke_id <= last_written_id_) continue;
    lines_.append(text_, record);
    gathered_.push_back(record);
    if (gathered_.size() == kBatchLines) MW_CHECK_OK(flush());
  }
  return {};
}

// On an error nothing of the batch counts as written; it is gathered again from the ledger.
Status RecordWriter::flush() {
  Status status;
  if (!gathered_.empty()) {
    status = sink_.append(text_, gathered_.front().stroke_id);
    if (status) {
      last_written_id_ = gathered_.back().stroke_id;
      written_ += gathered_.size();
      if (listener_) {
        for (const auto& record : gathered_) listener_(record);
      }
    }
  }
  text_.clear();
  gathered_.clear();
  return status;
}

Status RecordWriter::finish(int64_t patience_ms) {
  if (thread_.joinable()) {
    stopping_ = true;
    sleeping_ = true;
    wake();
    thread_.join();
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (const size_t before = ledger_.backlog()) {
    if (drain() && ledger_.backlog() < before) continue;
    if (std::chrono::steady_clock::now() >= until) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(kRetryMs));
  }
  if (ledger_.backlog() > 0) {
    return fail(ErrorCode::kIo, "{} strokes are kept in the ledger until the next start: {}", ledger_.backlog(),
                last_error());
  }
  return ledger_.mark_clean();
}

std::string RecordWriter::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

}  // namespace millwright::edge
