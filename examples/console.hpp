// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <any>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "console_socket.hpp"
#include "terminal.hpp"
#include "trace_switch.hpp"

// A console of a running program: with `nc -U my.sock` you list its tasks, cancel them, and switch a trace on. Copy
// this header and the three that it includes into your program. console.cpp uses it.

/// Obeys the lines of one client. An answer has lines that are not empty, and ends with an empty one. If a line cannot
/// be obeyed, the answer begins with "error:".
class ConsoleClient {
 public:
  ConsoleClient(errand::App& app, errand::Descriptor socket, TraceSwitch* trace, std::chrono::nanoseconds patience)
      : app_(app), socket_(std::move(socket)), trace_(trace), patience_(patience) {}

  errand::Coro<> serve() {
    try {
      while (const auto line = co_await next_line()) {
        const std::string answer = co_await obey(*line) + '\n';
        co_await errand::write_all(socket_, answer);
      }
    } catch (const std::system_error&) {  // the client has gone
    }
  }

 private:
  /// Returns the next line, cut off if it is too long, or nullopt if the client sends no more.
  errand::Coro<std::optional<std::string>> next_line() {
    std::string line;
    std::size_t end = 0;
    while ((end = input_.find('\n')) == std::string::npos) {
      line += input_.substr(0, longest_line + 1 - line.size());
      char bytes[4096];
      input_.assign(bytes, co_await errand::read_some(socket_, bytes));
      if (!input_.empty()) continue;
      if (line.empty()) co_return std::nullopt;
      co_return line;
    }
    line += input_.substr(0, std::min(end, longest_line + 1 - line.size()));
    input_.erase(0, end + 1);
    co_return line;
  }

  errand::Coro<std::string> obey(std::string line) {
    std::string error;
    try {
      if (line.size() > longest_line) throw std::runtime_error("a line has at most 1000 bytes");
      if (!is_printable(line)) throw std::runtime_error("a line is UTF-8 without control characters");
      const std::size_t blank = std::min(line.find(' '), line.size());
      co_return co_await execute(line.substr(0, blank), line.substr(std::min(blank + 1, line.size())));
    } catch (const std::exception& thrown) {
      error = thrown.what();
    }
    co_return "error: " + (is_printable(error) ? error : "its text cannot be shown here") + '\n';
  }

  errand::Coro<std::string> execute(std::string command, std::string rest) {
    if (command == "ps") {
      const std::uint64_t own = errand::current_task().id();
      co_return table(
          [&](const errand::TaskInfo& task) { return task.id != own && task.name.find(rest) != std::string::npos; });
    }
    if (command == "where") co_return where(rest);
    if (command == "stats" && rest.empty()) co_return stats();
    if (command == "cancel") {
      const errand::Task<> task = app_.get_task(rest);
      app_.cancel_task(rest, "the console asks for it");
      co_return co_await end_of(task, rest);
    }
    if (command == "signal") {
      const std::size_t blank = std::min(rest.find(' '), rest.size());
      const std::string event = rest.substr(0, blank);
      std::any payload;
      if (blank < rest.size()) payload = rest.substr(blank + 1);
      co_return co_await end_of(app_.dispatch(event, std::move(payload)), event);
    }
    if (command == "trace" && (rest == "on" || rest == "off")) {
      if (!trace_) throw std::runtime_error("this program has no TraceSwitch");
      if (rest == "off") {
        trace_->off();
        co_return "the trace is in " + trace_->path() + '\n';
      }
      trace_->on();
      co_return "tracing into " + trace_->path() + '\n';
    }
    if (command == "help" && rest.empty()) co_return help;
    throw std::runtime_error("'" + command + (rest.empty() ? "" : " " + rest) + "' is no command; try 'help'");
  }

  /// Waits until a task has ended, but no longer than `patience_`. Says how it has ended, or what it waits for. If the
  /// task fails, this is reported as if nobody had waited.
  errand::Coro<std::string> end_of(errand::Task<> task, std::string name) {
    const std::vector<errand::Task<>> tasks{task};
    co_await errand::wait_all(tasks, patience_);
    if (task.done()) co_return name + ": " + std::string(to_string(task.status())) + '\n';
    co_return name + ": has not ended yet\n" + where(std::to_string(task.id()));
  }

  std::string where(const std::string& text) const {
    std::uint64_t id = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, id);
    if (stop != end || error != std::errc()) throw std::runtime_error("'" + text + "' is not the id of a task");
    bool is_there = false;
    const std::string found = table([&](const errand::TaskInfo& task) { return task.id == id && (is_there = true); });
    if (!is_there) throw std::runtime_error("no pending task has the id " + text);
    return found;
  }

  /// Returns a table of these tasks. It has spaces in place of the control characters of names and notes.
  template <class Wanted>
  std::string table(Wanted wanted) const {
    std::vector<errand::TaskInfo> tasks = app_.snapshot();
    std::erase_if(tasks, [&](const errand::TaskInfo& task) { return !wanted(task); });
    const std::size_t more = tasks.size() - std::min(tasks.size(), most_tasks);
    tasks.resize(tasks.size() - more);
    std::ostringstream out;
    out << tasks;
    if (more > 0) out << "and " << more << " more\n";
    return out.str();
  }

  std::string stats() const {
    using Seconds = std::chrono::duration<double>;
    const errand::Stats now = app_.stats();
    std::ostringstream out;
    out << "tasks: " << now.added << " added, " << now.succeeded << " succeeded, " << now.failed << " failed, "
        << now.cancelled << " cancelled, " << now.pending << " pending\n"
        << "loop: " << now.turns << " turns, " << now.steps << " steps, " << now.callbacks << " callbacks, "
        << now.posts << " posts, " << now.timers << " timers\n"
        << "time: " << Seconds(now.busy).count() << " s busy, " << Seconds(now.asleep).count() << " s asleep, "
        << Seconds(now.longest_step).count() << " s in the longest step\n";
    return out.str();
  }

  static constexpr const char* help =
      "ps [TEXT]              the pending tasks; those with TEXT in their names\n"
      "where ID               what this task waits for\n"
      "stats                  what the program has done so far\n"
      "cancel NAME            asks the task to end, and waits for its end\n"
      "signal NAME [PAYLOAD]  dispatches an event with this text, and waits for its handlers\n"
      "trace on|off           begins and ends a trace of what the tasks do\n"
      "help                   this\n";
  static constexpr std::size_t longest_line = 1000, most_tasks = 1000;

  errand::App& app_;
  errand::Descriptor socket_;
  TraceSwitch* const trace_;
  const std::chrono::nanoseconds patience_;
  std::string input_;  // text that the client has sent, from the first line that is not obeyed yet
};

/// Serves a console on a Unix socket, until the task is cancelled. Only who may open the socket's file may use the
/// console: the mode of the file is 0600, so these are the user of this process and root. The file is removed at the
/// end. Throws `std::system_error`, which names the path, if a file is there already, unless it is a socket that a dead
/// process has left. The App needs a PosixReactor. Without a `trace`, the command `trace` is an error.
///
///     TraceSwitch trace("my.json");
///     errand::App app("MyApp", {.reactor = &reactor, .observer = &trace});
///     app.add_task(serve_console(app, "my.sock", &trace), "console");
///
/// A client that waits for the end of a task is told after `patience` what the task waits for.
inline errand::Coro<> serve_console(errand::App& app, std::string path, TraceSwitch* trace = nullptr,
                                    std::chrono::nanoseconds patience = std::chrono::seconds(2)) {
  ConsoleSocket listener(std::move(path));
  listener.listen();
  errand::TaskScope clients(app);
  while (true) {
    errand::Descriptor socket = co_await errand::accept(listener.get());
    ConsoleClient client(app, std::move(socket), trace, patience);
    clients.add([client = std::move(client)]() mutable { return client.serve(); });
  }
}
