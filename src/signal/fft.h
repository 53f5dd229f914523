// SPDX-License-Identifier: Apache-2.0
// The Fourier transform: the only place that knows libavutil.
#pragma once

#include <complex>
#include <cstddef>
#include <memory>
#include <span>

#include "base/error.h"

namespace millwright::signal {

using Complex = std::complex<float>;

enum class Direction { kForward, kInverse };

// Floats in memory that vector code may read in whole registers: aligned, zeroed, with room behind the end.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t size)
      : data_(static_cast<T*>(::operator new(size * sizeof(T) + kSlack, kAlign))), size_(size) {
    std::fill_n(reinterpret_cast<char*>(data_.get()), size * sizeof(T) + kSlack, '\0');
  }
  [[nodiscard]] T* data() { return data_.get(); }
  [[nodiscard]] const T* data() const { return data_.get(); }
  [[nodiscard]] size_t size() const { return size_; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }

 private:
  static constexpr std::align_val_t kAlign{64};
  static constexpr size_t kSlack = 64;
  struct Free {
    void operator()(T* data) const { ::operator delete(data, kAlign); }
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
};

// A plan for complex transforms of one size; neither direction is scaled. One thread at a time.
class Fft {
 public:
  // `size` is a power of two from 1 to 2^21; other sizes fall to a slow path of the library and are refused.
  static Result<Fft> create(size_t size, Direction direction);

  // `in` and `out` are Buffers of size() numbers, not the same one; `in` may be overwritten. No allocation.
  void run(Buffer<Complex>& in, Buffer<Complex>& out) const;

  [[nodiscard]] size_t size() const { return size_; }

 private:
  struct Context;
  struct Free {
    void operator()(Context* context) const;
  };
  Fft() = default;
  std::unique_ptr<Context, Free> context_;
  size_t size_ = 0;
};

}  // namespace millwright::signal
