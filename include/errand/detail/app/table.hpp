// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <errand/clock.hpp>
#include <errand/detail/base/text.hpp>
#include <errand/snapshot.hpp>  // NOLINT(misc-header-include-cycle): it includes this header at its end

namespace errand {

// Implementation: a snapshot as a table.

namespace detail {

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

/// Returns a wait as a text for people: "sleep at feed.cpp:12", "from main.cpp:7", "and 12 more".
ERRAND_COLD inline std::string describe(const TaskWait& wait) {
  if (wait.file.empty()) return wait.what;
  const char* const before_place = wait.what == "from" ? " " : wait.what == "running" ? " after " : " at ";
  return text({wait.what, before_place, wait.file, ":", number(wait.line)});
}

/// Returns how many columns a text takes on a terminal: one for each character of UTF-8.
ERRAND_COLD inline std::size_t width(std::string_view text) noexcept {
  std::size_t columns = 0;
  for (const char c : text) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return columns;
}

/// The cells of a table, row by row, in one string.
class Cells {
 public:
  /// Adds a cell. It stays a single line, even if a name in it has line breaks.
  ERRAND_COLD void add(std::string_view cell) { text_ += text({printable(cell), "\n"}); }
  std::string_view all() const noexcept { return text_; }
  /// Takes the first cell off `left`, and returns it.
  ERRAND_COLD static std::string_view take_first(std::string_view& left) noexcept {
    const std::string_view cell = left.substr(0, left.find('\n'));
    left.remove_prefix(cell.size() + 1);
    return cell;
  }

 private:
  std::string text_;
};

/// Returns a table of tasks for people to read. `more` is the number of tasks that have no row, and are only counted.
/// There is a column of notes only if one of the tasks in the table has a note.
ERRAND_COLD inline std::string table_of(const std::vector<TaskInfo>& tasks, std::size_t more) {
  constexpr std::size_t columns = 6;
  constexpr std::size_t notes = 4;
  Cells cells;
  for (const char* const heading : {"id", "name", "status", "age", "note", "waits for"}) cells.add(heading);
  bool has_notes = false;
  for (const TaskInfo& task : tasks) {
    cells.add(number(task.id));
    cells.add(task.name);
    cells.add(status_of(task));
    cells.add(describe(task.age));
    cells.add(task.note);
    has_notes |= !task.note.empty();
    if (task.waits.empty()) cells.add("");
    bool is_first = true;
    for (const TaskWait& wait : task.waits) {
      for (std::size_t i = 1; i < columns && !is_first; ++i) cells.add("");
      cells.add(text({std::string(std::size_t{2} * wait.inside, ' '), describe(wait)}));
      is_first = false;
    }
  }
  std::size_t widths[columns] = {};
  std::size_t column = 0;
  for (std::string_view left = cells.all(); !left.empty(); column = (column + 1) % columns) {
    const std::size_t needed = width(Cells::take_first(left));
    widths[column] = widths[column] > needed ? widths[column] : needed;
  }
  std::string table;
  for (std::string_view left = cells.all(); !left.empty(); column = (column + 1) % columns) {
    const std::string_view cell = Cells::take_first(left);
    if (column == notes && !has_notes) continue;
    table += cell;
    const bool is_last = column == columns - 1;
    table.append(is_last ? 1 : widths[column] - width(cell) + 2, is_last ? '\n' : ' ');
  }
  if (more > 0) table += text({"and ", number(more), " more\n"});
  return table;
}

}  // namespace detail

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE std::ostream& operator<<(std::ostream& out, const std::vector<TaskInfo>& tasks) {
  return out << detail::table_of(tasks, 0);
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
