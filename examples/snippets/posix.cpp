// SPDX-License-Identifier: MIT
// Sockets, a signal and a child process, on posix.hpp.
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

// [posix]
errand::Coro<> echo(errand::Descriptor socket, errand::Semaphore::Permit) {  // gives the permit back when it ends
  char bytes[1024];
  try {
    while (true) {
      const std::size_t count = co_await errand::wait_for(errand::read_some(socket, bytes), 60s);
      if (count == 0) break;  // the client sends no more
      co_await errand::wait_for(errand::write_all(socket, std::string_view(bytes, count)), 60s);
    }
  } catch (const errand::TimeoutError&) {  // idle, or it does not read what it is sent
  } catch (const std::system_error&) {     // the connection is broken
  }
}

errand::Coro<> serve(errand::App& app, errand::Descriptor listener) {
  errand::Semaphore places(1000);  // the next client is accepted when one of 1000 has gone
  errand::TaskScope clients(app);
  while (true) {
    errand::Semaphore::Permit place = co_await places.acquire();
    errand::Descriptor socket = co_await errand::accept(listener);
    clients.add(echo(std::move(socket), std::move(place)));
  }
}
// [posix]

void reload() { std::cout << "reloaded\n"; }

// [signal]
errand::Coro<> reload_on_hangup() {
  while (true) {
    co_await errand::signal(SIGHUP);
    reload();
  }
}
// [signal]

errand::Coro<> break_off(std::uint16_t port) {
  errand::Descriptor socket = co_await errand::connect("localhost", port);
  co_await errand::write_all(socket, "hello");
  const linger at_once{1, 0};  // the server's read will throw "Connection reset by peer"
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

errand::Coro<> talk(std::uint16_t port) {
  co_await break_off(port);
  errand::Descriptor socket = co_await errand::connect("localhost", port);
  co_await errand::write_all(socket, "hello");
  char bytes[16];
  const std::size_t count = co_await errand::read_some(socket, bytes);
  std::cout << std::string_view(bytes, count) << '\n';

  ::kill(::getpid(), SIGHUP);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(3);
  const int status = co_await errand::exited(child);
  co_await errand::sleep(20ms);
  std::cout << "the child gave " << WEXITSTATUS(status) << '\n';
  ::kill(::getpid(), SIGTERM);
}

}  // namespace

int main() {
  // [posix]
  errand::PosixReactor reactor;
  errand::App app("echo", {.reactor = &reactor});
  errand::Descriptor listener = errand::listen("127.0.0.1", 0);  // any free port
  const auto port = errand::local_port(listener);
  app.add_task(serve(app, std::move(listener)), "serve");
  // [posix]
  app.add_task(reload_on_hangup());
  app.add_task(talk(port), "talk");
  // [posix]
  app.run({.handle_signals = true});  // SIGINT and SIGTERM end the server
  // [posix]
  std::cout << "the server has ended\n";
}
