// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

namespace millwright {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput: return "invalid_input";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kTooLarge: return "too_large";
    case ErrorCode::kRefused: return "refused";
    case ErrorCode::kTimedOut: return "timed_out";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kCancelled: return "cancelled";
  }
  return "unknown";
}

std::unexpected<Error> with_context(Error error, std::string_view context) {
  error.message.insert(0, fmt::format("{}: ", context));
  return std::unexpected(std::move(error));
}

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kTimedOut:
    case ErrorCode::kUnavailable:
    case ErrorCode::kIo:
    case ErrorCode::kCancelled: return 3;
    default: return 2;
  }
}

}  // namespace millwright
