// SPDX-License-Identifier: Apache-2.0
// One decoder for each kind of file. All treat the bytes as hostile, check every size against the source before they
// allocate, and leave `path` empty; messages do not name the file, read_recording() adds it.
#pragma once

#include "recording/byte_source.h"
#include "recording/recording.h"

namespace millwright::recording {

// NumPy's format 1.0 to 3.0, little endian; C and Fortran order. Source: numpy.lib.format of the NumPy manual.
Result<Recording> decode_npy(ByteSource& source, const ReadOptions& options);

Result<Recording> decode_csv(ByteSource& source, const ReadOptions& options);

// RIFF/WAVE with PCM of 8 to 32 bits, float or double samples. Integers are scaled to [-1, 1).
Result<Recording> decode_wav(ByteSource& source, const ReadOptions& options);

enum class RawSample { kFloat32, kInt16 };
// Little-endian samples of one channel, without a header.
Result<Recording> decode_raw(ByteSource& source, RawSample kind, const ReadOptions& options);

// MATLAB files of version 4, 5, 7 and 7.3. Reads by path, because matio opens nothing else.
Result<Recording> decode_mat(const std::filesystem::path& path, const ReadOptions& options);

// The rate to use when the file carries `in_file` (0: it carries none) and the caller may have given one.
Result<double> agree_on_rate(double in_file, const ReadOptions& options, double tolerance);

// kTooLarge above kMaxSamples or kMaxChannels, kInvalidInput where there are no samples.
Status check_extent(uint64_t windows, uint64_t channels, uint64_t length);

}  // namespace millwright::recording
