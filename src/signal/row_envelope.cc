// SPDX-License-Identifier: Apache-2.0
#include "signal/row_envelope.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "signal/envelope_spectrum.h"
#include "signal/row_kernels.h"
#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

MW_VECTORISED void shift(const Row* band, const float* turns, size_t count, Row* out) {
  for (size_t k = 0; k < count; ++k) {
    const float re = turns[2 * k];
    const float im = turns[2 * k + 1];
    out[2 * k] = band[2 * k] * re - band[2 * k + 1] * im;
    out[2 * k + 1] = band[2 * k] * im + band[2 * k + 1] * re;
  }
}

// Sample j of this phase is sample j * stride of the envelope.
MW_VECTORISED void magnitudes(const Row* z, const uint32_t* order, size_t count, size_t stride, Row* out) {
  for (size_t j = 0; j < count; ++j) {
    const Row* at = z + 2 * size_t{order[j]};
    Row value = at[0] * at[0] + at[1] * at[1];
    take_root(value);
    out[j * stride] = value;
  }
}

MW_VECTORISED void add_rows(const Row* x, size_t count, RowSum* sum) {
  for (size_t begin = 0; begin < count; begin += kRowBlock) {
    const size_t end = std::min(count, begin + kRowBlock);
    Row total{};
    for (size_t i = begin; i < end; ++i) total += x[i];
    add_wide(total, *sum);
  }
}

MW_VECTORISED void add_magnitudes(const Row* z, size_t count, RowSum* sum) {
  for (size_t begin = 0; begin < count; begin += kRowBlock) {
    const size_t end = std::min(count, begin + kRowBlock);
    Row total{};
    for (size_t k = begin; k < end; ++k) {
      Row value = z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1];
      take_root(value);
      total += value;
    }
    add_wide(total, *sum);
  }
}

}  // namespace

std::optional<RowEnvelope> RowEnvelope::create(const EnvelopeFeatures& spec, size_t length, double rate_hz) {
  const BandBins band = bins_of_band(spec, rate_hz);
  const size_t part = std::max(std::bit_ceil(band.count), RowFft::kMinSize);
  if (band.count == 0 || spec.nfft < 2 * part) return std::nullopt;
  return RowEnvelope(spec, length, rate_hz, part);
}

RowEnvelope::RowEnvelope(const EnvelopeFeatures& spec, size_t length, double rate_hz, size_t part)
    : length_(length),
      bins_(spec.bins),
      groups_(spec.groups),
      first_bin_(bins_of_band(spec, rate_hz).first),
      kept_(bins_of_band(spec, rate_hz).count),
      phases_(spec.nfft / part),
      whole_(spec.nfft / 2),
      part_(part),
      bins_of_window_(spec.nfft),
      band_(2 * std::max(kept_, bins_)),
      phase_(2 * part) {
  for (size_t r = 1; r < phases_; ++r) {
    Buffer<Complex> turns(kept_);
    for (size_t k = 0; k < kept_; ++k) {
      const double angle =
          -2.0 * std::numbers::pi * static_cast<double>(r * k % spec.nfft) / static_cast<double>(spec.nfft);
      turns[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
    }
    shifts_.push_back(std::move(turns));
  }
}

void RowEnvelope::fill_envelope() {
  Row* z = phase_.data();
  for (size_t r = 0; r < phases_; ++r) {
    if (r == 0) {
      copy_rows(band_.data(), 2 * kept_, z);
    } else {
      shift(band_.data(), reinterpret_cast<const float*>(shifts_[r - 1].data()), kept_, z);
    }
    clear_rows(z + 2 * kept_, 2 * (part_.size() - kept_));
    part_.run(z);
    magnitudes(z, part_.order(), part_.size(), phases_, bins_of_window_.data() + r);
  }
}

void RowEnvelope::compute(const Row* x, Row* out) {
  Row* z = bins_of_window_.data();
  copy_rows(x, length_, z);
  clear_rows(z + length_, 2 * whole_.size() - length_);
  whole_.run(z);
  whole_.conjugate_bins(z, first_bin_, kept_, 1.0F / static_cast<float>(whole_.size()), band_.data());
  fill_envelope();
  RowSum sum;
  add_rows(z, length_, &sum);
  Row mean;
  for (size_t l = 0; l < kRowLanes; ++l) mean[l] = static_cast<float>(sum.lane[l] / static_cast<double>(length_));
  subtract_rows(mean, length_, z);
  clear_rows(z + length_, 2 * whole_.size() - length_);
  whole_.run(z);
  average_groups(out);
}

// Bins 1 .. bins; the one at half the rate, where it is asked for, is real.
void RowEnvelope::average_groups(Row* out) {
  const size_t plain = std::min(bins_, whole_.size() - 1);
  Row* bins = band_.data();
  whole_.conjugate_bins(bins_of_window_.data(), 1, plain, 1.0F, bins);
  if (plain < bins_) {
    bins[2 * plain] = bins_of_window_.data()[0] - bins_of_window_.data()[1];
    bins[2 * plain + 1] = Row{};
  }
  for (size_t i = 0; i < groups_; ++i) {
    const size_t count = bins_of_group(i, bins_, groups_);
    RowSum sum;
    add_magnitudes(bins, count, &sum);
    for (size_t l = 0; l < kRowLanes; ++l) out[i][l] = static_cast<float>(sum.lane[l] / static_cast<double>(count));
    bins += 2 * count;
  }
}

}  // namespace millwright::signal
