// SPDX-License-Identifier: Apache-2.0
#include "onnx/operators.h"

#include <algorithm>
#include <array>

namespace millwright::onnx {
namespace {

using namespace std::string_view_literals;

// Sorted. Tensor arithmetic with a cost and a result that the inputs' sizes bound, and nothing random: a verdict must
// come out the same twice.
constexpr std::array kStandard = {"Abs"sv,
                                  "Acos"sv,
                                  "Acosh"sv,
                                  "Add"sv,
                                  "AffineGrid"sv,
                                  "And"sv,
                                  "ArgMax"sv,
                                  "ArgMin"sv,
                                  "Asin"sv,
                                  "Asinh"sv,
                                  "Atan"sv,
                                  "Atanh"sv,
                                  "Attention"sv,
                                  "AveragePool"sv,
                                  "BatchNormalization"sv,
                                  "BitShift"sv,
                                  "BitwiseAnd"sv,
                                  "BitwiseNot"sv,
                                  "BitwiseOr"sv,
                                  "BitwiseXor"sv,
                                  "BlackmanWindow"sv,
                                  "Cast"sv,
                                  "CastLike"sv,
                                  "Ceil"sv,
                                  "Celu"sv,
                                  "CenterCropPad"sv,
                                  "Clip"sv,
                                  "Col2Im"sv,
                                  "Compress"sv,
                                  "Concat"sv,
                                  "Constant"sv,
                                  "ConstantOfShape"sv,
                                  "Conv"sv,
                                  "ConvInteger"sv,
                                  "ConvTranspose"sv,
                                  "Cos"sv,
                                  "Cosh"sv,
                                  "CumSum"sv,
                                  "DFT"sv,
                                  "DeformConv"sv,
                                  "DepthToSpace"sv,
                                  "DequantizeLinear"sv,
                                  "Det"sv,
                                  "Div"sv,
                                  "Dropout"sv,
                                  "DynamicQuantizeLinear"sv,
                                  "Einsum"sv,
                                  "Elu"sv,
                                  "Equal"sv,
                                  "Erf"sv,
                                  "Exp"sv,
                                  "Expand"sv,
                                  "EyeLike"sv,
                                  "Flatten"sv,
                                  "Floor"sv,
                                  "GRU"sv,
                                  "Gather"sv,
                                  "GatherElements"sv,
                                  "GatherND"sv,
                                  "Gelu"sv,
                                  "Gemm"sv,
                                  "GlobalAveragePool"sv,
                                  "GlobalLpPool"sv,
                                  "GlobalMaxPool"sv,
                                  "Greater"sv,
                                  "GreaterOrEqual"sv,
                                  "GridSample"sv,
                                  "GroupNormalization"sv,
                                  "HammingWindow"sv,
                                  "HannWindow"sv,
                                  "HardSigmoid"sv,
                                  "HardSwish"sv,
                                  "Hardmax"sv,
                                  "Identity"sv,
                                  "If"sv,
                                  "InstanceNormalization"sv,
                                  "IsInf"sv,
                                  "IsNaN"sv,
                                  "LRN"sv,
                                  "LSTM"sv,
                                  "LayerNormalization"sv,
                                  "LeakyRelu"sv,
                                  "Less"sv,
                                  "LessOrEqual"sv,
                                  "Log"sv,
                                  "LogSoftmax"sv,
                                  "LpNormalization"sv,
                                  "LpPool"sv,
                                  "MatMul"sv,
                                  "MatMulInteger"sv,
                                  "Max"sv,
                                  "MaxPool"sv,
                                  "MaxRoiPool"sv,
                                  "MaxUnpool"sv,
                                  "Mean"sv,
                                  "MeanVarianceNormalization"sv,
                                  "MelWeightMatrix"sv,
                                  "Min"sv,
                                  "Mish"sv,
                                  "Mod"sv,
                                  "Mul"sv,
                                  "Neg"sv,
                                  "NegativeLogLikelihoodLoss"sv,
                                  "NonMaxSuppression"sv,
                                  "NonZero"sv,
                                  "Not"sv,
                                  "OneHot"sv,
                                  "Or"sv,
                                  "PRelu"sv,
                                  "Pad"sv,
                                  "Pow"sv,
                                  "QLinearConv"sv,
                                  "QLinearMatMul"sv,
                                  "QuantizeLinear"sv,
                                  "RMSNormalization"sv,
                                  "RNN"sv,
                                  "Range"sv,
                                  "Reciprocal"sv,
                                  "ReduceL1"sv,
                                  "ReduceL2"sv,
                                  "ReduceLogSum"sv,
                                  "ReduceLogSumExp"sv,
                                  "ReduceMax"sv,
                                  "ReduceMean"sv,
                                  "ReduceMin"sv,
                                  "ReduceProd"sv,
                                  "ReduceSum"sv,
                                  "ReduceSumSquare"sv,
                                  "Relu"sv,
                                  "Reshape"sv,
                                  "Resize"sv,
                                  "ReverseSequence"sv,
                                  "RoiAlign"sv,
                                  "RotaryEmbedding"sv,
                                  "Round"sv,
                                  "STFT"sv,
                                  "Scatter"sv,
                                  "ScatterElements"sv,
                                  "ScatterND"sv,
                                  "Selu"sv,
                                  "Shape"sv,
                                  "Shrink"sv,
                                  "Sigmoid"sv,
                                  "Sign"sv,
                                  "Sin"sv,
                                  "Sinh"sv,
                                  "Size"sv,
                                  "Slice"sv,
                                  "Softmax"sv,
                                  "SoftmaxCrossEntropyLoss"sv,
                                  "Softplus"sv,
                                  "Softsign"sv,
                                  "SpaceToDepth"sv,
                                  "Split"sv,
                                  "Sqrt"sv,
                                  "Squeeze"sv,
                                  "Sub"sv,
                                  "Sum"sv,
                                  "Swish"sv,
                                  "Tan"sv,
                                  "Tanh"sv,
                                  "TensorScatter"sv,
                                  "ThresholdedRelu"sv,
                                  "Tile"sv,
                                  "TopK"sv,
                                  "Transpose"sv,
                                  "Trilu"sv,
                                  "Unique"sv,
                                  "Unsqueeze"sv,
                                  "Upsample"sv,
                                  "Where"sv,
                                  "Xor"sv};

constexpr std::array kMachineLearning = {"ArrayFeatureExtractor"sv,
                                         "Binarizer"sv,
                                         "FeatureVectorizer"sv,
                                         "Imputer"sv,
                                         "LinearClassifier"sv,
                                         "LinearRegressor"sv,
                                         "Normalizer"sv,
                                         "OneHotEncoder"sv,
                                         "SVMClassifier"sv,
                                         "SVMRegressor"sv,
                                         "Scaler"sv,
                                         "TreeEnsemble"sv,
                                         "TreeEnsembleClassifier"sv,
                                         "TreeEnsembleRegressor"sv};

// What quantisers write; ONNX Runtime's own fused operators belong into no model file.
constexpr std::array kMicrosoft = {"DequantizeLinear"sv,
                                   "DynamicQuantizeMatMul"sv,
                                   "MatMulInteger16"sv,
                                   "MatMulIntegerToFloat"sv,
                                   "MatMulNBits"sv,
                                   "QGemm"sv,
                                   "QLinearAdd"sv,
                                   "QLinearAveragePool"sv,
                                   "QLinearConcat"sv,
                                   "QLinearConv"sv,
                                   "QLinearGlobalAveragePool"sv,
                                   "QLinearLeakyRelu"sv,
                                   "QLinearMul"sv,
                                   "QLinearSigmoid"sv,
                                   "QLinearSoftmax"sv,
                                   "QuantizeLinear"sv};

static_assert(std::ranges::is_sorted(kStandard) && std::ranges::is_sorted(kMachineLearning) &&
              std::ranges::is_sorted(kMicrosoft));

// Operators that people will meet and ask about.
std::string_view reason(std::string_view op) {
  if (op == "Loop" || op == "Scan") return "its run time has no bound";
  if (op.starts_with("Random") || op == "Multinomial" || op == "Bernoulli") return "its result is random";
  if (op.starts_with("Sequence") || op.starts_with("Optional") || op.ends_with("Sequence")) {
    return "only tensors are taken, no sequences";
  }
  if (op.starts_with("String") || op == "RegexFullMatch" || op == "TfIdfVectorizer") return "it works on text";
  if (op == "ZipMap") return "only tensors are taken; export the classifier with zipmap off";
  return "it is not on the list of allowed operators";
}

}  // namespace

bool known_domain(std::string_view domain) {
  return domain.empty() || domain == "ai.onnx" || domain == "ai.onnx.ml" || domain == "com.microsoft";
}

Status check_operator(std::string_view domain, std::string_view op, bool allow_loops) {
  const bool standard = domain.empty() || domain == "ai.onnx";
  if (standard && allow_loops && (op == "Loop" || op == "Scan")) return {};
  const bool listed = standard                    ? std::ranges::binary_search(kStandard, op)
                      : domain == "ai.onnx.ml"    ? std::ranges::binary_search(kMachineLearning, op)
                      : domain == "com.microsoft" ? std::ranges::binary_search(kMicrosoft, op)
                                                  : false;
  if (listed) return {};
  return fail(ErrorCode::kRefused, "{}", reason(op));
}

}  // namespace millwright::onnx
