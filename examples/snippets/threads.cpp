// SPDX-License-Identifier: MIT
// Threads, workers, and an App that another loop polls.
#include <array>
#include <atomic>
#include <errand/errand.hpp>
#include <future>
#include <iostream>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

std::string read_file(std::string path) { return "the text of " + path; }

errand::Coro<> to_thread() {
  // [to_thread]
  const std::string text = co_await errand::to_thread(read_file, "notes.txt");
  // [to_thread]
  std::cout << text << '\n';
}

errand::Coro<int> square(int n) {
  co_await errand::sleep(1ms);
  co_return n* n;
}

void other_threads() {
  // [other_threads]
  errand::App app("MyApp");
  std::thread other([&app, keep_alive = app.keep_alive()] {  // run() does not return while a KeepAlive lives
    std::future<int> squared = app.submit(square(12));
    std::cout << squared.get() << '\n';
    app.post([] { std::cout << "on the App's thread\n"; });
  });
  app.run();
  other.join();
  // [other_threads]
}

void workers() {
  std::array<int, 3> pinged{};
  std::atomic<int> leaders = 0;
  // [workers]
  errand::App app("MyApp");
  app.before_server_start([](errand::App& worker) { worker.ctx().emplace<int>(0); });  // workers share nothing
  app.add_task([&](errand::App& worker) { pinged[worker.worker()] = ++worker.ctx().get<int>(); });
  app.add_task(errand::once([&] { ++leaders; }));  // runs on worker 0 only
  app.run({.workers = 3});                         // three threads, each with its own App
  // [workers]
  for (const int count : pinged) std::cout << count << ' ';
  std::cout << leaders << '\n';
}

void interrupts() {
  errand::App app("MyApp");
  app.add_task([] { return 1; });
  // [interrupts]
  app.run({.handle_signals = true});  // SIGINT and SIGTERM stop the App; after a second signal it waits no longer
  // [interrupts]
}

void host_loop() {
  errand::App app("MyApp");
  errand::Task<int> task = app.add_task(square(3));
  // [host_loop]
  while (app.poll()) {  // one turn, without blocking
    if (const auto next = app.next_deadline()) std::this_thread::sleep_until(*next);
  }
  // [host_loop]
  std::cout << task.result() << '\n';
}

}  // namespace

int main() {
  errand::App app("MyApp");
  app.run(to_thread());
  other_threads();
  workers();
  interrupts();
  host_loop();
}
