// SPDX-License-Identifier: Apache-2.0
// Which operators a model from a stranger may use: those listed, and no others.
#pragma once

#include <string_view>

#include "base/error.h"

namespace millwright::onnx {

// "" and "ai.onnx" are the same domain. kRefused says why the operator is not taken.
Status check_operator(std::string_view domain, std::string_view op, bool allow_loops);

// Whether any operator of this domain may be used.
bool known_domain(std::string_view domain);

}  // namespace millwright::onnx
