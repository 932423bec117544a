// SPDX-License-Identifier: MIT
// Eight workers that start, stop and fail, again and again. Usage: workers_loop [ROUNDS]. For ThreadSanitizer.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;
using errand::Coro;

namespace {

struct Counts {
  std::atomic<int> started = 0, stopped = 0, ended = 0;
};

/// Makes one run. The number of the round decides how the run ends.
void run_once(unsigned round, Counts& counts) {
  errand::App app("loop", {.on_failure = [](const errand::TaskFailure&) {}});
  const unsigned failing = round % 8;
  app.before_server_start([&counts, round, failing](errand::App& worker) -> Coro<> {
    ++counts.started;
    if (round % 4 == 1 && worker.worker() == failing) throw std::runtime_error("start");
    co_await errand::yield();
  });
  app.after_server_stop([&counts] { ++counts.stopped; });
  app.add_task([&counts](errand::App& worker) -> Coro<> {
    const std::string name = "n" + std::to_string(worker.worker());
    worker.add_task([]() -> Coro<> { co_await errand::sleep(1h); }, name);
    co_await errand::sleep(100us);
    worker.dispatch("loop.worker.ready");
    worker.get_task(name).cancel();
    ++counts.ended;
  });
  if (round % 4 == 2) {
    app.add_task([failing](errand::App& worker) -> Coro<> {
      co_await errand::sleep(200us);
      if (worker.worker() == failing) worker.stop();
    });
  }
  std::thread other;
  if (round % 4 == 3) other = std::thread([&app] { app.stop(); });
  try {
    app.run({.workers = 8, .keep_alive = round % 4 >= 2});
  } catch (const std::runtime_error&) {
    if (round % 4 != 1) throw;
  }
  if (other.joinable()) other.join();
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned rounds = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1000;
  for (unsigned round = 0; round < rounds; ++round) {
    Counts counts;
    run_once(round, counts);
    if (counts.started != counts.stopped || (round % 4 == 0 && counts.ended != 8)) {
      std::fprintf(stderr, "round %u: started %d, stopped %d, ended %d\n", round, counts.started.load(),
                   counts.stopped.load(), counts.ended.load());
      return 1;
    }
  }
  std::printf("workers_loop: %u rounds of 8 workers\n", rounds);
}
