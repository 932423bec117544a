// SPDX-License-Identifier: MIT
// Things that tasks can wait for, and ways to wait for several of them at once.
#include <errand/errand.hpp>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;

namespace {

errand::Coro<std::string> fetch(std::string what) {
  co_await errand::sleep(std::chrono::seconds(what.size()));
  co_return what;
}

errand::Coro<> owned(errand::App& app) {
  // [owned]
  try {
    co_await errand::wait_for(fetch("a coroutine"), 1s);
  } catch (const errand::TimeoutError&) {
    std::cout << "it was owned: it is cancelled, and its clean-up is over\n";
  }

  errand::Task<std::string> task = app.add_task(fetch("a task"));
  try {
    co_await errand::wait_for(task, 1s);
  } catch (const errand::TimeoutError&) {
    std::cout << "it was observed: it runs on\n";
  }
  // [owned]
  std::cout << co_await task << '\n';
}

errand::Coro<> many(errand::App& app) {
  // [many]
  auto [user, orders] = co_await errand::gather(fetch("user"), fetch("orders"));  // all results, or the first failure
  auto first = co_await errand::race(fetch("primary"), fetch("mirror"));          // the first; the other is cancelled

  std::vector<errand::Task<std::string>> tasks;
  for (const char* name : {"ccc", "a", "bb"}) tasks.push_back(app.add_task(fetch(name)));
  auto [done, pending] = co_await errand::wait_any(tasks);  // observes the tasks, which run on
  auto completed = errand::as_completed(tasks);
  while (auto task = co_await completed.next()) std::cout << task->result() << '\n';  // prints a, bb, ccc
  // [many]
  std::cout << user << ' ' << orders << ' ' << first.index() << ' ' << done.size() << ' ' << pending.size() << '\n';
}

errand::Coro<int> count() {
  co_await errand::sleep(3s);
  co_return 3;
}

errand::Coro<> race(errand::App&) {
  // [race]
  auto either = co_await errand::race(fetch("text"), count());  // value() is a std::variant<std::string, int>
  if (const int* number = std::get_if<int>(&either.value())) std::cout << *number << " came first\n";

  auto same = co_await errand::race(fetch("primary"), fetch("mirror"));  // two of one type: take it by the index
  std::cout << (same.index() == 0 ? std::get<0>(same.value()) : std::get<1>(same.value())) << '\n';

  std::vector<errand::Coro<std::string>> mirrors;
  for (const char* name : {"one", "two", "three"}) mirrors.push_back(fetch(name));
  auto of_vector = co_await errand::race(std::move(mirrors));  // of a vector, value() is a std::string
  std::cout << of_vector.value() << " is the number " << of_vector.index() << '\n';
  // [race]
}

errand::Coro<> many_items(errand::App&) {
  // [items]
  const std::vector<std::string> names = {"one", "two", "three", "four"};
  const auto pages = co_await errand::gather(names, fetch, 2);  // two at once; the results in the order of the names
  std::cout << pages.size() << " pages, the last one is " << pages.back() << '\n';
  // [items]
}

// [idle]
errand::Coro<> echo(errand::Queue<std::string>& lines) {
  errand::Timeout idle(30s);
  try {
    while (true) {
      std::cout << co_await errand::wait_for(lines.get(), idle) << '\n';
      idle.reset();  // another task may do this too, during the wait
    }
  } catch (const errand::TimeoutError&) {
    std::cout << "silent for 30 s\n";
  }
}
// [idle]

errand::Coro<> attempts(errand::App&) {
  errand::Queue<std::string> lines;
  co_await lines.put("hello");
  co_await echo(lines);
  int calls = 0;
  // [attempts]
  auto connect = [&]() -> errand::Coro<std::string> {
    if (++calls < 3) throw std::runtime_error("connection refused");
    co_return "connected";
  };
  std::cout << co_await errand::retry(connect, {.first = 1s, .attempts = 5}) << '\n';  // waits 1 s, then 2 s, …

  if (const auto page = co_await errand::move_on_after(fetch("a slow page"), 2s)) std::cout << *page << '\n';
  const auto outcome = co_await errand::settled(errand::wait_for(fetch("a slow page"), 2s));  // does not throw
  if (outcome.failed()) std::cout << "no page\n";
  // [attempts]
}

errand::Coro<> group(errand::App&) {
  // [group]
  std::vector<std::string> names = {"one", "two", "three"};
  co_await errand::TaskGroup::run([&](errand::TaskGroup& members) -> errand::Coro<> {
    for (const std::string& name : names) members.add(fetch(name), name);
    co_return;
  });
  std::cout << "all members have ended\n";  // if one fails, the others are cancelled, and run throws its error
  // [group]
}

// [queue]
errand::Coro<> consume(errand::Queue<int>& jobs) {
  while (const auto job = co_await jobs.next()) std::cout << "job " << *job << '\n';
  std::cout << "no more jobs\n";  // the queue is closed and empty; get() throws QueueClosed there
}
// [queue]

errand::Coro<> queue(errand::App& app) {
  // [queue]
  errand::Queue<int> jobs(2);                                // put waits while the queue holds two jobs
  errand::ScopedTask consumer{app.add_task(consume(jobs))};  // declared after the queue, so it ends first
  for (int job = 1; job <= 3; ++job) co_await jobs.put(job);
  jobs.close();
  co_await consumer.get();
  // [queue]
}

// [generator]
errand::AsyncGenerator<int> countdown(int from) {
  auto interval = errand::every(1s);
  for (int n = from; n > 0; --n) {
    co_await interval.tick();
    co_yield n;
  }
}
// [generator]

errand::Coro<> generator(errand::App&) {
  // [generator]
  auto numbers = countdown(3);
  while (const auto n = co_await numbers.next()) std::cout << *n << '\n';
  // [generator]
}

errand::Coro<> limits(errand::App&) {
  // [awaitables]
  errand::Queue<int> orders;
  errand::Event closing;
  closing.set();
  const auto decided = co_await errand::race(orders.get(), closing.wait());
  if (decided.index() == 1) std::cout << "closing\n";
  // [awaitables]

  // [limits]
  errand::Semaphore connections(2);
  {
    const auto permit = co_await connections.acquire();  // given back at the end of the scope; acquire(2) takes two
    std::cout << "connected\n";
  }
  // [limits]

  // [lock]
  errand::Lock writing;
  {
    auto guard = co_await writing.acquire();  // until the end of the scope, nobody else gets the lock
    std::cout << "the first half,";
    co_await errand::sleep(1s);  // other tasks run meanwhile
    std::cout << " and the second\n";
  }
  // [lock]
}

// [future]
void ask(int question, std::function<void(int)> callback) {
  errand::App::current().call_later(1s, [question, callback] { callback(2 * question); });
}
// [future]

errand::Coro<> future(errand::App&) {
  // [future]
  const auto answer = std::make_shared<errand::Future<int>>();  // shared, because this task may end before the callback
  ask(21, [answer](int value) { answer->set_result(value); });
  std::cout << co_await *answer << '\n';
  // [future]

  // [setter]
  const auto promised = errand::Future<int>::shared();
  std::thread worker([setter = promised.setter()] { setter.set_result(44); });
  std::cout << co_await promised << '\n';  // throws InvalidState if the last setter goes without setting it
  // [setter]
  worker.join();
}

// [broadcast]
errand::Coro<> listen(errand::Subscription<std::string> news) {
  while (auto item = co_await news.next()) std::cout << "heard " << *item << '\n';
}
// [broadcast]

errand::Coro<> broadcast(errand::App& app) {
  // [broadcast]
  errand::Broadcast<std::string> news;
  auto one = app.add_task(listen(news.subscribe()));
  auto other = app.add_task(listen(news.subscribe(100)));  // if 100 items wait for it, the oldest is lost
  news.send("hello");                                      // a copy for each; never waits
  news.close();                                            // what was sent is still heard
  co_await errand::wait_all(one, other);
  // [broadcast]
}

// [watch]
errand::Coro<> cool(errand::Watch<int>& temperature) {
  const int degrees = co_await temperature.wait([](int now) { return now > 30; });
  std::cout << "cooling at " << degrees << '\n';
}
// [watch]

errand::Coro<> watch(errand::App& app) {
  // [watch]
  errand::Watch<int> temperature(20);
  errand::ScopedTask cooling{app.add_task(cool(temperature))};
  co_await errand::yield();
  temperature.set(31);
  temperature.set(25);  // it gets 31 all the same
  co_await cooling.get();
  // [watch]
}

// [task_local]
errand::TaskLocal<std::string> request_id;

errand::Coro<> log(std::string text) {
  std::cout << *request_id.get() << ": " << text << '\n';
  co_return;
}
// [task_local]

errand::Coro<> task_local(errand::App& app) {
  // [task_local]
  request_id.set("request 1");
  co_await app.add_task(log("accepted"));  // begins with a copy
  // [task_local]
}

errand::Coro<> scoped(errand::App& app) {
  // [scoped]
  {
    errand::ScopedTask heartbeat{app.add_task([]() -> errand::Coro<> { co_await errand::sleep(24h); }, "heartbeat")};
    co_await errand::sleep(1s);
  }  // heartbeat is aborted here; co_await heartbeat.close() would ask it to end, and wait
  // [scoped]
  std::cout << "heartbeat: " << app.get_task("heartbeat").cancelled() << '\n';
}

errand::Coro<> abort_it(errand::App& app) {
  errand::Task<std::string> task = app.add_task(fetch("a long download"));
  co_await errand::yield();
  // [abort]
  task.cancel("please");  // a request: Cancelled is thrown in the task, which may clean up, await meanwhile, or go on
  task.abort("now");      // ends the task at its await: destructors run, nothing else does
  // [abort]
  std::cout << "aborted: " << task.cancelled() << '\n';
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("MyApp", {.clock = &clock});
  for (const auto part : {owned, many, race, many_items, attempts, group, queue, broadcast, watch, task_local,
                          generator, limits, future, scoped, abort_it})
    app.run(part(app));
}
