// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
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

/// How many columns a text takes on a terminal: one for each character of UTF-8.
ERRAND_COLD inline std::size_t width(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// What a chain waits for and where, line by line. Below the innermost await stand, indented, the branches that it
/// waits for, one step further each, and then the awaits around it, from the inside out:
///
///     gather at feed.cpp:40
///         sleep at feed.cpp:12
///         queue at feed.cpp:25
///           from feed.cpp:30
///       from main.cpp:7
///
/// Long lists and deep nesting are cut short, so that it takes little time and stack whatever there is.
class Waits {
 public:
  ERRAND_COLD explicit Waits(const Chain& chain) {
    add(chain, 0);
    if (lines.size() == room) lines.push_back("  ...");
  }

  std::vector<std::string> lines;

 private:
  static constexpr std::size_t room = 40;       // lines
  static constexpr std::size_t most = 8;        // levels, or branches
  static constexpr std::size_t deepest = 16;    // indentation
  static constexpr std::size_t counted = 1000;  // of those that are not shown

  ERRAND_COLD void line(std::size_t indent, std::initializer_list<std::string_view> parts) {
    if (lines.size() < room) lines.push_back(std::string(indent, ' ') + text(parts));
  }
  ERRAND_COLD void rest(std::size_t indent, std::size_t count) {
    if (count > 0) line(indent, {"and ", count > counted ? "over " : "", number(std::min(count, counted)), " more"});
  }
  void add(const Chain& chain, std::size_t indent);
  void add_branches(Branches& branches, std::size_t indent);
  static std::string what(const Chain& chain);
};

ERRAND_COLD inline std::string Waits::what(const Chain& chain) {
  switch (chain.state) {
    case Chain::State::created: return "not started";
    case Chain::State::running: return "running";
    case Chain::State::yielding: return "yield";
    case Chain::State::waiting: break;
    default: return "ready";
  }
  const Kind kind = chain.waiting->kind;
  if (kind == Kind::branches) return static_cast<const Branches*>(chain.waiting)->name();
  if (kind != Kind::task) return name_of(kind);
  return text({"task '", static_cast<const TaskWait*>(chain.waiting)->task().name(), "'"});
}

ERRAND_COLD inline void Waits::add(const Chain& chain, std::size_t indent) {
  PromiseBase::Handle frame = chain.leaf;
  if (const PromiseBase* const place = place_of(frame)) {
    line(indent, {what(chain), chain.state == Chain::State::running ? " after " : " at ", text_of_place(*place)});
    frame = place->parent;
  } else {
    line(indent, {what(chain)});
  }
  if (chain.state == Chain::State::waiting && chain.waiting->kind == Kind::branches) {
    add_branches(static_cast<Branches&>(*chain.waiting), indent + 4);
  }
  std::size_t visited = 0;
  std::size_t shown = 0;
  std::size_t left = 0;
  for (; frame && visited < counted + most; frame = frame.promise().parent, ++visited) {
    const PromiseBase& promise = frame.promise();
    if (promise.line == 0 || is_of_library(promise)) continue;
    if (shown < most) {
      line(indent + 2, {"from ", text_of_place(promise)});
      ++shown;
    } else {
      ++left;
    }
  }
  rest(indent + 2, frame ? counted + 1 : left);
}

ERRAND_COLD inline void Waits::add_branches(Branches& branches, std::size_t indent) {
  std::size_t shown = 0;
  std::size_t left = 0;
  for (Link* link = branches.live.begin(); link != branches.live.end() && left <= counted; link = link->next) {
    if (shown < most && indent <= deepest) {
      add(Branches::branch(*link), indent);
      ++shown;
    } else {
      ++left;
    }
  }
  for (Chain* member = branches.first_member(); member && left <= counted; member = member->next_member()) {
    if (shown < most && indent <= deepest) {
      line(indent, {"task '", static_cast<TaskBase*>(member)->name(), "'"});
      ++shown;
    } else {
      ++left;
    }
  }
  rest(indent, left);
}

/// The pending tasks as a table for people; those behind the first `most` are only counted.
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
    Waits waits(task);
    for (std::string& line : waits.lines) {
      for (std::size_t i = 1; i < columns && &line != &waits.lines.front(); ++i) cells.emplace_back();
      cells.push_back(std::move(line));
    }
  }
  std::size_t widths[columns] = {};
  for (std::size_t i = 0; i < cells.size(); ++i) {
    for (char& letter : cells[i]) {
      if (static_cast<unsigned char>(letter) < ' ') letter = ' ';  // of a name: a row is a line
    }
    widths[i % columns] = std::max(widths[i % columns], width(cells[i]));
  }
  std::string table;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    table += cells[i];
    const bool is_last = i % columns + 1 == columns;
    table.append(is_last ? 1 : widths[i % columns] - width(cells[i]) + 2, is_last ? '\n' : ' ');
  }
  if (count > most) table += text({"and ", number(count - most), " more\n"});
  return table;
}

/// What one task waits for, in one line.
ERRAND_COLD inline std::string line_of_task(TaskBase& task) {
  std::string whole;
  for (const std::string& line : Waits(task).lines) {
    if (!whole.empty()) whole += ", ";
    whole += line.substr(line.find_first_not_of(' '));
  }
  return whole;
}

}  // namespace errand::detail
