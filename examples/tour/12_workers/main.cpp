// SPDX-License-Identifier: MIT
// [program]
#include <array>
#include <errand/errand.hpp>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

constexpr unsigned workers = 3;
const std::vector<std::string> stations = {"harbour", "summit", "forest", "meadow", "island", "desert", "glacier"};

struct Share {
  std::vector<std::string> read;
};

std::array<Share, workers> shares;  // one for each worker: no two threads use the same

errand::Coro<> read_station(errand::App& app, std::string name) {
  co_await errand::sleep(1ms);
  app.ctx().get<Share>().read.push_back(name);
}

// Runs on each worker, and reads every third station.
errand::Coro<> read_share(errand::App& app) {
  for (std::size_t i = app.worker(); i < stations.size(); i += workers) {
    co_await read_station(app, stations[i]);
  }
}

int main() {
  errand::App app("weather");
  app.main_process_start([] { std::cout << "once, before all workers\n"; });
  app.before_server_start([](errand::App& worker) { worker.ctx().emplace<Share>(); });
  app.add_task(read_share);  // a callable: on each worker
  app.add_task(errand::once([] { std::cout << "once, on worker 0\n"; }));
  app.after_server_stop([](errand::App& worker) { shares[worker.worker()] = worker.ctx().get<Share>(); });
  app.main_process_stop([] { std::cout << "once, after all workers\n"; });
  app.run({.workers = workers});

  for (unsigned worker = 0; worker < workers; ++worker) {
    std::cout << "worker " << worker << ':';
    for (const std::string& name : shares[worker].read) std::cout << ' ' << name;
    std::cout << '\n';
  }
}
// [program]
