// SPDX-License-Identifier: Apache-2.0
#include "lab/calibration_table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace millwright::lab {
namespace {

constexpr size_t kWord = 4;  // an offset, a length; everything is aligned to it
constexpr size_t kMaxNameBytes = 1U << 20U;

// FlatBuffers, written from its beginning to its end: what is pointed at lies behind what points at it, because its
// offsets cannot be negative; a layout of a table (vtable) lies before the tables that have it.
class Writer {
 public:
  [[nodiscard]] size_t at() const { return out_.size(); }

  template <typename Number>
  void number(Number value) {
    for (size_t i = 0; i < sizeof(value); ++i) {
      out_.push_back(static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i)));
    }
  }
  // An offset from here to a place that point() states later; returns where it stands.
  size_t hole() {
    number(uint32_t{0});
    return at() - kWord;
  }
  void point(size_t hole) {
    const auto distance = static_cast<uint32_t>(at() - hole);
    for (size_t i = 0; i < kWord; ++i) out_[hole + i] = static_cast<std::byte>(distance >> (8 * i));
  }
  void align() {
    while (at() % kWord != 0) out_.push_back(std::byte{0});
  }
  // Bytes and a 0 that its length does not count.
  void text(std::string_view value) {
    number(static_cast<uint32_t>(value.size()));
    for (const char one : value) out_.push_back(static_cast<std::byte>(one));
    out_.push_back(std::byte{0});
    align();
  }
  // The layout of a table of `fields` offsets, one behind the other.
  size_t layout(size_t fields) {
    const size_t begin = at();
    number(static_cast<uint16_t>(kWord + 2 * fields));
    number(static_cast<uint16_t>(kWord + kWord * fields));
    for (size_t i = 0; i < fields; ++i) number(static_cast<uint16_t>(kWord + kWord * i));
    align();
    return begin;
  }
  void begin_table(size_t layout) { number(static_cast<uint32_t>(at() - layout)); }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

}  // namespace

Result<Bytes> flatbuffers_table(const CalibrationRecord& record) {
  constexpr size_t kOfOne = 64;  // more than what one entry has beside its name
  size_t needed = kOfOne;
  for (const auto& [name, range] : record.ranges) {
    if (name.size() > kMaxNameBytes) {
      return fail(ErrorCode::kInvalidInput, "calibration table: a tensor's name of {} bytes; at most {}", name.size(),
                  kMaxNameBytes);
    }
    needed += name.size() + kOfOne;
  }
  if (needed > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return fail(ErrorCode::kInvalidInput, "calibration table: {} tensors do not fit into 2 GiB", record.ranges.size());
  }
  Writer out;
  const size_t root = out.hole();
  const size_t table_layout = out.layout(1);
  out.point(root);
  out.begin_table(table_layout);
  out.point(out.hole());
  out.number(static_cast<uint32_t>(record.ranges.size()));
  std::vector<size_t> entries(record.ranges.size());
  for (size_t& entry : entries) entry = out.hole();
  const size_t entry_layout = out.layout(2);
  auto next = entries.begin();
  for (const auto& [name, range] : record.ranges) {
    out.point(*next++);
    out.begin_table(entry_layout);
    const size_t key = out.hole();
    const size_t value = out.hole();
    out.point(key);
    out.text(name);
    out.point(value);
    out.text(fmt::format("{}", std::max(std::abs(range.low), std::abs(range.high))));
  }
  return out.take();
}

}  // namespace millwright::lab
