// Goal: what `arena bench` tells can be read by programs and people, and says which kind of latency it is.
#include "cli/bench_report.h"

#include <gtest/gtest.h>

namespace arena::cli {
namespace {

using client::LoadOptions;
using client::LoadProgress;
using client::LoadReport;
using client::Scenario;

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

LoadReport sample() {
  LoadReport report;
  report.seconds = 2;
  report.published = 10;
  report.delivered = 20;
  report.per_second = 10;
  report.lost = 3;
  report.latency_p50_us = 1;
  report.latency_p90_us = 2;
  report.latency_p99_us = 3;
  report.latency_p999_us = 4;
  report.latency_max_us = 5;
  return report;
}

TEST(BenchReport, JsonHasEveryPercentileAndNullForWhatWasNotMeasured) {
  const std::string json = bench_json({.scenario = Scenario::fan_out}, sample());
  EXPECT_TRUE(json.starts_with("{\"scenario\":\"fanout\",") && json.ends_with("}\n")) << json;
  for (const std::string_view part :
       {"\"server_cpu_us\":null", "\"lost\":3", "\"latency_p50_us\":1.0", "\"latency_p90_us\":2.0",
        "\"latency_p99_us\":3.0", "\"latency_p999_us\":4.0", "\"latency_max_us\":5.0"}) {
    EXPECT_TRUE(has(json, part)) << part << " in " << json;
  }
}

TEST(BenchReport, TextSaysSinceWhenLatencyCounts) {
  EXPECT_TRUE(has(bench_text({.rate = 10}, sample()), "since each was due"));
  EXPECT_TRUE(has(bench_text({}, sample()), "of a full window"));
  EXPECT_TRUE(has(bench_text({}, sample()), "lost 3, duplicated 0"));
}

TEST(BenchReport, ConnectionsTellWhatEachCosts) {
  LoadReport report;
  report.clients = 100;
  report.seconds = 0.5;
  report.per_second = 200;
  report.server_cpu_us = 40;
  report.server_rss_bytes_per_client = 800;
  const std::string text = bench_text({.scenario = Scenario::connections}, report);
  EXPECT_TRUE(has(text, "100 clients") && has(text, "200/s") && has(text, "40.0 us each") &&
              has(text, "800 B each"))
      << text;
}

TEST(BenchReport, WhatIsReadLaterIsToldApart) {
  LoadReport report = sample();
  const LoadOptions offline{.scenario = Scenario::offline};
  EXPECT_FALSE(has(bench_json(offline, report), "\"read\""));
  EXPECT_TRUE(has(bench_text(offline, report), "10/s acknowledged")) << bench_text(offline, report);
  report.read = client::ReadReport{.delivered = 30, .seconds = 3, .per_second = 10, .server_cpu_us = {}};
  EXPECT_TRUE(has(bench_json(offline, report),
                  "\"read\":{\"delivered\":30,\"seconds\":3.000,\"per_second\":10,\"server_cpu_us\":null}"))
      << bench_json(offline, report);
  EXPECT_TRUE(has(bench_text({.scenario = Scenario::replay}, report), "30 read in 3.00 s: 10/s\nlost 3"));
}

TEST(BenchReport, ProgressNamesThePhase) {
  LoadProgress progress{LoadProgress::Phase::connecting, 10, 200};
  EXPECT_EQ(progress_text(progress), "connecting: 10 of 200 clients");
  progress = {LoadProgress::Phase::measuring, 200, 200, 2.2, 5, 1'500'000, 120, 480};
  EXPECT_EQ(progress_text(progress), "measuring 2.2 of 5.0 s: 1.50 M/s, p50 120 us, p99 480 us");
  progress = {LoadProgress::Phase::settling, 200, 200, 1, 0, 3};
  EXPECT_EQ(progress_text(progress), "waiting for the last 1.0 s: 3/s");
}

}  // namespace
}  // namespace arena::cli
