// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/report/chart.h"
#include "lab/report/demo_report.h"

namespace millwright::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Chart, LeavesOutWhatIsNotANumberAndSaysWhenThereIsNothing) {
  Chart chart{.x_label = "stroke", .y_label = "score"};
  EXPECT_THAT(to_svg(chart), HasSubstr("no data"));
  chart.series.push_back({"s", "line", {{1, 1}, {2, std::numeric_limits<double>::quiet_NaN()}, {3, 2}}});
  const std::string svg = to_svg(chart);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, HasSubstr("M64.0 200.0M892.0 12.0")) << "the pen lifts over the hole";
}

TEST(Chart, HostileNamesStayText) { EXPECT_EQ(html_text("<b a='x'>&\""), "&lt;b a=&#39;x&#39;&gt;&amp;&quot;"); }

model::StrokeRecord judged(uint64_t id, int64_t latency_us, model::Verdict verdict = model::Verdict::kGo) {
  model::StrokeRecord record;
  record.stroke_id = id;
  record.verdict = verdict;
  record.latency_ns = latency_us * 1000;
  record.score = 0.2;
  return record;
}

TEST(LatencyFigures, AreNearestRankOverJudgedStrokesAndLeaveTheWindowItselfOut) {
  AssetReport asset;
  asset.window_us = 200'000;
  for (int i = 1; i <= 1000; ++i) asset.records.push_back(judged(i, 200'000 + i));
  asset.records.push_back(judged(1001, 999'999, model::Verdict::kNoVerdict));
  const LatencyFigures figures = latency_figures(asset);
  EXPECT_EQ(figures.n, 1000U);
  EXPECT_DOUBLE_EQ(figures.p50_us, 500);
  EXPECT_DOUBLE_EQ(figures.p99_us, 990);
  EXPECT_DOUBLE_EQ(figures.p999_us, 999);
  EXPECT_DOUBLE_EQ(figures.max_us, 1000);
  EXPECT_EQ(latency_figures(AssetReport{}).n, 0U);
}

TEST(DemoReport, IsOneFileThatShowsTheContract) {
  DemoReport report{.title = "Demo", .subtitle = "four presses", .assets = {}, .notes = {"a <note>"}};
  AssetReport asset;
  asset.name = "press-2";
  asset.triggered = 10;
  asset.recorded = 9;
  asset.rate_hz = 10'000;
  asset.first_warning = 7;
  asset.records.push_back(judged(1, 100));
  asset.pictures.push_back({"stroke 1", "good", std::vector<float>(200, 0.5F)});
  report.assets.push_back(asset);
  const std::string html = to_html(report);
  EXPECT_THAT(html, HasSubstr("<b class=\"no\">9</b>")) << "a missing record is shown as wrong";
  EXPECT_THAT(html, HasSubstr("a &lt;note&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(to_text(report), HasSubstr("press-2"));
}

}  // namespace
}  // namespace millwright::lab
