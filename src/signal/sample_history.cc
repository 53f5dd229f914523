// SPDX-License-Identifier: Apache-2.0
#include "signal/sample_history.h"

#include <algorithm>

#include "base/check.h"

namespace millwright::signal {
namespace {
constexpr size_t kMaxHoles = 64;
}

SampleHistory::SampleHistory(size_t channels, size_t frames)
    : channels_(channels), capacity_(frames), ring_(channels * frames) {
  holes_.reserve(kMaxHoles);
}

void SampleHistory::push(std::span<const float> planar, size_t frames) {
  MW_CHECK(frames <= capacity_ && planar.size() >= frames * channels_, "a block fits and has all its samples");
  const size_t at = arrived_ % capacity_;
  const size_t head = std::min(frames, capacity_ - at);
  for (size_t c = 0; c < channels_; ++c) {
    const float* from = planar.data() + c * frames;
    float* ring = ring_.data() + c * capacity_;
    std::copy_n(from, head, ring + at);
    std::copy_n(from + head, frames - head, ring);
  }
  arrived_ += frames;
}

void SampleHistory::push_gap(uint64_t frames) {
  if (frames == 0) return;
  const auto begin = static_cast<int64_t>(seen());
  missing_ += frames;
  const auto end = static_cast<int64_t>(seen());
  if (!holes_.empty() && holes_.back().end == begin) {
    holes_.back().end = end;
    holes_.back().missing = static_cast<int64_t>(missing_);
    return;
  }
  if (holes_.size() == kMaxHoles) {
    known_from_ = holes_.front().end;
    missing_before_ = holes_.front().missing;
    holes_.erase(holes_.begin());
  }
  holes_.push_back({begin, end, static_cast<int64_t>(missing_)});
}

// Copies what is kept of the hole-free stretch [begin, end) to its place in the window that begins at `origin`.
size_t SampleHistory::copy(int64_t begin, int64_t end, int64_t missing, int64_t origin, size_t frames,
                           std::span<float> planar) const {
  const int64_t kept_from = static_cast<int64_t>(arrived_) - static_cast<int64_t>(capacity_) + missing;
  begin = std::max({begin, origin, kept_from});
  end = std::min(end, origin + static_cast<int64_t>(frames));
  if (begin >= end) return 0;
  const auto count = static_cast<size_t>(end - begin);
  const size_t at = static_cast<size_t>(begin - missing) % capacity_;
  const size_t head = std::min(count, capacity_ - at);
  for (size_t c = 0; c < channels_; ++c) {
    const float* ring = ring_.data() + c * capacity_;
    float* to = planar.data() + c * frames + (begin - origin);
    std::copy_n(ring + at, head, to);
    std::copy_n(ring, count - head, to + head);
  }
  return count;
}

std::optional<int64_t> SampleHistory::hole_around(int64_t begin, size_t frames) const {
  for (const Hole& hole : holes_) {
    if (hole.begin <= begin && begin + static_cast<int64_t>(frames) <= hole.end) return hole.end;
  }
  return std::nullopt;
}

bool SampleHistory::read(int64_t begin, size_t frames, std::span<float> planar) const {
  MW_CHECK(planar.size() >= frames * channels_, "room for the window");
  MW_CHECK(begin + static_cast<int64_t>(frames) <= static_cast<int64_t>(seen()), "the window has been seen");
  std::fill_n(planar.data(), frames * channels_, 0.0F);
  size_t found = 0;
  int64_t from = known_from_;
  int64_t missing = missing_before_;
  for (const Hole& hole : holes_) {
    found += copy(from, hole.begin, missing, begin, frames, planar);
    from = hole.end;
    missing = hole.missing;
  }
  found += copy(from, static_cast<int64_t>(seen()), missing, begin, frames, planar);
  return found == frames;
}

}  // namespace millwright::signal
