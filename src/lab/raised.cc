// SPDX-License-Identifier: Apache-2.0
#include "lab/raised.h"

#include "inference/optimised.h"
#include "onnx/raise_opset.h"

namespace millwright::lab {

Result<onnx::Graph> raised_and_prepared(onnx::Graph graph) {
  // An old Softmax can be raised only where its rank is known, which few exporters write down.
  if (graph.opset() < onnx::kWrittenOpset && graph.opset() >= onnx::kOldestOpset) {
    MW_CHECK_OK(inference::infer_values(graph));
  }
  MW_CHECK_OK(onnx::raise_opset(graph));
  const Bytes raised = MW_TRY(graph.serialize());
  return inference::prepared_graph(raised);
}

}  // namespace millwright::lab
