// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <system_error>

#include "world.hpp"

namespace scenarios {

/// Two descriptors that are connected.
struct Connected {
  Connected() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::system_error(errno, std::generic_category());
    a = ends[0];
    b = ends[1];
  }
  errand::Descriptor a, b;
};

/// A child process that does not end. There is one for the whole program, because a fork takes long.
inline pid_t child_that_stays() {
  static const struct Child {
    Child() : pid(::fork()) {
      while (pid == 0) ::pause();
    }
    ~Child() {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    const pid_t pid;
  } child;
  return child.pid;
}

inline Coro<> echo(errand::Descriptor socket) {
  const Tracked local;
  char bytes[16];
  while (const std::size_t count = co_await errand::read_some(socket, bytes)) {
    co_await errand::write_all(socket, std::string_view(bytes, count));
  }
}

inline Coro<> ask(std::uint16_t port, Tracked argument) {
  const errand::Descriptor socket = co_await errand::connect("127.0.0.1", port);
  co_await errand::write_all(socket, "a question that is longer than the buffer of the server");
  char bytes[8];
  co_await errand::wait_for(errand::read_some(socket, bytes), 5s);
  argument.use();
}

/// Tasks that wait for descriptors, for a signal and for a child process.
inline void io(World& world) {
  App& app = world.app();
  ::signal(SIGUSR1, SIG_IGN);  // a task that got no memory does not wait for it
  auto& pair = world.keep<Connected>();
  auto& silent = world.keep<Connected>();
  auto& closed = world.keep<Connected>();

  auto& listener = world.keep<errand::Descriptor>(errand::listen("127.0.0.1", 0));
  app.add_task([&listener, held = Tracked()](App& on) -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      errand::Descriptor socket = co_await errand::accept(listener);
      on.add_task(echo(std::move(socket)));
    }
    held.use();
  });
  const auto port = errand::local_port(listener);
  for (int i = 0; i < 2; ++i) app.add_task(settle(world, ask(port, Tracked())));
  app.add_task(settle(world, errand::connect("127.0.0.1", 1)));

  app.add_task(settle(world, errand::wait_for(echo(std::move(pair.a)), 2s)));
  app.add_task([&pair, held = Tracked()]() -> Coro<> {
    const Tracked local;
    co_await errand::write_all(pair.b, "hello");
    char bytes[2];
    co_await errand::gather(errand::read_some(pair.b, bytes), errand::readable(pair.b), errand::writable(pair.b));
    co_await errand::race(errand::readable(pair.b), errand::signal(SIGUSR1), errand::sleep(1ms));
    pair.b = errand::Descriptor();
    held.use();
  });
  for (int i = 0; i < 2; ++i) app.add_task(settle(world, errand::readable(closed.a)));
  app.add_task(settle(world, errand::signal(SIGUSR1)));
  app.add_task(settle(world, errand::move_on_after(errand::exited(child_that_stays()), 3ms)));
  auto aborted = app.add_task(settle(world, errand::readable(silent.a)));
  auto cancelled = app.add_task(settle(
      world, errand::race(errand::readable(silent.a), errand::writable(silent.a), errand::exited(child_that_stays()))));
  app.call_later(2ms, [aborted, cancelled, &closed, held = Tracked()]() mutable {
    ::raise(SIGUSR1);
    cancelled.cancel(why);
    closed.a = errand::Descriptor();
    aborted.abort();
  });
  // A peer that got no memory is silent, and a task that waits for it would wait for ever.
  app.call_later(10s, [&app] { app.stop(); });
}

}  // namespace scenarios
