// SPDX-License-Identifier: MIT
// Ways to look inside a program while it runs.
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

// [dump_tasks]
errand::Coro<std::string> reply(errand::Queue<std::string>& replies) { co_return co_await replies.get(); }

errand::Coro<> update(errand::Queue<std::string>& replies) {
  co_await errand::gather(reply(replies), errand::sleep(10min));
}

errand::Coro<> keep_updated(errand::Queue<std::string>& replies) {
  while (true) co_await update(replies);
}

errand::Coro<> watch(errand::App& app) { co_await app.get_task("updates"); }
// [dump_tasks]

void dump_tasks() {
  errand::ManualClock clock;
  errand::Queue<std::string> replies;
  errand::App app("MyApp", {.clock = &clock});
  app.call_later(2min, [&app] {
    app.dump_tasks(std::cout);
    // [snapshot]
    for (const errand::TaskInfo& task : app.snapshot()) {
      if (task.age > 1min) std::cout << task.name << " still waits: " << task.waits[0].what << '\n';
    }
    const std::string json = errand::to_json(app.snapshot());  // [{"id":1,"name":"updates","status":"pending", …
    // [snapshot]
    if (json.find("\"age\":120") == std::string::npos) std::cout << json << '\n';
    app.stop();
  });
  // [dump_tasks]
  app.add_task(keep_updated(replies), "updates");
  app.add_task(watch, "watch");
  // [dump_tasks]
  app.run();
}

void hash_all() { std::this_thread::sleep_for(30ms); }

void slow_step() {
  // [slow_step]
  errand::App app("MyApp", {.slow_step = 10ms, .on_slow_step = [](const errand::SlowStep& step) {
                              std::cout << "'" << step.name() << "' kept the others waiting\n";  // duration(), place()
                            }});
  app.add_task(hash_all, "hash");
  app.run();
  // [slow_step]
}

void make_step() {}

// [hang]
errand::Coro<> work(errand::Queue<unsigned>& orders) {
  for (;;) {
    unsigned left = co_await orders.get();
    while (left != 0) {
      make_step();
      left -= 2;  // for an odd number, this never ends
    }
  }
}

errand::Coro<> order(errand::App& app, errand::Queue<unsigned>& orders, unsigned number) {
  co_await orders.put(number);
  co_await app.get_task("work");
}
// [hang]

void work_off(unsigned number) {
  errand::Queue<unsigned> orders;
  errand::App app("MyApp");
  app.add_task(work(orders), "work");
  app.add_task(order(app, orders, number), "order");
  app.call_later(1ms, [&app] { app.stop(); });
  app.run();
}

errand::Coro<> read_file(std::string name) {
  co_await errand::sleep(1ms);
  if (name == "b.txt") throw std::runtime_error("no such file");
}

// [observer]
class Ends : public errand::Observer {
 public:
  void task_ended(const errand::TaskEvent& event) override { std::cout << event.name << ' ' << event.what << '\n'; }
};
// [observer]

void observe() {
  // [observer]
  Ends ends;  // before the App, because it must outlive it
  errand::App app("MyApp", {.on_failure = [](const errand::TaskFailure&) {}, .observer = &ends});
  app.add_task(read_file("a.txt"), "a.txt");
  app.add_task(read_file("b.txt"), "b.txt");
  app.run();
  const errand::Stats stats = app.stats();
  std::cout << stats.failed << " of " << stats.added << " tasks failed\n";
  // [observer]
}

void trace() {
  {
    // [trace]
    errand::Trace trace("run.json");  // before the App, because it must outlive it
    errand::App app("MyApp", {.observer = &trace});
    // [trace]
    app.add_task(hash_all, "hash");
    app.run();
  }
  std::remove("run.json");
}

}  // namespace

/// Hangs if it has an argument, for tests/debugger/run.sh.
int main(int count, char**) {
  dump_tasks();
  slow_step();
  observe();
  trace();
  work_off(count > 1 ? 3 : 4);
}
