// SPDX-License-Identifier: MIT
// Waits for SIGINT or SIGTERM, and prints what happens. Usage: interrupted [SECONDS of clean-up | stuck]. interrupts.sh
// runs it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <errand/errand.hpp>
#include <thread>

using namespace std::chrono_literals;
using errand::Coro;

namespace {

void say(const char* text) {
  std::puts(text);
  std::fflush(stdout);
}

struct Local {
  Local() = default;
  Local(const Local&) = delete;
  ~Local() { say("local destroyed"); }
};

}  // namespace

int main(int argc, char** argv) {
  const std::chrono::seconds clean_up(argc > 1 ? std::atoi(argv[1]) : 0);
  const bool is_stuck = argc > 1 && std::strcmp(argv[1], "stuck") == 0;
  std::signal(SIGTERM, SIG_IGN);
  errand::App app("interrupted", {.on_failure = [](const errand::TaskFailure&) {}});
  app.add_task([clean_up]() -> Coro<> {
    const Local local;
    const auto wait = []() -> Coro<> { co_await errand::sleep(1h); };
    const auto clean = [clean_up]() -> Coro<> {
      say("cleaning up");
      co_await errand::sleep(clean_up);
      say("cleaned");
    };
    co_await errand::finally(wait, clean);
  });
  app.after_server_start([is_stuck] {
    say("ready");
    if (is_stuck) std::this_thread::sleep_for(1min);  // the loop does not see any signal
  });
  app.after_server_stop([] { say("stopped"); });
  app.run({.handle_signals = true});
  if (std::signal(SIGTERM, SIG_DFL) == SIG_IGN) say("handlers put back");
}
