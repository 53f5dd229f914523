// SPDX-License-Identifier: Apache-2.0
// What an operator does to channels, the second axis of a value, as far as its node and its constants tell.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "onnx/graph.h"

namespace millwright::lab {

// The second axis, fixed; a value of less than two axes has none.
std::optional<size_t> channel_count(const onnx::Graph& graph, std::string_view value);

// Its first input's channels come out apart, in order, and what is 0 stays 0.
bool keeps_channels(const onnx::Graph& graph, const onnx::Node& node);

// The same, but 0 becomes something else.
bool keeps_channels_not_zero(const onnx::Node& node);

// Of a constant beside a value of `rank` axes, by NumPy's rule of broadcasting: the axis that runs along the channels.
// nullopt: one value serves all channels.
std::optional<size_t> channel_axis(const onnx::Tensor& constant, size_t rank);

}  // namespace millwright::lab
