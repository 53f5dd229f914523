// SPDX-License-Identifier: Apache-2.0
// A calibration in the binary form that ONNX Runtime's TensorRT provider reads (calibration.flatbuffers).
#pragma once

#include "base/error.h"
#include "base/files.h"
#include "lab/calibration_record.h"

namespace millwright::lab {

// A FlatBuffers buffer of the schema CalTableFlatBuffers: TrtTable { dict: [KeyValue] }, KeyValue { key: string,
// value: string }. Keys are the tensors' names in the order of their bytes; a value is the largest size that the tensor
// may have, max(|low|, |high|), in its own unit, as decimal text that reads back to the same float. The same bytes for
// the same record. kInvalidInput where it would be 2 GiB or more, which FlatBuffers cannot address. FORMAT.md has it.
Result<Bytes> flatbuffers_table(const CalibrationRecord& record);

}  // namespace millwright::lab
