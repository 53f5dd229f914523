// SPDX-License-Identifier: Apache-2.0
#include "signal/fft.h"

#include <bit>

#include "base/check.h"

extern "C" {
#include <libavutil/tx.h>
}

namespace millwright::signal {
namespace {
constexpr size_t kMaxSize = 1 << 21;
}

struct Fft::Context {
  AVTXContext* tx = nullptr;
  av_tx_fn run = nullptr;
};

void Fft::Free::operator()(Context* context) const {
  av_tx_uninit(&context->tx);
  delete context;
}

Result<Fft> Fft::create(size_t size, Direction direction) {
  if (!std::has_single_bit(size) || size > kMaxSize) {
    return fail(ErrorCode::kInvalidInput, "transform of size {}: must be a power of two up to {}", size, kMaxSize);
  }
  Fft fft;
  fft.size_ = size;
  fft.context_.reset(new Context);
  if (size == 1) return fft;  // the identity, which the library does not offer
  const float scale = 1.0F;
  const int inverse = direction == Direction::kInverse ? 1 : 0;
  if (av_tx_init(&fft.context_->tx, &fft.context_->run, AV_TX_FLOAT_FFT, inverse, static_cast<int>(size), &scale, 0) <
      0) {
    return fail(ErrorCode::kUnsupported, "transform of size {}: libavutil offers none", size);
  }
  return fft;
}

void Fft::run(Buffer<Complex>& in, Buffer<Complex>& out) const {
  MW_CHECK(in.size() >= size_ && out.size() >= size_ && in.data() != out.data(), "buffers hold a whole transform");
  if (size_ == 1) {
    out[0] = in[0];
    return;
  }
  context_->run(context_->tx, out.data(), in.data(), sizeof(Complex));
}

}  // namespace millwright::signal
