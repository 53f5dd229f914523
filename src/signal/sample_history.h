// SPDX-License-Identifier: Apache-2.0
// The last samples of an endless stream with holes: written block by block, read by their index in the stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace millwright::signal {

// Holes take no room: samples are kept by how many came, and a short list of holes says where in the stream they lie.
class SampleHistory {
 public:
  // Keeps at least the last `frames` samples of each channel that came. Allocates here only.
  SampleHistory(size_t channels, size_t frames);

  void push(std::span<const float> planar, size_t frames);
  void push_gap(uint64_t frames);

  // Samples of the stream so far, those in holes included.
  [[nodiscard]] uint64_t seen() const { return arrived_ + missing_; }

  // Copies samples [begin, begin + frames) of all channels, planar; all of them must have been seen. Zeros stand for
  // what is not there: before the stream, in a hole, or no longer kept. Returns whether all were there.
  bool read(int64_t begin, size_t frames, std::span<float> planar) const;

  // The end of the hole in which [begin, begin + frames) lies wholly, if there is one.
  [[nodiscard]] std::optional<int64_t> hole_around(int64_t begin, size_t frames) const;

 private:
  // A hole in the stream; between two holes a sample of stream index i was the (i - missing)th to arrive.
  struct Hole {
    int64_t begin = 0;
    int64_t end = 0;
    int64_t missing = 0;  // samples in this hole and all before it
  };

  size_t copy(int64_t begin, int64_t end, int64_t missing, int64_t origin, size_t frames,
              std::span<float> planar) const;

  size_t channels_;
  size_t capacity_;
  std::vector<float> ring_;  // planar, capacity_ per channel
  uint64_t arrived_ = 0;
  uint64_t missing_ = 0;
  std::vector<Hole> holes_;     // oldest first, at most kMaxHoles
  int64_t known_from_ = 0;      // before this index the holes are forgotten
  int64_t missing_before_ = 0;  // samples in forgotten holes
};

}  // namespace millwright::signal
