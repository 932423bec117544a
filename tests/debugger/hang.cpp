// SPDX-License-Identifier: MIT
// A program that hangs, for a debugger: two workers are each inside a step that does not end, while their other tasks
// wait in many ways, and other Apps do not run. Before the program hangs, it writes into a file what the debugger
// has to show:
//
//     hang FILE
//
// run.sh beside this file says how it is used.
#include <condition_variable>
#include <errand/errand.hpp>
#include <fstream>
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
  std::optional<errand::Lock::Guard> held = lock.try_acquire();
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

Coro<> attempts(Primitives& all) {
  const auto attempt = [&all] { return wait_for_event(all); };
  co_await errand::retry(attempt);
}

void add_waits(App& app, Primitives& all) {
  all.full.try_put(1);
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
  app.add_task([&app]() -> Coro<> { co_await errand::wait_any(app.get_task("sleeper"), app.get_task("put")); });
  app.add_task(stubborn(all), "stubborn");
  app.add_task([&app]() -> Coro<> { co_await app.cancel_task("stubborn"); });
  app.add_task(wait_for_event(all), "woken");
  app.add_task(read_numbers(all), "generator");
  app.add_task(nested(all), "nested");
  app.add_task(many_branches(all));
  app.add_task(attempts(all), "attempts");
  app.add_task(many_short_branches(all));
  app.add_task(many_members());
  app.add_task(limits_in_each_other(10, all));
  app.add_task(skewed(all.empty), "skewed");
}

std::string table_of(const App& app) {
  std::ostringstream text;
  app.dump_tasks(text);
  return text.str();
}

std::string names_of_kinds() {
  using errand::detail::Kind;
  std::string names;
  for (unsigned i = 0; i <= static_cast<unsigned>(Kind::task_group); ++i) {
    names += std::string(errand::detail::name_of(static_cast<Kind>(i))) + "\n";
  }
  return names;
}

/// Here the threads of the workers meet, each of them inside a step that does not end.
class Meeting {
 public:
  explicit Meeting(std::string file) : file_(std::move(file)) {}

  /// Called before the workers meet, for an App that does not run.
  void add_idle(const App& app) {
    text_ += "App '" + errand::detail::printable(app.name()) + "', not running\n" + table_of(app) + "\n";
  }
  /// Called inside a step of each worker. The last one writes the file, and hangs where the debugger stops it.
  void join(const App& worker);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::string file_;
  std::string text_;
  std::string tables_[workers];
  unsigned there_ = 0;
};

}  // namespace

volatile bool is_hanging = true;

[[gnu::noinline]] void hang() {
  while (is_hanging) std::this_thread::sleep_for(10ms);
}

namespace {

void Meeting::join(const App& worker) {
  std::unique_lock lock(mutex_);
  tables_[worker.worker()] = table_of(worker);
  if (++there_ < workers) {
    changed_.wait(lock, [this] { return there_ == workers; });
    return;
  }
  for (unsigned i = 0; i < workers; ++i) {
    text_ += (i > 0 ? "\nApp 'busy', worker " : "App 'busy', worker ") + std::to_string(i) + ", running\n" + tables_[i];
  }
  std::ofstream(file_) << text_;
  std::ofstream(file_ + ".kinds") << names_of_kinds();
  hang();
  changed_.notify_all();
}

Coro<> never_ends(App& app, Meeting& meeting) {
  co_await errand::sleep(1ms);
  app.add_task(sleep_long(), "not started");
  app.get_task("stubborn").cancel();
  app.get_task("woken").cancel();
  meeting.join(app);
  app.stop();
}

}  // namespace

int main(int, char** arguments) {
  Meeting meeting(arguments[1]);

  errand::ManualClock clock(errand::ManualClock::held);
  App polled("polled", {.clock = &clock});
  polled.add_task(sleep_long(), "sleeper");
  errand::run_ready(polled);
  clock.advance(12500ms);
  meeting.add_idle(polled);

  App idle("two\nlines");
  idle.add_task(sleep_long(), "waits for its run");
  meeting.add_idle(idle);

  std::optional<App> gone(std::in_place, "gone");
  const auto kept = gone->add_task(sleep_long());  // keeps the loop after the App has ended
  gone.reset();

  App busy("busy");
  busy.before_server_start([&meeting](App& app) {
    auto& all = app.ctx().emplace<Primitives>();
    add_waits(app, all);
    app.add_task(never_ends(app, meeting), "busy");
  });
  busy.run({.workers = workers});
}
