// SPDX-License-Identifier: MIT
// Tasks that are added before run, on three workers: which tasks run on each worker, which run once, and in which
// order.
#include <array>
#include <errand/errand.hpp>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr unsigned workers = 3;

// Each worker writes to its own log, so that no worker has to wait for another.
std::array<std::vector<std::string>, workers> logs;

void log(std::string line) { logs[errand::App::current().worker()].push_back(std::move(line)); }

struct Connection {
  explicit Connection(std::string its_host) : host(std::move(its_host)) {}
  std::string host;
};

errand::Coro<> migrate() {
  co_await errand::sleep(2ms);
  std::cout << "main_process_start: the schema is migrated, no worker has started\n";
}

errand::Coro<> warm_cache(errand::App& app) {
  co_await errand::sleep(1ms);
  log("warm_cache, from " + app.ctx().get<Connection>().host);
}

errand::Coro<int> collect(int rows) {
  co_await errand::sleep(std::chrono::milliseconds(rows));
  log("collect(" + std::to_string(rows) + ")");
  co_return 2 * rows;
}

}  // namespace

int main() {
  errand::App app("MyApp");
  app.main_process_start(migrate);
  app.before_server_start([](errand::App& worker) {
    worker.ctx().emplace<Connection>("host " + std::to_string(worker.worker()));
    log("before_server_start");
  });

  app.add_task(warm_cache);                                     // a callable runs once on each worker
  const auto collected = app.add_task(collect(10), "collect");  // a coroutine can run only once: on worker 0
  app.add_task(errand::once([] { log("only here"); }), "once");

  app.after_server_start([] { log("after_server_start"); });

  std::cout << "before run: '" << app.get_task("collect").name() << "' is " << (collected.done() ? "done" : "pending")
            << '\n';
  app.run({.workers = workers});

  for (unsigned worker = 0; worker < workers; ++worker) {
    std::cout << "worker " << worker << ":\n";
    for (const std::string& line : logs[worker]) std::cout << "  " << line << '\n';
  }
  std::cout << "collected " << collected.result() << " rows\n";
}
