// SPDX-License-Identifier: MIT
#include "../examples/prometheus.hpp"

#include "support.hpp"

namespace {

std::vector<std::string> lines_with(const std::string& text, const std::string& part) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.find(part) != std::string::npos) lines.push_back(line);
  }
  return lines;
}

}  // namespace

TEST_CASE("the text for Prometheus has a line for each App below the type of a metric") {
  const errand::Stats stats{.succeeded = 3, .failed = 2, .cancelled = 1, .pending = 18'446'744'073'709'551'615u};
  const std::string text = prometheus::to_text({{"a", stats}, {"b", {}}});
  CHECK(lines_with(text, "errand_tasks_pending") ==
        std::vector<std::string>{
            "# HELP errand_tasks_pending Tasks that have not ended.", "# TYPE errand_tasks_pending gauge",
            "errand_tasks_pending{app=\"a\"} 18446744073709551615", "errand_tasks_pending{app=\"b\"} 0"});
  CHECK(lines_with(text, "errand_tasks_ended_total") ==
        std::vector<std::string>{"# HELP errand_tasks_ended_total Tasks that have ended, by status.",
                                 "# TYPE errand_tasks_ended_total counter",
                                 "errand_tasks_ended_total{app=\"a\",status=\"succeeded\"} 3",
                                 "errand_tasks_ended_total{app=\"b\",status=\"succeeded\"} 0",
                                 "errand_tasks_ended_total{app=\"a\",status=\"failed\"} 2",
                                 "errand_tasks_ended_total{app=\"b\",status=\"failed\"} 0",
                                 "errand_tasks_ended_total{app=\"a\",status=\"cancelled\"} 1",
                                 "errand_tasks_ended_total{app=\"b\",status=\"cancelled\"} 0"});
  CHECK(text.back() == '\n');
}

TEST_CASE("the text for Prometheus has times in seconds") {
  const auto seconds = [](std::chrono::nanoseconds time) {
    return lines_with(prometheus::to_text({{"a", {.asleep = time}}}), "errand_asleep_seconds_total{").at(0);
  };
  CHECK(seconds(0ns) == "errand_asleep_seconds_total{app=\"a\"} 0.000000000");
  CHECK(seconds(1ns) == "errand_asleep_seconds_total{app=\"a\"} 0.000000001");
  CHECK(seconds(1500ms) == "errand_asleep_seconds_total{app=\"a\"} 1.500000000");
  CHECK(seconds(1001h) == "errand_asleep_seconds_total{app=\"a\"} 3603600.000000000");
}

TEST_CASE("the text for Prometheus escapes the name of an App") {
  const std::string text = prometheus::to_text({{"a \"b\"\\\n\xc3\xa9{}", {}}});
  CHECK(lines_with(text, "errand_timers{").at(0) == "errand_timers{app=\"a \\\"b\\\"\\\\\\n\xc3\xa9{}\"} 0");
}
