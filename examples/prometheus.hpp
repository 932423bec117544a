// SPDX-License-Identifier: MIT
// The counts of Apps as text for Prometheus, which collects it by HTTP. Copy this file into your program, and answer
// GET /metrics with the text. Its content type is "text/plain; version=0.0.4".
#pragma once

#include <errand/stats.hpp>
#include <string>
#include <vector>

namespace prometheus {

/// The counts of an App, and a name for them in UTF-8. Workers are Apps of the same name: make these names differ.
struct AppStats {
  std::string app;
  errand::Stats stats;
};

inline std::string escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '\n' ? "\\n" : std::string(c == '"' || c == '\\', '\\') + c;
  return escaped;
}

inline std::string number(std::uint64_t count) { return std::to_string(count); }
inline std::string number(std::chrono::nanoseconds time) {  // in seconds, with nine decimals
  constexpr std::chrono::nanoseconds second = std::chrono::seconds(1);
  return std::to_string(time / second) + "." + std::to_string((time % second + second).count()).substr(1);
}

/// Returns the counts in the text format of Prometheus. May be called on any thread.
inline std::string to_text(const std::vector<AppStats>& apps) {
  std::string text;
  const auto add = [&](const std::string& metric, auto member, const std::string& help, const std::string& label = "") {
    if (!help.empty()) {  // the first line of a metric
      text += "# HELP " + metric + " " + help + "\n";
      text += "# TYPE " + metric + (metric.ends_with("_total") ? " counter\n" : " gauge\n");
    }
    for (const auto& [app, stats] : apps) {
      text += metric + "{app=\"" + escaped(app) + "\"" + label + "} " + number(stats.*member) + "\n";
    }
  };
  using errand::Stats;
  add("errand_tasks_added_total", &Stats::added, "Tasks that were added.");
  add("errand_tasks_ended_total", &Stats::succeeded, "Tasks that have ended, by status.", ",status=\"succeeded\"");
  add("errand_tasks_ended_total", &Stats::failed, "", ",status=\"failed\"");
  add("errand_tasks_ended_total", &Stats::cancelled, "", ",status=\"cancelled\"");
  add("errand_tasks_pending", &Stats::pending, "Tasks that have not ended.");
  add("errand_steps_total", &Stats::steps, "Steps of tasks, and calls of callbacks and the like.");
  add("errand_turns_total", &Stats::turns, "Turns of the loop in which there was something to run.");
  add("errand_callbacks_total", &Stats::callbacks, "Callbacks that were called.");
  add("errand_posts_total", &Stats::posts, "Calls that came from post and submit.");
  add("errand_timers", &Stats::timers, "Timers that are armed.");
  add("errand_busy_seconds_total", &Stats::busy, "Time that the loop has worked.");
  add("errand_asleep_seconds_total", &Stats::asleep, "Time that the loop has slept, with nothing to do.");
  add("errand_longest_step_seconds", &Stats::longest_step, "The longest step; 0 if steps are not timed.");
  return text;
}

}  // namespace prometheus
