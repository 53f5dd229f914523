// SPDX-License-Identifier: Apache-2.0
#include "edge/windows/window_store.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/files.h"
#include "edge/operator/label_log.h"
#include "recording/recording.h"

namespace millwright::edge {
namespace {

constexpr uint64_t kDiskBlock = 4096;
constexpr uint64_t kMaxNpy = 1ULL << 32;

uint64_t bytes_on_disk(uint64_t npy_bytes) {
  return (npy_bytes + kDiskBlock - 1) / kDiskBlock * kDiskBlock + kDiskBlock;
}

// The stroke that a file's name says; 0: it is none of ours.
uint64_t stroke_of(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), id);
  return error == std::errc() && end == stem.data() + stem.size() && stem.size() == 20 ? id : 0;
}

// What a kill left of a write that was to become one of our files.
bool is_leftover(const std::filesystem::path& file) {
  return file.stem().has_extension() && stroke_of(file.stem()) != 0;
}

}  // namespace

Result<std::unique_ptr<WindowStore>> WindowStore::open(Settings settings) {
  std::error_code error;
  std::filesystem::create_directories(settings.folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create the folder: {}", settings.folder.string(), error.message());
  std::unique_ptr<WindowStore> store(new WindowStore(std::move(settings)));
  MW_CHECK_OK(store->find());
  store->take_labels();
  return store;
}

// What a kill or a power cut has left half done goes: samples without facts, facts without all their samples.
Status WindowStore::find() {
  std::error_code error;
  std::set<uint64_t> strokes;
  for (const auto& file : std::filesystem::directory_iterator(settings_.folder, error)) {
    if (const uint64_t id = stroke_of(file.path()); id != 0) strokes.insert(id);
    std::error_code ignored;
    if (is_leftover(file.path())) std::filesystem::remove(file.path(), ignored);
  }
  if (error) return fail(ErrorCode::kIo, "{}: cannot be read: {}", settings_.folder.string(), error.message());
  for (const uint64_t id : strokes) {
    const auto text = read_text_file(facts_file(settings_.folder, id), kMaxKeptJson);
    const auto facts = text ? parse_kept_window(*text) : std::unexpected(text.error());
    const uint64_t bytes = std::filesystem::file_size(samples_file(settings_.folder, id), error);
    if (!facts || error || facts->stroke_id != id || bytes != facts->npy_bytes || bytes > kMaxNpy) {
      ++figures_.damaged;
      remove(id);
      continue;
    }
    const Entry entry{
        .labelled = !facts->label.empty(), .why = facts->why, .stroke_id = id, .bytes = bytes_on_disk(bytes)};
    entries_.push_back(entry);
    figures_.bytes += entry.bytes;
  }
  std::ranges::sort(entries_);
  return {};
}

void WindowStore::take_labels() {
  const auto text = read_text_file(settings_.labels, kMaxLabelBytes);
  if (!text) return;
  std::map<uint64_t, std::string> labels;  // the last line about a stroke counts
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const auto line = nlohmann::json::parse(rest.substr(0, end), nullptr, false);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.is_object() || !line.contains("stroke_id") || !line["stroke_id"].is_number_unsigned()) continue;
    if (line.contains("label") && line["label"].is_string()) labels[line["stroke_id"]] = line["label"];
  }
  for (const auto& [id, label] : labels) {
    if (entry_of(id) != entries_.end()) (void)failed(relabel(id, label));
  }
}

void WindowStore::insert(const Entry& entry) { entries_.insert(std::ranges::lower_bound(entries_, entry), entry); }

std::vector<WindowStore::Entry>::const_iterator WindowStore::entry_of(uint64_t stroke_id) const {
  for (const bool labelled : {false, true}) {
    for (const KeptFor why : {KeptFor::kNormal, KeptFor::kAround, KeptFor::kAlert}) {
      const Entry wanted{.labelled = labelled, .why = why, .stroke_id = stroke_id};
      const auto found = std::ranges::lower_bound(entries_, wanted);
      if (found != entries_.end() && *found == wanted) return found;
    }
  }
  return entries_.end();
}

void WindowStore::remove(uint64_t stroke_id) {
  std::error_code ignored;
  // Facts last: without them the samples are nobody's, and go with the next start.
  std::filesystem::remove(samples_file(settings_.folder, stroke_id), ignored);
  std::filesystem::remove(facts_file(settings_.folder, stroke_id), ignored);
}

Status WindowStore::failed(Status why) {
  if (!why) {
    ++figures_.failures;
    figures_.last_error = why.error().message;
  }
  return why;
}

Status WindowStore::write(const KeptWindow& facts, std::span<const float> samples) {
  std::vector<size_t> shape = {1, facts.channels, facts.length};
  if (facts.channels == 1) shape = {1, facts.length};
  const auto file = samples_file(settings_.folder, facts.stroke_id);
  MW_CHECK_OK(recording::write_npy(file, samples, shape));
  KeptWindow whole = facts;
  std::error_code error;
  whole.npy_bytes = std::filesystem::file_size(file, error);
  MW_CHECK_OK(write_file_atomic(facts_file(settings_.folder, facts.stroke_id), to_json(whole)));
  const Entry entry{.labelled = !facts.label.empty(),
                    .why = facts.why,
                    .stroke_id = facts.stroke_id,
                    .bytes = bytes_on_disk(whole.npy_bytes)};
  insert(entry);
  figures_.bytes += entry.bytes;
  ++figures_.kept;
  return {};
}

Status WindowStore::keep(const model::StrokeRecord& record, std::span<const float> samples, KeptFor why) {
  const std::lock_guard lock(mutex_);
  if (entry_of(record.stroke_id) != entries_.end()) return {};
  const uint64_t needed = bytes_on_disk(samples.size_bytes() + 128);
  if (needed > settings_.max_bytes) {
    return failed(fail(ErrorCode::kTooLarge, "a window of {} bytes; {} bytes of windows are kept", samples.size_bytes(),
                       settings_.max_bytes));
  }
  const Entry entry{.why = why, .stroke_id = record.stroke_id};
  while (figures_.bytes + needed > settings_.max_bytes && !entries_.empty()) {
    const Entry first = *entries_.begin();
    // One that would be the first to go makes no room for itself.
    if (entry < first) return {};
    remove(first.stroke_id);
    figures_.bytes -= first.bytes;
    entries_.erase(entries_.begin());
    ++figures_.given_up;
  }
  KeptWindow facts;
  facts.stroke_id = record.stroke_id;
  facts.asset_id = settings_.asset_id;
  facts.timestamp = format_utc(record.trigger_wall_ns);
  facts.why = why;
  facts.verdict = model::name(record.verdict);
  facts.score = record.score;
  facts.raw_score = record.raw_score;
  facts.model = record.model.hex();
  facts.channels = settings_.window.channels;
  facts.length = settings_.window.length;
  facts.rate_hz = settings_.window.rate_hz;
  const Status written = write(facts, samples);
  if (!written) remove(record.stroke_id);
  return failed(written);
}

Status WindowStore::relabel(uint64_t stroke_id, std::string_view label) {
  const auto found = entry_of(stroke_id);
  const auto file = facts_file(settings_.folder, stroke_id);
  KeptWindow facts = MW_TRY(parse_kept_window(MW_TRY(read_text_file(file, kMaxKeptJson))));
  if (facts.label == label) return {};
  facts.label = label;
  MW_CHECK_OK(write_file_atomic(file, to_json(facts)));
  Entry entry = *found;
  entry.labelled = true;
  entries_.erase(found);
  insert(entry);
  return {};
}

Status WindowStore::label(uint64_t stroke_id, std::string_view label) {
  const std::lock_guard lock(mutex_);
  if (entry_of(stroke_id) == entries_.end()) return {};
  return failed(relabel(stroke_id, label));
}

bool WindowStore::has(uint64_t stroke_id) const {
  const std::lock_guard lock(mutex_);
  return entry_of(stroke_id) != entries_.end();
}

WindowStoreFigures WindowStore::figures() const {
  const std::lock_guard lock(mutex_);
  WindowStoreFigures figures = figures_;
  figures.windows = entries_.size();
  return figures;
}

}  // namespace millwright::edge
