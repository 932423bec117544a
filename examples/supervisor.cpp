// SPDX-License-Identifier: MIT
// A console that starts, lists and cancels background tasks while they run. It reads standard input on a thread of its
// own, so that no task has to wait until the user has typed a line. If the output is a terminal that understands escape
// sequences, the table of the tasks stands at its top and is drawn again every half second.
#include <errand/errand.hpp>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "terminal.hpp"

using namespace std::chrono_literals;

namespace {

using Seconds = std::chrono::duration<double>;

constexpr const char* usage =
    "start NAME SECONDS    a task that takes so long\n"
    "list                  what runs, and where it waits; what is done\n"
    "cancel NAME [REASON]  cancels the task\n"
    "purge                 forgets the tasks that are done\n"
    "event NAME            dispatches console.event.NAME\n"
    "quit                  or the end of input\n";

/// Tells the user why a command cannot be executed.
class BadCommand : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::optional<std::string> read_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

errand::Coro<> work(Seconds duration) {
  const std::string name = errand::current_task().name();
  try {
    co_await errand::sleep(duration);
    std::cout << name << " is done\n";
  } catch (const errand::Cancelled& cancelled) {
    const std::string reason = cancelled.reason();
    std::cout << name << " is cancelled" << (reason.empty() ? "" : ": " + reason) << '\n';
    throw;
  }
}

errand::Coro<> watch(errand::App& app) {
  for (int seen = 1;; ++seen) {
    const errand::Signal signal = co_await app.event("console.event.*");
    std::cout << "event " << seen << ": " << signal.parameter << '\n';
  }
}

std::string word(std::istream& line, const char* what) {
  std::string text;
  if (line >> text) return text;
  throw BadCommand(std::string("a ") + what + " is missing");
}

std::string rest(std::istream& line) {
  std::string text;
  std::getline(line >> std::ws, text);
  return text;
}

void end(std::istream& line) {
  const std::string text = rest(line);
  if (!text.empty()) throw BadCommand("'" + text + "' is too much");
}

Seconds seconds(std::istream& line) {
  const std::string text = word(line, "number of seconds");
  std::istringstream number(text);
  double count = 0;
  if (number >> count && number.eof() && count >= 0) return Seconds(count);
  throw BadCommand("'" + text + "' is not a number of seconds");
}

void list(errand::App& app) {
  app.dump_tasks(std::cout);
  for (const errand::Task<>& task : app.tasks()) {
    if (task.done()) std::cout << task.name() << (task.cancelled() ? " was cancelled\n" : " is done\n");
  }
}

/// Returns false if the command ends the console.
errand::Coro<bool> execute(errand::App& app, std::istringstream line) {
  std::string command;
  if (!(line >> command)) co_return true;
  if (command == "start") {
    const std::string name = word(line, "name");
    const Seconds duration = seconds(line);
    end(line);
    app.add_task(work(duration), name);
  } else if (command == "list") {
    end(line);
    list(app);
  } else if (command == "cancel") {
    const std::string name = word(line, "name");
    const bool cancelled = co_await app.cancel_task(name, rest(line));
    if (!cancelled) std::cout << name << " was not cancelled: it is done\n";
  } else if (command == "purge") {
    end(line);
    std::cout << "purged " << app.purge_tasks() << '\n';
  } else if (command == "event") {
    const std::string name = word(line, "name");
    end(line);
    app.dispatch("console.event." + name);
  } else if (command == "quit") {
    end(line);
    co_return false;
  } else {
    throw BadCommand("'" + command + "' is not a command; these are:\n" + usage);
  }
  co_return true;
}

/// Draws the tasks at the top of the terminal. The output of the console scrolls below them.
errand::Coro<> top(errand::App& app) {
  constexpr int height = 14;
  const auto draw = [&app]() -> errand::Coro<> {
    auto interval = errand::every(500ms);
    while (true) {
      std::stringstream table;
      app.dump_tasks(table);
      std::cout << "\0337\033[?7l\033[H\033[7m";  // saves the cursor; no line wrap; goes to the top, reversed
      std::string line;
      for (int i = 1; i < height; ++i) {
        if (!std::getline(table, line)) line.clear();
        std::cout << (i == height - 1 && table ? "..." : line) << "\033[K\033[m\n";
      }
      std::cout << "\033[?7h\0338" << std::flush;
      co_await interval.tick();
    }
  };
  std::cout << "\033[2J\033[" << height << "r\033[" << height << "H";  // clears; only the lines below the tasks scroll
  co_await errand::finally(draw, [] { std::cout << "\033[r\033[999H"; });
}

errand::Coro<> console(errand::App& app) {
  const bool for_people = is_terminal(stdin);
  if (for_people) std::cout << usage;
  bool goes_on = true;
  while (goes_on) {
    if (for_people) std::cout << "> " << std::flush;
    const std::optional<std::string> line = co_await errand::to_thread(errand::abandon, read_line);
    if (!line) break;
    try {
      goes_on = co_await execute(app, std::istringstream(*line));
    } catch (const std::exception& error) {
      std::cout << "error: " << error.what() << '\n';
    }
  }
  app.stop();
}

}  // namespace

int main() {
  errand::App app("supervisor");
  if (takes_escape_sequences()) app.add_task(top, "top");
  app.add_task(console, "console");
  app.add_task(watch, "watch");
  app.after_server_stop([] { std::cout << "all tasks have ended\n"; });
  app.run();
}
