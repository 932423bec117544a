// SPDX-License-Identifier: MIT
// A chat server on posix.hpp. Each client is a task with a name. Prints its port: talk to it with `nc 127.0.0.1 PORT`,
// and end it with ^C. Its arguments: [PORT [IDLE_SECONDS]].
#include <chrono>
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <iostream>
#include <string>

#include "terminal.hpp"

using namespace std::chrono_literals;
using errand::Coro;

struct Room {
  errand::App& app;
  const std::chrono::duration<double> idle;  // how long a client may be silent, or not take what it is sent
  errand::Broadcast<std::string> messages{};
};

class Client {
 public:
  Client(Room& room, errand::Descriptor socket, std::string name)
      : room_(room), socket_(std::move(socket)), name_(std::move(name)) {}

  /// Serves the client until it goes, is idle for too long, or is kicked, or until the room is closed.
  Coro<> run() {
    std::string goodbye;
    try {
      co_await say("* you are " + name_ + ": /who, /kick NAME, /quit");
      co_await errand::race(obey_lines(), show_messages());
    } catch (const errand::TimeoutError&) {
      goodbye = "* goodbye: idle for too long";
    } catch (const errand::Cancelled& request) {
      goodbye = "* goodbye: " + request.reason();
    } catch (const std::system_error&) {  // the client has gone
    }
    if (!goodbye.empty()) co_await errand::settled(errand::wait_for(say(goodbye), 100ms));
  }

 private:
  Coro<> say(std::string line) {
    line += '\n';
    const auto guard = co_await writing_.acquire();
    co_await errand::wait_for(errand::write_all(socket_, line), room_.idle);
  }
  Coro<> show_messages() {
    while (const auto message = co_await messages_.next()) co_await say(*message);
  }
  Coro<> obey_lines() {
    while (const auto line = co_await next_line()) {
      if (*line == "/quit") co_return;
      if (const std::string answer = co_await obey(*line); !answer.empty()) co_await say(answer);
    }
  }
  /// Returns the next line, cut off if it is too long, or nullopt if the client sends no more.
  Coro<std::optional<std::string>> next_line() {
    std::string line;
    for (std::size_t end; (end = input_.find('\n')) == std::string::npos;) {
      line += input_.substr(0, longest_line + 1 - line.size());
      char bytes[4096];
      input_.assign(bytes, co_await errand::wait_for(errand::read_some(socket_, bytes), room_.idle));
      if (input_.empty()) co_return std::nullopt;
    }
    line += input_.substr(0, std::min(input_.find('\n'), longest_line + 1 - line.size()));
    input_.erase(0, input_.find('\n') + 1);
    co_return line;
  }
  Coro<std::string> obey(std::string line) {
    std::string answer;
    if (line.size() > longest_line || !is_printable(line)) {
      answer = "? a line is UTF-8 without control characters, and has at most 1000 bytes";
    } else if (line == "/who") {
      for (const errand::Task<>& task : room_.app.tasks()) answer += task.name() + ' ';
    } else if (line.starts_with("/kick guest")) {
      errand::Task<> guest = room_.app.find_task(line.substr(6));
      answer = guest && guest.cancel("kicked by " + name_) ? "* kicked" : "? there is no such guest";
    } else if (line.starts_with("/")) {
      answer = "? there is /who, /kick NAME and /quit";
    } else {
      room_.messages.send(name_ + ": " + line);
    }
    co_return answer;
  }

  static constexpr std::size_t longest_line = 1000;
  Room& room_;
  errand::Descriptor socket_;
  std::string name_, input_;
  errand::Lock writing_;  // so that a line is not cut by another one
  errand::Subscription<std::string> messages_ = room_.messages.subscribe(100);
};

Coro<> serve(Room& room, errand::Descriptor socket, std::string name) {
  Client client(room, std::move(socket), std::move(name));
  co_await client.run();
}

Coro<> accept_all(Room& room, errand::Descriptor listener) {
  for (int id = 1;; ++id) {
    const std::string name = "guest" + std::to_string(id);
    room.app.add_task(serve(room, co_await errand::accept(listener), name), name);
  }
}

int main(int argc, char** argv) {
  errand::PosixReactor reactor;
  errand::App app("chat", {.reactor = &reactor, .purge_when_done = true});
  Room room{app, std::chrono::duration<double>(argc > 2 ? std::stod(argv[2]) : 600)};
  errand::Descriptor listener = errand::listen("127.0.0.1", argc > 1 ? std::stoi(argv[1]) : 0);
  std::cout << "listening on 127.0.0.1:" << errand::local_port(listener) << std::endl;
  app.add_task(accept_all(room, std::move(listener)), "accept");
  app.before_server_stop([&]() -> Coro<> {
    co_await app.cancel_task("accept");
    room.messages.send("* the server ends");
    room.messages.close();
    co_await errand::wait_all(app.tasks(), 500ms);  // each of them ends when it has written its messages
  });
  app.run({.handle_signals = true});
}
