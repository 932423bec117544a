// SPDX-License-Identifier: MIT
// A console that starts, lists and cancels background tasks, while they run. It reads standard input on a thread of its
// own, so that waiting for a line keeps no task waiting.
#include <errand/errand.hpp>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "terminal.hpp"

namespace {

using Seconds = std::chrono::duration<double>;

constexpr const char* usage =
    "start NAME SECONDS    a task that takes so long\n"
    "list                  what runs, and where it waits; what is done\n"
    "cancel NAME [REASON]  cancels the task\n"
    "purge                 forgets the tasks that are done\n"
    "event NAME            dispatches console.event.NAME\n"
    "quit                  or the end of input\n";

/// What was wrong with a command.
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

/// False: it was the last one.
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

errand::Coro<> console(errand::App& app) {
  const bool for_people = is_terminal(stdin);
  if (for_people) std::cout << usage;
  bool goes_on = true;
  while (goes_on) {
    if (for_people) std::cout << "> " << std::flush;
    const std::optional<std::string> line = co_await errand::to_thread(read_line);
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
  app.add_task(console, "console");
  app.add_task(watch, "watch");
  app.after_server_stop([] { std::cout << "all tasks have ended\n"; });
  app.run();
}
