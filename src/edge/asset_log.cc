// SPDX-License-Identifier: Apache-2.0
// What an asset tells the log, on the control thread: changes, not states.
#include <nlohmann/json.hpp>

#include "edge/asset.h"
#include "edge/event_log.h"

namespace millwright::edge {

using nlohmann::json;

void Asset::log_recovery() const {
  if (alarm_active_) log_event(Level::kWarning, "alarm_stands", {{"asset_id", config_.id}});
  const LedgerRecovery& found = ledger_->recovery();
  if (found.kept_slots > 0) {
    log_event(
        Level::kWarning, "ledger_slots_kept",
        {{"asset_id", config_.id},
         {"slots", found.kept_slots},
         {"wanted", config_.records.ledger_slots},
         {"error",
          "a ledger keeps the size it was made with; to change it, stop the agent and remove the file 'ledger'"}});
  }
  const uint64_t torn = journal_->tail().torn_bytes;
  if (found.restarted + found.undrained + found.damaged_slots + found.ids_skipped + torn == 0 &&
      found.moved_aside.empty()) {
    return;
  }
  log_event(found.damaged_slots > 0 || !found.moved_aside.empty() ? Level::kWarning : Level::kInfo, "recovered",
            {{"asset_id", config_.id},
             {"strokes_without_verdict", found.restarted},
             {"entries_not_yet_written", found.undrained},
             {"damaged_slots", found.damaged_slots},
             {"stroke_ids_skipped", found.ids_skipped},
             {"torn_bytes_cut", torn},
             {"ledger_moved_to", found.moved_aside}});
}

// Samples that were refused or left out, and a far side that comes and goes: each cause once.
void Asset::log_source() {
  const SourceCounters& counters = source_->counters();
  if (const uint64_t refused = counters.refused.load(); std::exchange(logged_refused_, refused) != refused) {
    json details = {{"asset_id", config_.id}, {"refused", refused}};
    if (const auto why = source_->refusal()) details["why"] = *why;
    log_event(Level::kWarning, "packets_refused", details);
  }
  if (const uint64_t left_out = counters.left_out.load(); std::exchange(logged_left_out_, left_out) != left_out) {
    log_event(Level::kError, "samples_left_out",
              {{"asset_id", config_.id}, {"messages", left_out}, {"why", "strokes are decided slower than they come"}});
  }
  const auto link = source_->link();
  if (!link) return;
  if (link->up) {
    logged_source_loss_.clear();
    if (link->connects != std::exchange(logged_source_connects_, link->connects)) {
      log_event(Level::kInfo, "source_connected", {{"asset_id", config_.id}, {"connects", link->connects}});
    }
  } else if (!link->why.empty() && link->why != logged_source_loss_) {
    logged_source_loss_ = link->why;
    log_event(Level::kWarning, "source_lost", {{"asset_id", config_.id}, {"error", link->why}});
  }
}

// A disk may fail for days: once when it begins, once a minute while it lasts, once when it is over.
void Asset::log_records() {
  constexpr int64_t kEveryNs = 60'000'000'000;
  const uint64_t failures = writer_->failures();
  const bool failing = std::exchange(seen_failures_, failures) != failures;
  const int64_t now = clock_.monotonic_ns();
  if (failing && (!records_failing_ || now - logged_records_ns_ >= kEveryNs)) {
    log_event(Level::kError, "records_not_written",
              {{"asset_id", config_.id}, {"failures", failures}, {"error", writer_->last_error()}});
    logged_records_ns_ = now;
    records_failing_ = true;
  } else if (!failing && records_failing_) {
    log_event(Level::kInfo, "records_written_again", {{"asset_id", config_.id}, {"failures", failures}});
    records_failing_ = false;
  }
}

void Asset::log_link() {
  constexpr int64_t kGraceNs = 5'000'000'000;
  const auto link = output_->link();
  if (!link || link->up == link_up_) return;
  // One that comes up while the agent starts is not lost; one that never comes up is said to be.
  if (!link_up_ && !link->up && clock_.monotonic_ns() - began_ns_ < kGraceNs) return;
  link_up_ = link->up;
  const bool plc = config_.output.kind != OutputConfig::Kind::kMqtt;
  // What never was there is not lost.
  const char* down = plc && link->connects == 0 ? "_awaited" : "_lost";
  const std::string event = std::string(plc ? "plc" : "output") + (link->up ? "_connected" : down);
  log_event(link->up ? Level::kInfo : Level::kWarning, event,
            {{"asset_id", config_.id},
             {"connects", link->connects},
             {"refused", link->refused},
             {"error", link->up ? std::string() : link->last_error}});
}

// Once per cause, and once more after it has worked in between.
void Asset::log_model() {
  const uint64_t verdicts = counters_.verdicts[static_cast<size_t>(model::Verdict::kGo)].get() +
                            counters_.verdicts[static_cast<size_t>(model::Verdict::kNoGo)].get();
  const bool works = std::exchange(seen_verdicts_, verdicts) != verdicts;
  if (const auto failure = counters_.model_failure.take()) {
    if (*failure == logged_model_failure_) return;
    logged_model_failure_ = *failure;
    log_event(Level::kError, "model_failed",
              {{"asset_id", config_.id},
               {"error", *failure},
               {"strokes", counters_.reasons[static_cast<size_t>(model::Reason::kModelError)].get()}});
  } else if (works) {
    logged_model_failure_.clear();
  }
}

}  // namespace millwright::edge
