// SPDX-License-Identifier: Apache-2.0
#include "onnx/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "base/files.h"
#include "onnx/evil_models.h"
#include "onnx/graph_builder.h"
#include "onnx/wire_scan.h"

namespace millwright::onnx {
namespace {

using evil::Message;
using evil::node;
using evil::value;
using ::testing::AllOf;
using ::testing::HasSubstr;

Error refused(const Bytes& bytes, const Limits& limits = {}) {
  const auto model = Model::parse(bytes, limits);
  EXPECT_FALSE(model.has_value());
  const Error error = model ? Error{ErrorCode::kCancelled, "accepted"} : model.error();
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
  return error;
}

// x (4) -> nodes -> y (4).
Message graph(std::initializer_list<Message> nodes) {
  Message out;
  for (const Message& one : nodes) out.message(1, one);
  return out.text(2, "g").message(11, value("x", 1, {4})).message(12, value("y", 1, {4}));
}

TEST(Model, ExternalDataIsRefusedWhereverItPoints) {
  for (const char* location : {"../secret.bin", "secret.bin", "/etc/passwd", "sub/../../secret.bin", ""}) {
    const Error error = refused(evil::external_data(location));
    EXPECT_EQ(error.code, ErrorCode::kRefused);
    EXPECT_THAT(error.message, AllOf(HasSubstr("initializer 'w'"), HasSubstr(location)));
  }
}

TEST(Model, AnUnknownDomainIsRefusedByName) {
  const Error error = refused(evil::custom_operator());
  EXPECT_EQ(error.code, ErrorCode::kRefused);
  EXPECT_THAT(error.message, HasSubstr("'evil'"));
}

TEST(Model, AnOperatorOffTheListIsRefusedWithItsNode) {
  for (const char* op :
       {"RandomNormalLike", "StringNormalizer", "SequenceConstruct", "NoSuchOperator", "Loop", "Scan"}) {
    const Error error = refused(evil::model(graph({node(op, {"x"}, {"y"})})));
    EXPECT_EQ(error.code, ErrorCode::kRefused);
    EXPECT_THAT(error.message, AllOf(HasSubstr("node 0"), HasSubstr(op)));
  }
}

TEST(Model, LoopsAreTakenOnlyWhereTheLimitsSaySo) {
  EXPECT_THAT(refused(evil::endless_loop()).message, HasSubstr("its run time has no bound"));
  Limits limits;
  limits.allow_loops = true;
  const auto model = Model::parse(evil::endless_loop(), limits);
  EXPECT_TRUE(model.has_value()) << model.error().message;
}

TEST(Model, AnAllocationBombIsRefusedWithItsNode) {
  const Error error = refused(evil::constant_bomb());
  EXPECT_EQ(error.code, ErrorCode::kTooLarge);
  EXPECT_THAT(error.message, AllOf(HasSubstr("ConstantOfShape"), HasSubstr("1.6e+12 bytes")));
}

// Every way to make much out of little that the static check knows.
TEST(Model, ResultsThatConstantsMakeHugeAreRefused) {
  const auto with = [](auto build) {
    GraphBuilder b("bomb");
    const auto x = b.input("x", ElementType::kFloat, {1, 4});
    b.output(build(b, x), ElementType::kFloat, {"a", "b"});
    return refused(b.finish_unchecked());
  };
  const std::array<int64_t, 2> huge = {1'000'000, 1'000'000};
  const std::array<int64_t, 1> long_one = {1'000'000'000};
  const std::array<int64_t, 4> pads = {0, 0, 1'000'000, 1'000'000};
  const std::array<float, 2> scales = {1e6F, 1e6F};
  const std::array<int64_t, 2> column = {100'000, 1};
  const std::array<int64_t, 2> row = {1, 100'000};
  using B = GraphBuilder;
  using S = const std::string&;
  EXPECT_THAT(with([&](B& b, S) {
                return b.node("Expand",
                              {b.scalar(1.0F), b.node("Mul", {b.constant(huge, {2}), b.constant(huge, {2})})});
              }).message,
              HasSubstr("Expand"));
  EXPECT_THAT(with([&](B& b, S x) { return b.node("Tile", {x, b.constant(huge, {2})}); }).message, HasSubstr("Tile"));
  EXPECT_THAT(with([&](B& b, S x) { return b.node("Pad", {x, b.constant(pads, {4})}); }).message, HasSubstr("Pad"));
  EXPECT_THAT(with([&](B& b, S x) { return b.node("Resize", {x, "", b.constant(scales, {2})}); }).message,
              HasSubstr("Resize"));
  EXPECT_THAT(with([&](B& b, S x) {
                return b.node("OneHot", {x, b.constant(long_one, {1}), b.constant(scales, {2})});
              }).message,
              HasSubstr("OneHot"));
  EXPECT_THAT(with([&](B& b, S) { return b.node("HannWindow", {b.constant(long_one, {})}); }).message,
              HasSubstr("HannWindow"));
  EXPECT_THAT(with([&](B& b, S) { return b.node("Range", {b.scalar(0.0F), b.scalar(1e12F), b.scalar(1.0F)}); }).message,
              HasSubstr("Range"));
  // An outer sum of two shapes that are harmless alone.
  EXPECT_THAT(with([&](B& b, S) {
                const auto left = b.node("ConstantOfShape", {b.constant(column, {2})});
                return b.node("Add", {left, b.node("Expand", {b.scalar(1.0F), b.constant(row, {2})})});
              }).code,
              ErrorCode::kTooLarge);
  // Doubling, forty times.
  EXPECT_THAT(with([&](B& b, S x) {
                std::string at = x;
                for (int i = 0; i < 40; ++i) at = b.node("Concat", {at, at}, {GraphBuilder::attribute("axis", 1)});
                return at;
              }).message,
              HasSubstr("Concat"));
}

TEST(Model, OrdinaryShapesPassTheStaticCheck) {
  GraphBuilder b("fine");
  const auto x = b.input("x", ElementType::kFloat, {"batch", 4});
  const std::array<int64_t, 1> one = {1};
  const std::array<int64_t, 1> zero = {0};
  const std::array<int64_t, 1> minus = {-1};
  const auto batch =
      b.node("Gather", {b.node("Shape", {x}), b.constant(zero, {1})}, {GraphBuilder::attribute("axis", 0)});
  const auto shape =
      b.node("Concat", {batch, b.constant(minus, {1}), b.constant(one, {1})}, {GraphBuilder::attribute("axis", 0)});
  b.output(b.node("Reshape", {x, shape}, {}, "y"), ElementType::kFloat, {"batch", 4, 1});
  EXPECT_TRUE(b.finish().has_value());
}

TEST(Model, TooManyNodesAreRefusedBeforeTheyAreParsed) {
  const Error error = refused(evil::long_chain(20'001));
  EXPECT_EQ(error.code, ErrorCode::kTooLarge);
  EXPECT_THAT(error.message, HasSubstr("20000 nodes"));
}

TEST(Model, AFileBeyondTheLimitIsRefused) {
  Limits limits;
  limits.max_model_bytes = 100;
  EXPECT_EQ(refused(Bytes(101), limits).code, ErrorCode::kTooLarge);
}

TEST(Model, RecordsThatWouldBlowUpInMemoryAreRefused) {
  std::string names;
  for (uint64_t i = 0; i < kMaxWireRecords; ++i) names += std::string("\x0A\x00", 2);  // an empty input name each
  const Error error =
      refused(Message().number(1, 8).message(7, Message().message(1, Message()).text(1, names)).bytes());
  EXPECT_EQ(error.code, ErrorCode::kTooLarge);
}

TEST(Model, DeepNestingIsRefused) {
  Message body = graph({node("Relu", {"x"}, {"y"})});
  for (int i = 0; i < 3; ++i) {
    Message branch = node("If", {"x"}, {"y"});
    branch.message(5, Message().text(1, "then_branch").message(6, body).number(20, 5));
    body = graph({branch});
  }
  EXPECT_THAT(refused(evil::model(body)).message, HasSubstr("subgraphs nest deeper"));
  Message bottomless;
  for (int i = 0; i < 100; ++i)
    bottomless = Message().message(1, Message().message(5, Message().message(6, bottomless)));
  EXPECT_EQ(refused(evil::model(bottomless)).code, ErrorCode::kTooLarge);
}

TEST(Model, GraphsThatAreNotWellFormedAreRefusedWithTheTensor) {
  EXPECT_THAT(refused(evil::model(graph({node("Relu", {"z"}, {"y"})}))).message,
              HasSubstr("nothing makes its input 'z'"));
  EXPECT_THAT(refused(evil::model(graph({node("Relu", {"a"}, {"y"}), node("Relu", {"y"}, {"a"})}))).message,
              HasSubstr("a cycle, or nodes out of order"));
  EXPECT_THAT(refused(evil::model(graph({node("Relu", {"x"}, {"y"}), node("Abs", {"x"}, {"y"})}))).message,
              HasSubstr("its output 'y' was made before"));
  EXPECT_THAT(refused(evil::model(graph({node("Relu", {"x"}, {"z"})}))).message,
              HasSubstr("output 'y': no node makes it"));
  EXPECT_THAT(refused(evil::model(graph({node("Relu", {"x"}, {"y"})}).message(11, value("x", 1, {4})))).message,
              HasSubstr("another input has the same name"));
}

TEST(Model, TensorsThatLieAboutTheirSizeAreRefused) {
  const auto with = [](const Message& tensor) {
    return refused(evil::model(graph({node("Add", {"x", "w"}, {"y"})}).message(5, tensor)));
  };
  EXPECT_THAT(with(Message().number(1, 4).number(2, 1).text(8, "w").text(9, "1234")).message,
              HasSubstr("needs 16 bytes, its data has 4"));
  EXPECT_THAT(with(Message().number(1, 4).number(2, 1).text(8, "w")).message,
              HasSubstr("needs 4 elements, its data has 0"));
  EXPECT_THAT(with(Message().number(1, ~0ULL).number(2, 1).text(8, "w")).message, HasSubstr("negative"));
  EXPECT_THAT(with(Message().number(1, 1ULL << 40U).number(1, 1ULL << 40U).number(2, 1).text(8, "w")).message,
              HasSubstr("overflow"));
  EXPECT_EQ(with(Message().number(1, 1ULL << 40U).number(2, 1).text(8, "w")).code, ErrorCode::kTooLarge);
  EXPECT_EQ(with(Message().number(1, 4).number(2, 99).text(8, "w")).code, ErrorCode::kUnsupported);
  Message deep = Message().number(2, 1).text(8, "w").text(9, "1234");
  for (int i = 0; i < 9; ++i) deep.number(1, 1);
  EXPECT_THAT(with(deep).message, HasSubstr("rank 9"));
}

TEST(Model, LocalFunctionsTrainingAndSparseTensorsAreUnsupported) {
  const Message good = graph({node("Relu", {"x"}, {"y"})});
  const auto whole = [&](uint32_t field) {
    return refused(
        Message().number(1, 8).message(7, good).message(8, Message().number(2, 17)).message(field, Message()).bytes());
  };
  EXPECT_THAT(whole(25).message, HasSubstr("functions of its own"));
  EXPECT_THAT(whole(20).message, HasSubstr("training information"));
  EXPECT_THAT(refused(evil::model(graph({node("Relu", {"x"}, {"y"})}).message(15, Message()))).message,
              HasSubstr("sparse"));
}

TEST(Model, NamesFromTheFileCannotBreakTheMessage) {
  const Error error = refused(evil::model(graph({node("Relu", {"bad\nname\x1b[31m"}, {"y"})})));
  EXPECT_THAT(error.message, HasSubstr("'bad?name?[31m'"));
}

TEST(Model, EveryCutOfAModelIsRefusedOrReadWithoutACrash) {
  const Bytes whole = evil::endless_loop();
  Limits limits;
  limits.allow_loops = true;
  for (size_t length = 0; length < whole.size(); ++length) {
    static_cast<void>(Model::parse(std::span(whole).first(length), limits));
  }
  EXPECT_EQ(refused({}).code, ErrorCode::kCorrupt);
}

// ONNX's own collection of one-operator models, where Debian's libonnx-testdata is installed.
TEST(Model, TheStandardsOwnModelsAreReadOrRefusedForAReason) {
  const std::filesystem::path folder = "/usr/share/libonnx-testdata/data";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "libonnx-testdata is not installed";
  size_t read = 0;
  size_t refusals = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    const auto bytes = read_file(entry.path(), 64 << 20);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
    const auto model = Model::parse(*bytes);
    if (!model) {
      ++refusals;
      EXPECT_TRUE(model.error().code == ErrorCode::kRefused || model.error().code == ErrorCode::kUnsupported)
          << entry.path() << ": " << model.error().message;
      continue;
    }
    ++read;
    const auto written = model->serialize();
    ASSERT_TRUE(written.has_value());
    const auto again = Model::parse(*written);
    ASSERT_TRUE(again.has_value()) << entry.path() << ": " << again.error().message;
    EXPECT_EQ(*again->serialize(), *written) << entry.path();
  }
  EXPECT_GT(read, 850U);
  RecordProperty("read", static_cast<int>(read));
  RecordProperty("refused", static_cast<int>(refusals));
}

}  // namespace
}  // namespace millwright::onnx
