// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <errand/task.hpp>

namespace errand::detail {

/// How long, for people: "350 ms", "12.5 s", "3 h".
inline std::string describe(Nanoseconds duration) {
  const auto count = duration.count();
  const auto tenths = [](long long value, long long unit, const char* name) {
    const long long rounded = value / (unit / 10);
    return std::to_string(rounded / 10) + (rounded % 10 ? "." + std::to_string(rounded % 10) : "") + name;
  };
  if (count < 1'000'000) return "0 ms";
  if (count < 1'000'000'000) return std::to_string(count / 1'000'000) + " ms";
  if (count < 60'000'000'000) return tenths(count, 1'000'000'000, " s");
  if (count < 3'600'000'000'000) return tenths(count, 60'000'000'000, " min");
  return tenths(count, 3'600'000'000'000, " h");
}

/// Where a chain stands: what it waits for, and the file and the line of the await.
inline std::string describe(const Chain& chain) {
  std::string where;
  switch (chain.state) {
    case Chain::State::created: return "not started";
    case Chain::State::running: where = "running"; break;
    case Chain::State::waiting: where = name_of(chain.waiting->kind); break;
    case Chain::State::yielding: where = "yield"; break;
    default: where = "ready"; break;
  }
  if (chain.leaf && chain.leaf.promise().line > 0) {
    const std::string file = chain.leaf.promise().file;
    where += " at " + file.substr(file.find_last_of("/\\") + 1) + ":" + std::to_string(chain.leaf.promise().line);
  }
  return where;
}

/// The pending tasks as a table for people.
inline std::string table_of_tasks(Loop& loop, std::size_t most) {
  using Row = std::array<std::string, 5>;
  std::vector<Row> rows = {{"id", "name", "status", "age", "waits for"}};
  const Clock::time_point now = loop.now();
  std::size_t count = 0;
  for (Link* link = loop.pending.begin(); link != loop.pending.end(); link = link->next) {
    if (++count > most) continue;
    TaskBase& task = task_of(*link);
    rows.push_back({std::to_string(task.identity.id()), task.name(), task.requests > 0 ? "cancelling" : "pending",
                    describe(loop.ages.age(task.identity.id(), now)), describe(task)});
  }
  std::array<std::size_t, 5> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) text += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text += row.back() + "\n";
  }
  if (count > most) text += "and " + std::to_string(count - most) + " more\n";
  return text;
}

}  // namespace errand::detail
