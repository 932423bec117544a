// SPDX-License-Identifier: MIT
// Tasks that are added before run.
#include <atomic>
#include <errand/errand.hpp>
#include <iostream>

using namespace std::chrono_literals;

namespace {

std::atomic<int> ran = 0, migrations = 0, too_early = 0, listened = 0;

errand::Coro<> slow_work(errand::App&) {
  if (migrations == 0) ++too_early;
  co_await errand::sleep(1ms);
  ++ran;
}

errand::Coro<> even_slower(int milliseconds) {
  co_await errand::sleep(std::chrono::milliseconds(milliseconds));
  ++ran;
}

errand::Coro<> migrate() {
  co_await errand::sleep(1ms);
  ++migrations;
}

void connect(errand::App&) { ++listened; }
void warm_up() { ++listened; }

void each_worker() {
  // [each_worker]
  errand::App app("MyApp");
  app.add_task(slow_work);  // a callable: each worker calls it once
  app.main_process_start(migrate);
  app.run({.workers = 4});
  // [each_worker]
}

void one_worker() {
  errand::App app("MyApp");
  // [with_arguments]
  app.add_task(even_slower(10));
  // [with_arguments]

  // [place]
  app.before_server_start(connect);
  app.add_task(slow_work);           // is added to the loop here, on every worker
  app.before_server_start(warm_up);  // does not wait for slow_work
  // [place]

  // [main_process]
  app.main_process_start(migrate);  // runs once; no worker starts until it has ended
  // [main_process]
  app.run();
}

}  // namespace

int main() {
  each_worker();
  std::cout << "on 4 workers: " << ran << '\n';
  one_worker();
  std::cout << "in all: " << ran << ", migrations " << migrations << ", too early " << too_early << ", listeners "
            << listened << '\n';
}
