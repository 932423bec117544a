// SPDX-License-Identifier: MIT
// An echo server on errand, with posix.hpp. Prints its port.
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <iostream>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

errand::Coro<> echo(errand::Descriptor socket) {
  char bytes[1024];
  try {
    while (const std::size_t count = co_await errand::read_some(socket, bytes)) {
      co_await errand::write_all(socket, std::string_view(bytes, count));
    }
  } catch (const std::system_error&) {  // the client has gone
  }
}

errand::Coro<> serve(errand::App& app, errand::Descriptor listener) {
  while (true) {
    errand::Descriptor socket = co_await errand::accept(listener);
    app.add_task(echo(std::move(socket)));
  }
}

}  // namespace

int main() {
  errand::PosixReactor reactor;
  errand::App app("echo", {.reactor = &reactor});
  errand::Descriptor listener = errand::listen("127.0.0.1", 0);
  std::cout << "listening on 127.0.0.1:" << errand::local_port(listener) << std::endl;
  app.add_task(serve(app, std::move(listener)));
  app.run({.handle_signals = true});
}
