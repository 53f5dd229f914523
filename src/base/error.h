// SPDX-License-Identifier: Apache-2.0
// What a caller must handle: Result<T> is a value or an Error. An Error says what is wrong, where, and what to do,
// in one line that a plant engineer can act on; the code says what the *program* can do about it.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace millwright {

// Chosen by what the caller can do, not by who failed.
enum class ErrorCode {
  kInvalidInput,  // the input or the configuration must be changed
  kNotFound,      // the named thing is not there
  kCorrupt,       // the data fails its own checks; use another copy
  kUnsupported,   // valid, but not by this program or version
  kTooLarge,      // beyond a named limit
  kRefused,       // a security rule says no; do not retry
  kTimedOut,      // may work later
  kUnavailable,   // a peer, device or port is not there now; retry with backoff
  kIo,            // the disk or a descriptor failed
  kCancelled,     // somebody asked to stop
};

// Lower-case words, for logs and JSON ("invalid_input").
std::string_view name(ErrorCode code);

struct [[nodiscard]] Error {
  ErrorCode code;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

// fail(ErrorCode::kCorrupt, "manifest: digest does not match"): the unexpected side of a Result.
template <typename... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// Adds where it happened, on the way up: "read bundle press7: manifest: digest does not match".
[[nodiscard]] std::unexpected<Error> with_context(Error error, std::string_view context);

// The exit status of a program that stops on this error: 2 wrong input, 3 a fault outside.
int exit_status(ErrorCode code);

}  // namespace millwright

// MW_TRY(expr): the value of a Result, or leave the function with its error.
// A statement expression, because g++ 12 lacks std::expected's monadic members; its name is unique so that calls nest.
#define MW_TRY(expr) MW_TRY_NAMED_(MW_UNIQUE_(__COUNTER__), expr)
#define MW_TRY_NAMED_(result, expr)                                 \
  ({                                                                \
    auto result = (expr);                                           \
    if (!result) return std::unexpected(std::move(result).error()); \
    *std::move(result);                                             \
  })

// MW_TRY_IN("read bundle press7", expr): the same, with context added.
#define MW_TRY_IN(context, expr) MW_TRY_IN_NAMED_(MW_UNIQUE_(__COUNTER__), context, expr)
#define MW_TRY_IN_NAMED_(result, context, expr)                                         \
  ({                                                                                    \
    auto result = (expr);                                                               \
    if (!result) return ::millwright::with_context(std::move(result).error(), context); \
    *std::move(result);                                                                 \
  })

// MW_CHECK_OK(expr): for a Status; leaves the function with its error.
#define MW_CHECK_OK(expr)                                                                             \
  do {                                                                                                \
    if (auto mw_status_ = (expr); !mw_status_) return std::unexpected(std::move(mw_status_).error()); \
  } while (false)

#define MW_UNIQUE_(counter) MW_JOIN_(mw_result_, counter)
#define MW_JOIN_(a, b) MW_JOIN2_(a, b)
#define MW_JOIN2_(a, b) a##b
