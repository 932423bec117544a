// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <errand/task.hpp>

namespace errand::detail {

/// How long, for people: "350 ms", "12.5 s", "3 h".
ERRAND_COLD inline std::string describe(Nanoseconds duration) {
  struct Unit {
    std::int64_t length;
    const char* name;
  };
  constexpr std::int64_t second = 1'000'000'000;
  constexpr Unit units[] = {{3600 * second, " h"}, {60 * second, " min"}, {second, " s"}};
  for (const Unit& unit : units) {
    if (duration.count() < unit.length) continue;
    const auto tenths = static_cast<std::uint64_t>(duration.count() / (unit.length / 10));
    const std::string tenth = tenths % 10 ? text({".", number(tenths % 10)}) : std::string();
    return text({number(tenths / 10), tenth, unit.name});
  }
  return text({number(static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0) / 1'000'000)), " ms"});
}

/// The innermost coroutine of the user's own; null where there is none, or where it runs and has awaited nothing yet.
ERRAND_COLD inline const PromiseBase* place_of(const Chain& chain) {
  const std::string_view here = __FILE__;
  const std::string_view ours = here.substr(0, here.rfind("detail"));  // or the one header that holds them all
  for (PromiseBase::Handle frame = chain.leaf; frame; frame = frame.promise().parent) {
    const PromiseBase& promise = frame.promise();
    if (promise.line == 0) break;
    if (!std::string_view(promise.file).starts_with(ours)) return &promise;
  }
  return nullptr;
}

/// Where a chain stands: what it waits for, and the file and the line of the await.
ERRAND_COLD inline std::string describe(const Chain& chain) {
  const char* where = "ready";
  switch (chain.state) {
    case Chain::State::created: return "not started";
    case Chain::State::running: where = "running"; break;
    case Chain::State::waiting: where = name_of(chain.waiting->kind); break;
    case Chain::State::yielding: where = "yield"; break;
    default: break;
  }
  const PromiseBase* const place = place_of(chain);
  if (!place) return where;
  const std::string_view file = place->file;
  return text({where, " at ", file.substr(file.find_last_of("/\\") + 1), ":", number(place->line)});
}

/// The pending tasks as a table for people.
ERRAND_COLD inline std::string table_of_tasks(Loop& loop, std::size_t most) {
  constexpr std::size_t columns = 5;
  std::vector<std::string> cells;  // row by row
  for (const char* const heading : {"id", "name", "status", "age", "waits for"}) cells.push_back(heading);
  const Clock::time_point now = loop.now();
  std::size_t count = 0;
  for (Link* link = loop.pending.begin(); link != loop.pending.end(); link = link->next) {
    if (++count > most) continue;
    TaskBase& task = task_of(*link);
    const std::uint64_t id = task.identity.id();
    cells.push_back(number(id));
    cells.push_back(task.name());
    cells.push_back(task.requests > 0 ? "cancelling" : "pending");
    cells.push_back(describe(loop.ages.age(id, now)));
    cells.push_back(describe(task));
  }
  std::size_t widths[columns] = {};
  for (std::size_t i = 0; i < cells.size(); ++i) {
    widths[i % columns] = std::max(widths[i % columns], cells[i].size());
  }
  std::string table;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    table += cells[i];
    const bool is_last = i % columns + 1 == columns;
    table.append(is_last ? 1 : widths[i % columns] - cells[i].size() + 2, is_last ? '\n' : ' ');
  }
  if (count > most) table += text({"and ", number(count - most), " more\n"});
  return table;
}

}  // namespace errand::detail
