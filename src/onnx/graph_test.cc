// SPDX-License-Identifier: Apache-2.0
#include "onnx/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/files.h"
#include "onnx/graph_builder.h"
#include "onnx/wire_tensor.h"

namespace millwright::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// x (batch, 2) -> MatMul w -> Add b -> Relu -> y.
Bytes dense() {
  GraphBuilder b("dense");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 2});
  const std::array<float, 6> w = {1, 2, 3, 4, 5, 6};
  const std::array<float, 3> bias = {0.5F, -0.5F, 0.0F};
  const auto product = b.node("MatMul", {x, b.constant(w, {2, 3}, "w")});
  const auto sum = b.node("Add", {product, b.constant(bias, {3}, "b")});
  b.output(b.node("Relu", {sum}, {}, "y"), ElementType::kFloat, {"batch", 3});
  b.metadata("made_by", "test");
  auto bytes = b.finish();
  EXPECT_TRUE(bytes);
  return *bytes;
}

Graph parsed(const Bytes& bytes) {
  auto graph = Graph::parse(bytes);
  EXPECT_TRUE(graph) << graph.error().message;
  return std::move(*graph);
}

TEST(Graph, ShowsWhatTheModelHolds) {
  const Graph graph = parsed(dense());
  ASSERT_EQ(graph.nodes.size(), 3U);
  EXPECT_EQ(graph.nodes[0].op, "MatMul");
  ASSERT_NE(graph.constant("w"), nullptr);
  EXPECT_THAT(graph.constant("w")->dims, ElementsAre(2, 3));
  EXPECT_THAT(graph.constant("w")->floats(), ElementsAre(1, 2, 3, 4, 5, 6));
  ASSERT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.inputs[0].shape[0].name, "batch");
  EXPECT_EQ(graph.opset(), 17);
  EXPECT_EQ(graph.metadata.at("made_by"), "test");
}

TEST(Graph, EqualGraphsGiveEqualBytes) {
  const auto once = parsed(dense()).serialize();
  const auto twice = parsed(dense()).copy().serialize();
  ASSERT_TRUE(once && twice);
  EXPECT_EQ(*once, *twice);
  const auto again = parsed(*once).serialize();
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *once);
}

TEST(Graph, WritesNodesInAnOrderThatRuns) {
  Graph graph = parsed(dense());
  std::ranges::reverse(graph.nodes);
  const auto bytes = graph.serialize();
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(parsed(*bytes).nodes[0].op, "MatMul");
}

TEST(Graph, AnEditThatBreaksItIsRefusedWhenItIsWritten) {
  Graph graph = parsed(dense());
  graph.constants.erase("w");
  const auto bytes = graph.serialize();
  ASSERT_FALSE(bytes);
  EXPECT_THAT(bytes.error().message, HasSubstr("'w'"));
}

TEST(Graph, KnowsWhoMakesAndWhoReads) {
  const Graph graph = parsed(dense());
  const Wiring wiring(graph);
  const std::string& product = graph.nodes[0].outputs[0];
  EXPECT_EQ(wiring.maker(product), 0U);
  EXPECT_THAT(wiring.readers(product), ElementsAre(1));
  EXPECT_FALSE(wiring.maker("x"));
  EXPECT_TRUE(wiring.is_output("y"));
}

TEST(Graph, TakesOutWhatNobodyWants) {
  Graph graph = parsed(dense());
  Node extra;
  extra.op = "Neg";
  extra.inputs = {"w2"};
  extra.outputs = {graph.fresh_name("unwanted")};
  graph.nodes.push_back(extra);
  graph.constants["w2"] = *graph.constant("w");
  remove_unused(graph);
  EXPECT_EQ(graph.nodes.size(), 3U);
  EXPECT_EQ(graph.constants.size(), 2U);
}

TEST(Graph, AFreshNameIsNobodyElses) {
  Graph graph = parsed(dense());
  EXPECT_EQ(graph.fresh_name("w"), "w_1");
  EXPECT_EQ(graph.fresh_name("w"), "w_2");
  EXPECT_EQ(graph.fresh_name("new"), "new");
}

TEST(Tensor, ReadsTypedFieldsAndRawBytesAlike) {
  wire::TensorProto typed;
  typed.set_data_type(wire::TensorProto::INT8);
  typed.add_dims(2);
  typed.add_int32_data(-1);
  typed.add_int32_data(127);
  wire::TensorProto raw;
  raw.set_data_type(wire::TensorProto::INT8);
  raw.add_dims(2);
  raw.set_raw_data("\xFF\x7F");
  EXPECT_EQ(tensor_from(std::move(typed)).data, tensor_from(std::move(raw)).data);
}

// One form for what can be said in several: raw bytes, the default domain's short name, no documentation of attributes,
// constants that are no inputs and in the order of their names, values whose type and shape are known.
wire::ModelProto plain(wire::ModelProto model) {
  wire::GraphProto& graph = *model.mutable_graph();
  std::map<std::string, Tensor> constants;
  for (auto& proto : *graph.mutable_initializer()) constants.emplace(proto.name(), tensor_from(std::move(proto)));
  graph.clear_initializer();
  for (const auto& [name, tensor] : constants) set_tensor(*graph.add_initializer(), name, tensor);
  for (auto* list : {graph.mutable_input(), graph.mutable_output(), graph.mutable_value_info()}) {
    for (int i = list->size(); i-- > 0;) {
      list->Mutable(i)->clear_doc_string();
      if (list == graph.mutable_input() && constants.contains(list->Get(i).name())) list->DeleteSubrange(i, 1);
    }
  }
  graph.clear_value_info();
  for (auto& node : *graph.mutable_node()) {
    if (node.name().empty()) node.clear_name();
    if (node.domain().empty() || node.domain() == "ai.onnx") node.clear_domain();
    for (auto& attribute : *node.mutable_attribute()) attribute.clear_doc_string();
  }
  if (model.ir_version() < 4) model.set_ir_version(8);
  return model;
}

// ONNX's own collection of one-operator models, where Debian's libonnx-testdata is installed.
TEST(Graph, WritesTheCollectionOfOnnxBackEqualInMeaning) {
  const std::filesystem::path folder = "/usr/share/libonnx-testdata/data";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "libonnx-testdata is not installed";
  size_t equal = 0;
  size_t refused = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    const auto bytes = read_file(entry.path(), 64 << 20);
    ASSERT_TRUE(bytes);
    const auto graph = Graph::parse(*bytes);
    const auto model = parse_wire(*bytes, {});
    ASSERT_EQ(graph.has_value(), model.has_value()) << entry.path();
    if (!graph) {
      ++refused;
      continue;
    }
    const auto written = graph->serialize();
    ASSERT_TRUE(written) << entry.path() << ": " << written.error().message;
    const auto back = parse_wire(*written, {});
    ASSERT_TRUE(back);
    EXPECT_EQ(plain(*back).SerializeAsString(), plain(*model).SerializeAsString()) << entry.path();
    ++equal;
  }
  RecordProperty("equal", static_cast<int>(equal));
  RecordProperty("refused", static_cast<int>(refused));
  EXPECT_GT(equal, 800U);
}

}  // namespace
}  // namespace millwright::onnx
