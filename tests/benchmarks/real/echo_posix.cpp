// SPDX-License-Identifier: MIT
// An echo server on errand, with the reactor of an example, which waits with poll(2). Prints its port.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"  // only `main` may end without a return
#define main main_of_the_example
#include "../../../examples/posix_reactor.cpp"
#undef main
#pragma GCC diagnostic pop

namespace {

errand::Coro<> echo(PollReactor& reactor, Descriptor socket) {
  char bytes[1024];
  while (true) {
    co_await reactor.readable(socket);
    const ssize_t count = ::recv(socket.get(), bytes, sizeof bytes, 0);
    if (count < 0 && would_block()) continue;
    if (count <= 0) co_return;
    for (std::string_view left(bytes, static_cast<std::size_t>(count)); !left.empty();) {
      const ssize_t sent = ::send(socket.get(), left.data(), left.size(), 0);
      if (sent < 0 && would_block()) {
        co_await reactor.writable(socket);
      } else {
        left.remove_prefix(static_cast<std::size_t>(checked(sent, "send")));
      }
    }
  }
}

errand::Coro<> accept_all(errand::App& app, PollReactor& reactor, Descriptor listening) {
  while (true) {
    co_await reactor.readable(listening);
    Descriptor socket(::accept(listening.get(), nullptr, nullptr));
    if (socket) app.add_task(echo(reactor, std::move(socket)));
  }
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  PollReactor reactor;
  errand::App app("echo", {.reactor = &reactor, .on_failure = report});
  app.add_task(accept_all(app, reactor, listen()));
  app.run({.handle_signals = true});
}
