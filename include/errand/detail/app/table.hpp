// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <errand/task.hpp>

namespace errand::detail {

/// Returns a duration as a text for people: "350 ms", "12.5 s", "3 h".
ERRAND_COLD inline std::string describe(Nanoseconds duration) {
  if (duration < Nanoseconds::zero()) duration = Nanoseconds::zero();
  const auto milliseconds = static_cast<std::uint64_t>(duration.count() / 1'000'000);
  if (milliseconds < 1000) return text({number(milliseconds), " ms"});
  std::uint64_t tenths = milliseconds / 100;
  const char* unit = " s";
  for (const char* const larger : {" min", " h"}) {
    if (tenths < 600) break;
    tenths /= 60;
    unit = larger;
  }
  return text({number(tenths / 10), tenths % 10 > 0 ? "." : "", tenths % 10 > 0 ? number(tenths % 10) : "", unit});
}

/// Returns how many columns a text takes on a terminal: one for each character of UTF-8.
ERRAND_COLD inline std::size_t width(std::string_view text) noexcept {
  std::size_t columns = 0;
  for (const char c : text) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return columns;
}

/// Lines of text, in one string.
class Lines {
 public:
  /// Adds a line. It stays a single line, even if a name in it has line breaks.
  ERRAND_COLD void add(std::string_view line) { text_ += text({printable(line), "\n"}); }
  std::string_view all() const noexcept { return text_; }
  /// Takes the first line off `left`, and returns it.
  ERRAND_COLD static std::string_view take_first(std::string_view& left) noexcept {
    const std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(line.size() + 1);
    return line;
  }

 private:
  std::string text_;
};

/// Returns what a chain waits for, in a few words: "sleep", "task 'copy'", "gather".
ERRAND_COLD inline std::string text_of_wait(const Chain& chain) {
  switch (chain.state) {
    case Chain::State::created: return "not started";
    case Chain::State::running: return "running";
    case Chain::State::yielding: return "yield";
    case Chain::State::branching: return static_cast<const Branches*>(chain.waiting)->name();
    case Chain::State::waiting:
    case Chain::State::halted: break;
    default: return "ready";
  }
  const Kind kind = chain.waiting->kind;
  if (kind != Kind::task && kind != Kind::task_cancel && kind != Kind::task_end) return name_of(kind);
  return text({"task '", static_cast<const TaskWait*>(chain.waiting)->task().name(), "'"});
}

/// The waits of a chain, line by line, each with its place. Below the innermost await stand the branches that it waits
/// for, indented by four columns. Then follow the awaits around the innermost one, from the inside out, indented by
/// two:
///
///     gather at feed.cpp:40
///         sleep at feed.cpp:12
///         queue at feed.cpp:25
///           from feed.cpp:30
///       from main.cpp:7
///
/// Long lists and deep nesting are cut short, so that this takes little time and stack, however many coroutines there
/// are.
class Waits {
 public:
  ERRAND_COLD explicit Waits(const Chain& chain) {
    add(chain, 0);
    if (room_ == 0) lines.add("  ...");
  }

  Lines lines;

 private:
  static constexpr std::size_t most = 8;        // how many awaits or branches are shown
  static constexpr std::size_t deepest = 16;    // the largest indentation of a branch
  static constexpr std::size_t counted = 1000;  // how many of the others are counted

  ERRAND_COLD void line(std::size_t indent, std::initializer_list<std::string_view> parts) {
    constexpr std::string_view spaces = "                              ";
    static_assert(spaces.size() >= deepest + 8);
    if (room_ == 0) return;
    --room_;
    lines.add(text({spaces.substr(0, indent), text(parts)}));
  }
  ERRAND_COLD void rest(std::size_t indent, std::size_t count) {
    const bool is_over = count > counted;
    if (count > 0) line(indent, {"and ", is_over ? "over " : "", number(is_over ? counted : count), " more"});
  }
  void add(const Chain& chain, std::size_t indent);
  void add_branches(Branches& branches, std::size_t indent);

  std::size_t room_ = 40;  // how many lines may still be added
};

ERRAND_COLD inline void Waits::add(const Chain& chain, std::size_t indent) {
  PromiseBase::Handle frame = chain.leaf;
  if (const PromiseBase* const place = place_of(frame)) {
    line(indent,
         {text_of_wait(chain), chain.state == Chain::State::running ? " after " : " at ", text_of_place(*place)});
    frame = place->parent;
  } else {
    line(indent, {text_of_wait(chain)});
  }
  if (chain.state == Chain::State::branching) {
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

/// Returns a table of the pending tasks for people to read. Only the first `most` have a row; the others are counted.
/// There is a column of notes only if one of the tasks in the table has a note.
ERRAND_COLD inline std::string table_of_tasks(Loop& loop, std::size_t most) {
  constexpr std::size_t columns = 6;
  constexpr std::size_t notes = 4;
  Lines cells;  // row by row
  for (const char* const heading : {"id", "name", "status", "age", "note", "waits for"}) cells.add(heading);
  const Clock::time_point now = loop.now();
  std::size_t count = 0;
  bool has_notes = false;
  for (Link* link = loop.pending.begin(); link != loop.pending.end(); link = link->next) {
    if (++count > most) continue;
    TaskBase& task = task_of(*link);
    const std::uint64_t id = task.identity.id();
    cells.add(number(id));
    cells.add(task.name());
    cells.add(task.requests > 0 ? "cancelling" : "pending");
    cells.add(describe(loop.ages.age(id, now)));
    const std::string note = task.note();
    has_notes |= !note.empty();
    cells.add(note);
    const Waits waits(task);
    std::string_view lines = waits.lines.all();
    cells.add(Lines::take_first(lines));
    while (!lines.empty()) {
      for (std::size_t i = 1; i < columns; ++i) cells.add("");
      cells.add(Lines::take_first(lines));
    }
  }
  std::size_t widths[columns] = {};
  std::size_t column = 0;
  for (std::string_view left = cells.all(); !left.empty(); column = (column + 1) % columns) {
    const std::size_t needed = width(Lines::take_first(left));
    widths[column] = widths[column] > needed ? widths[column] : needed;
  }
  std::string table;
  for (std::string_view left = cells.all(); !left.empty(); column = (column + 1) % columns) {
    const std::string_view cell = Lines::take_first(left);
    if (column == notes && !has_notes) continue;
    table += cell;
    const bool is_last = column == columns - 1;
    table.append(is_last ? 1 : widths[column] - width(cell) + 2, is_last ? '\n' : ' ');
  }
  if (count > most) table += text({"and ", number(count - most), " more\n"});
  return table;
}

/// Returns what one task waits for, in one line.
ERRAND_COLD inline std::string line_of_task(TaskBase& task) {
  std::string whole;
  const Waits waits(task);
  for (std::string_view left = waits.lines.all(); !left.empty();) {
    const std::string_view line = Lines::take_first(left);
    whole += text({whole.empty() ? "" : ", ", line.substr(line.find_first_not_of(' '))});
  }
  return whole;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
