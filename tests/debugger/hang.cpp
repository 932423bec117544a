// SPDX-License-Identifier: MIT
// A program that hangs, for a debugger: two workers are each inside a step that does not end, while their other tasks
// wait in many ways, and one more App does not run. Before the program hangs, it writes into a file what the debugger
// has to show:
//
//     hang FILE
//
// run.sh beside this file says how it is used.
#include <condition_variable>
#include <errand/errand.hpp>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using errand::App;
using errand::Coro;
using errand::Task;

namespace {

constexpr unsigned workers = 2;

/// The primitives that the tasks of a worker wait for.
struct Primitives {
  errand::Event event;
  errand::Queue<int> empty, full{1};
  errand::Lock lock;
  errand::Semaphore semaphore{0};
  errand::Condition condition;
  errand::Barrier barrier{2};
  errand::Watch<int> watch{0};
  errand::Future<int> future;
};

Coro<> sleep_long() { co_await errand::sleep(1h); }
Coro<> wait_for_event(Primitives& all) { co_await all.event.wait(); }
Coro<> middle(Primitives& all) { co_await wait_for_event(all); }
Coro<> outer(Primitives& all) { co_await middle(all); }
Coro<> deep(int levels, Primitives& all) {
  if (levels > 0) {
    co_await deep(levels - 1, all);
  } else {
    co_await all.event.wait();
  }
}

errand::AsyncGenerator<int> numbers(Primitives& all) {
  co_yield 1;
  co_await all.event.wait();
  co_yield 2;
}
Coro<> read_numbers(Primitives& all) {
  auto generator = numbers(all);
  while (const auto number = co_await generator.next()) co_await errand::yield();
}

Coro<> nested(Primitives& all) {
  const auto group = [&all](errand::TaskGroup& members) -> Coro<> {
    members.add(sleep_long(), "member");
    members.add(wait_for_event(all));
    co_await middle(all);
  };
  const auto raced = [&]() -> Coro<> { co_await errand::race(errand::TaskGroup::run(group), all.empty.get()); };
  co_await errand::gather(errand::wait_for(raced(), 2h), outer(all), errand::settled(sleep_long()),
                          errand::move_on_after(all.event.wait(), 3h));
}
Coro<> many_branches(Primitives& all) {
  std::vector<Coro<>> branches;
  for (int i = 0; i < 12; ++i) branches.push_back(deep(12, all));
  co_await errand::gather(std::move(branches));
}
Coro<> many_short_branches(Primitives& all) {
  std::vector<Coro<>> branches;
  for (int i = 0; i < 12; ++i) branches.push_back(wait_for_event(all));
  co_await errand::gather_settled(std::move(branches));
}
Coro<> many_members() {
  const auto group = [](errand::TaskGroup& members) -> Coro<> {
    for (int i = 0; i < 12; ++i) members.add(sleep_long(), i % 2 == 0 ? "" : "member " + std::to_string(i));
    co_return;
  };
  co_await errand::TaskGroup::run(group);
}
Coro<> limits_in_each_other(int levels, Primitives& all) {
  if (levels > 0) {
    co_await errand::wait_for(limits_in_each_other(levels - 1, all), 1h);
  } else {
    co_await all.event.wait();
  }
}
/// GCC lays out the frame of this coroutine wrongly: see errand/detail/coro/skewed_frame.hpp.
Coro<> skewed(errand::Queue<int>& queue) {
  if (co_await queue.get() == 1) co_await queue.get();
}
/// Catches the request to end, and waits again.
Coro<> stubborn(Primitives& all) {
  try {
    co_await all.event.wait();
  } catch (const errand::Cancelled&) {
  }
  co_await all.event.wait();
}

void add_waits(App& app, Primitives& all) {
  app.add_task(sleep_long(), "sleeper");
  app.add_task(sleep_long());
  app.add_task(outer(all), "größe \xc2\x85 of\neach\x1b step \xff");
  app.add_task(deep(2000, all), "a name that is longer than any text that a string keeps inside itself")
      .set_note("deep");
  app.add_task([&]() -> Coro<> { co_await all.empty.next(); });
  app.add_task([&]() -> Coro<> { co_await all.full.put(2); }, "put").set_note("3 of 9, and more than a few characters");
  app.add_task([&]() -> Coro<> { const auto guard = co_await all.lock.acquire(); });
  app.add_task([&]() -> Coro<> { const auto permit = co_await all.semaphore.acquire(); });
  app.add_task([&]() -> Coro<> { co_await all.condition.wait(); });
  app.add_task([&]() -> Coro<> { co_await all.barrier.wait(); });
  app.add_task([&]() -> Coro<> { co_await all.watch.wait([](int value) { return value > 0; }); });
  app.add_task([&]() -> Coro<> { co_await all.future; });
  app.add_task([&app]() -> Coro<> { co_await app.event("an.event.comes"); });
  app.add_task([&app]() -> Coro<> { co_await app.get_task("sleeper"); });
  app.add_task([&app]() -> Coro<> { co_await app.cancel_task("stubborn"); });
  app.add_task([&app]() -> Coro<> { co_await errand::wait_any(app.get_task("sleeper"), app.get_task("put")); });
  app.add_task(stubborn(all), "stubborn");
  app.add_task(read_numbers(all), "generator");
  app.add_task(nested(all), "nested");
  app.add_task(many_branches(all));
  app.add_task(many_short_branches(all));
  app.add_task(many_members());
  app.add_task(limits_in_each_other(10, all));
  app.add_task(skewed(all.empty), "skewed");
}

/// Here the threads of all workers meet, each of them inside a step.
class Meeting {
 public:
  explicit Meeting(std::string file) : file_(std::move(file)) {}

  /// The last caller writes all tables, and then waits in `hang` until a debugger has seen enough. The others only
  /// wait.
  void join(unsigned worker, std::string table);
  /// Called before the workers run.
  void set_idle(std::string table) { idle_ = std::move(table); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::string file_;
  std::string idle_, tables_[workers];
  unsigned waiting_ = 0;
};

}  // namespace

volatile bool is_hanging = true;

/// A debugger stops the program here.
[[gnu::noinline]] void hang() {
  while (is_hanging) std::this_thread::sleep_for(10ms);
}

namespace {

void Meeting::join(unsigned worker, std::string table) {
  {
    std::unique_lock lock(mutex_);
    tables_[worker] = std::move(table);
    if (++waiting_ < workers) {
      changed_.wait(lock, [this] { return waiting_ == workers; });
      lock.unlock();
      while (is_hanging) std::this_thread::sleep_for(10ms);
      return;
    }
    std::ofstream(file_) << "App 'idle', not running\n"
                         << idle_ << "\nApp 'busy', worker 0, running\n"
                         << tables_[0] << "\nApp 'busy', worker 1, running\n"
                         << tables_[1];
    changed_.notify_all();
  }
  hang();
}

std::string table_of(const App& app) {
  std::ostringstream text;
  app.dump_tasks(text);
  return text.str();
}

Coro<> never_ends(App& app, Meeting& meeting) {
  co_await errand::sleep(20ms);
  Task<> ready = app.add_task(sleep_long(), "not started");
  auto woken = app.get_task("woken");
  woken.cancel();
  meeting.join(app.worker(), table_of(app));
  app.stop();
}

}  // namespace

/// What the debugger must know of the library: the names of all kinds of waits.
extern const char* const kinds[];
const char* const kinds[] = {"", nullptr};

int main(int, char** arguments) {
  Meeting meeting(arguments[1]);
  Primitives never;
  App idle("idle");
  idle.add_task(sleep_long(), "waits for its run");
  meeting.set_idle(table_of(idle));

  std::optional<App> gone(std::in_place, "gone");
  const auto left = gone->add_task(sleep_long());  // keeps the loop of an App that has ended
  App busy("busy");
  gone.reset();
  busy.before_server_start([&meeting](App& app) {
    auto& all = app.ctx().emplace<Primitives>();
    all.full.try_put(1);
    add_waits(app, all);
    app.add_task(wait_for_event(all), "woken");
    app.add_task([&app, &meeting]() -> Coro<> { co_await never_ends(app, meeting); }, "busy");
  });
  busy.after_server_start([](App& app) -> Coro<> {
    co_await errand::yield();
    co_await errand::yield();
    app.get_task("stubborn").set_note("was asked");
  });
  busy.run({.workers = workers});
  std::cout << "ended\n";
}
