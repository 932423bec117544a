// SPDX-License-Identifier: MIT
// The differences between errand and Sanic that are intended.
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

errand::Coro<> slow_work() { co_await errand::sleep(1h); }

errand::Coro<> broken() {
  co_await errand::sleep(1s);
  throw std::runtime_error("disk full");
}

void name_before_run() {
  errand::ManualClock clock;
  errand::App app("MyApp", {.clock = &clock});
  // [name_before_run]
  errand::Task<> task = app.add_task(slow_work, "slow_task");
  std::cout << task.name() << (task.done() ? " is done" : " is pending") << ", and not yet started\n";
  app.run();
  // [name_before_run]
}

errand::Coro<> name_taken(errand::App& app) {
  // [name_taken]
  app.add_task(slow_work, "slow_task");
  try {
    app.add_task(slow_work, "slow_task");
  } catch (const errand::TaskNameInUse& error) {
    std::cout << error.what() << '\n';
  }
  using errand::NameTaken;
  app.add_task(slow_work, "slow_task", NameTaken::keep);     // returns the task that has the name
  app.add_task(slow_work, "slow_task", NameTaken::cancel);   // cancels the old task, and takes its name
  app.add_task(slow_work, "slow_task", NameTaken::replace);  // the old task runs on without the name, as in Sanic
  // [name_taken]
  co_await app.cancel_task("slow_task");
}

errand::Coro<> all_tasks(errand::App& app) {
  // [all_tasks]
  app.add_task(slow_work);  // no name and no handle: the App owns the task, which ends with the App at the latest
  for (const errand::Task<>& task : app.all_tasks()) std::cout << task.name() << '\n';
  // [all_tasks]
  co_return;
}

errand::Coro<> own_cancellation(errand::App& app) {
  app.add_task(slow_work, "worker");
  // [own_cancellation]
  try {
    const bool cancelled = co_await app.cancel_task("worker");
    std::cout << (cancelled ? "the worker ended cancelled\n" : "the worker was done before\n");
  } catch (const errand::Cancelled&) {
    throw;  // this task itself is asked to end; a cancelled worker is no reason for Cancelled here
  }
  // [own_cancellation]
}

errand::Coro<> cancelled_task(errand::App& app) {
  errand::Task<> task = app.add_task(slow_work);
  task.cancel("no time");
  // [cancelled_task]
  try {
    co_await task;
  } catch (const errand::TaskCancelled& error) {
    std::cout << error.name() << ": " << error.reason() << '\n';
  }
  // [cancelled_task]
}

void failures() {
  errand::ManualClock clock;
  // [failures]
  errand::App app("MyApp", {.clock = &clock, .on_failure = [](const errand::TaskFailure& failure) {
                              std::cout << failure.name() << " failed: " << failure.what() << '\n';
                            }});
  app.add_signal("server.exception.report", [](const errand::Signal& signal) {
    std::cout << "alert: " << signal.get<errand::TaskFailure>().name() << '\n';
  });
  app.add_task(broken(), "writer");
  app.run();  // the failure is reported at once
  // [failures]
}

// [deadlock]
errand::Coro<> wait_in_vain() {
  errand::Event never_set;
  co_await never_set.wait();
}
// [deadlock]

void deadlock() {
  errand::App app("MyApp");
  // [deadlock]
  app.add_task(wait_in_vain, "waiter");
  try {
    app.run();
  } catch (const errand::Deadlock& error) {
    std::cout << error.what();
  }
  // [deadlock]
}

}  // namespace

int main() {
  errand::ManualClock clock;
  name_before_run();
  for (const auto part : {name_taken, all_tasks, own_cancellation, cancelled_task}) {
    errand::App app("MyApp", {.clock = &clock});
    app.run(part(app));
  }
  failures();
  deadlock();
}
