// SPDX-License-Identifier: MIT
// How long tasks live, and which objects they may use. The program is also run under AddressSanitizer.
#include <errand/errand.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct Session {
  std::string user;
};

errand::Coro<> save(std::string text) {
  co_await errand::sleep(1s);
  std::cout << "saved " << text << '\n';
}

errand::Coro<> count_lines(std::string file, std::size_t& sum) {
  co_await errand::sleep(1s);
  sum += file.size();
}

errand::Coro<> right(errand::App& app) {
  std::string report = "the report";
  const auto session = std::make_shared<Session>(Session{"Ada"});
  // [right]
  app.add_task(save(std::move(report)));                                          // the coroutine owns its parameter
  app.add_task([session]() -> errand::Coro<> { co_await save(session->user); });  // the App keeps the lambda

  std::size_t lines = 0;
  co_await errand::gather(count_lines("a.txt", lines), count_lines("b.txt", lines));
  // [right]
  std::cout << lines << " lines\n";
}

// [sensor]
class Sensor {
 public:
  explicit Sensor(errand::App& app) : tasks_(app) { tasks_.add(measure()); }
  errand::Coro<> close() { return tasks_.close("the sensor is closed"); }

 private:
  errand::Coro<> measure();  // uses readings_

  std::vector<int> readings_;
  errand::TaskScope tasks_;  // the last member: its tasks end before readings_ is destroyed
};
// [sensor]

errand::Coro<> Sensor::measure() {
  try {
    while (true) {
      readings_.push_back(20);
      co_await errand::sleep(1s);
    }
  } catch (const errand::Cancelled& cancelled) {
    std::cout << readings_.size() << " readings: " << cancelled.reason() << '\n';
    throw;
  }
}

errand::Coro<> sensors(errand::App& app) {
  Sensor closed(app);
  const auto dropped = std::make_unique<Sensor>(app);
  co_await errand::sleep(2500ms);
  co_await closed.close();
}

// [cache]
class Cache {
 public:
  explicit Cache(errand::App& app) : tasks_(app) {}
  errand::Task<std::string> get(std::string key) { return tasks_.add(fetch(std::move(key))); }

 private:
  errand::Coro<std::string> fetch(std::string key);  // uses values_

  std::map<std::string, std::string> values_;
  errand::TaskScope tasks_;
};

errand::Coro<> handle(Cache& cache) {
  try {
    const std::string value = co_await cache.get("title");
    std::cout << "found " << value << '\n';
  } catch (const errand::TaskCancelled&) {  // the scope has aborted the task
    std::cout << "the cache is gone\n";
  }
}
// [cache]

errand::Coro<std::string> Cache::fetch(std::string key) {
  std::string& value = values_[key];
  co_await errand::sleep(1s);
  value = "the " + key;
  co_return value;
}

errand::Coro<> caches(errand::App& app) {
  auto cache = std::make_unique<Cache>(app);
  co_await handle(*cache);
  auto handling = app.add_task(handle(*cache));
  co_await errand::sleep(500ms);
  cache.reset();
  co_await handling;
}

struct Progress {
  int percent = 0;
};

errand::Coro<> draw(const Progress& progress) {
  auto interval = errand::every(1s);
  while (true) {
    co_await interval.tick();
    std::cout << progress.percent << " %\n";
  }
}

errand::Coro<> download(Progress& progress) {
  for (; progress.percent < 100; progress.percent += 50) co_await errand::sleep(900ms);
  throw std::runtime_error("the disk is full");
}

errand::Coro<> local(errand::App& app) {
  // [local]
  Progress progress;
  errand::ScopedTask drawing{app.add_task(draw(progress))};  // not: app.add_task(draw(progress));
  co_await download(progress);                               // if it throws, drawing ends before progress is destroyed
  // [local]
}

errand::Coro<> locals(errand::App& app) {
  try {
    co_await local(app);
  } catch (const std::runtime_error& error) {
    std::cout << error.what() << '\n';
  }
  co_await errand::sleep(5s);  // nothing is drawn meanwhile
}

int add_up(const std::vector<int>& numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0); }

errand::Coro<> threads(errand::App&) {
  const std::vector<int> numbers(1000, 1);
  // [thread]
  int sum = co_await errand::to_thread([&] { return add_up(numbers); });  // right: this waits for the call
  sum += co_await errand::to_thread(errand::abandon, add_up, numbers);    // gets copies; not (abandon, [&] { … })
  auto answer = errand::Future<int>::shared();
  std::thread([answer, numbers] { answer.set_result(add_up(numbers)); }).detach();  // has copies; not [&]
  sum += co_await answer;
  // [thread]
  std::cout << "sum " << sum << '\n';
}

errand::Coro<> produce(errand::Queue<int>& readings) {
  co_await errand::sleep(1min);
  co_await readings.put(20);
}

// [main]
errand::Coro<int> first_reading(errand::App& app) {
  errand::Queue<int> readings;
  errand::TaskScope tasks(app);                             // declared after the queue that its tasks use
  tasks.add(produce(readings));                             // not app.add_task(…)
  co_return co_await errand::wait_for(readings.get(), 5s);  // on TimeoutError the tasks end first, then the queue
}
// [main]

void give_up(errand::App& app) {
  try {
    const int first = app.run(first_reading(app));
    std::cout << "first " << first << '\n';
  } catch (const errand::TimeoutError&) {
    std::cout << "no reading\n";
  }
}

errand::Coro<> serve_client(std::string name) {
  const auto talk = []() -> errand::Coro<> { co_await errand::sleep(24h); };
  const auto say_goodbye = [&]() -> errand::Coro<> {
    co_await errand::sleep(1s);
    std::cout << "goodbye, " << name << '\n';
  };
  co_await errand::finally(talk, say_goodbye);
}

errand::Coro<> accept_all(errand::TaskScope& clients) {
  for (const char* name : {"Ada", "Grace"}) clients.add(serve_client(name));
  co_await errand::sleep(24h);
}

// [server]
errand::Coro<> serve(errand::App& app) {
  errand::TaskScope clients(app);
  co_await errand::finally(accept_all(clients), clients.close());  // not only accept_all(clients)
}
// [server]

void stop(errand::App& app) {
  app.add_task(serve(app), "serve");
  app.call_later(1min, [&app] { app.stop(); });
  app.run();
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("MyApp", {.clock = &clock});
  for (const auto part : {right, sensors, caches, locals, threads}) app.run(part(app));
  give_up(app);
  stop(app);
}
