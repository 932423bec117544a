// SPDX-License-Identifier: MIT
// How a task is asked to end, what it sees of that, and what it may do before it ends.
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace {

class File {
 public:
  explicit File(std::string name) : name_(std::move(name)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { std::cout << name_ << " is closed\n"; }

 private:
  std::string name_;
};

errand::Coro<> read_some(File&) { co_await errand::sleep(1min); }

// [seen]
errand::Coro<> download() {
  File file("page.html");
  try {
    while (true) co_await read_some(file);
  } catch (const errand::Cancelled& cancelled) {
    std::cout << "asked to end: " << cancelled.reason() << '\n';
    throw;  // without this, the task would go on behind the block
  }
}
// [seen]

errand::Coro<> seen(errand::App& app) {
  // [seen]
  app.add_task(download(), "download");
  co_await errand::sleep(10s);
  const bool cancelled = co_await app.cancel_task("download", "the user has left");
  std::cout << (cancelled ? "it was cancelled\n" : "it ended in another way\n");
  // [seen]
}

// [completed]
errand::Coro<> serve(errand::Queue<int>& orders) {
  const int order = co_await orders.get();
  std::cout << "order " << order << " is not lost\n";
  co_await errand::sleep(1s);  // the next await that would have to wait: Cancelled is thrown here
}
// [completed]

errand::Coro<> completed(errand::App& app) {
  // [completed]
  errand::Queue<int> orders;
  errand::ScopedTask serving{app.add_task(serve(orders))};
  co_await errand::yield();  // serve waits for an order now
  orders.try_put(17);        // the order belongs to serve from here on, though serve has not resumed yet
  const bool cancelled = co_await serving.close("closing time");
  std::cout << (cancelled ? "and serve was cancelled\n" : "and serve ended in another way\n");
  // [completed]
}

// [clean_up]
errand::Coro<> session() {
  const auto talk = []() -> errand::Coro<> { co_await errand::sleep(24h); };
  const auto say_goodbye = []() -> errand::Coro<> {
    co_await errand::sleep(1s);  // a further request does not interrupt this
    std::cout << "said goodbye\n";
  };
  co_await errand::finally(talk, say_goodbye);
}
// [clean_up]

errand::Coro<> clean_up(errand::App& app) {
  auto task = app.add_task(session());
  co_await errand::yield();
  task.cancel();
  co_await errand::yield();
  task.cancel("now, please");
  co_await errand::wait_all(task);
}

// [failing]
errand::Coro<> upload() {
  const auto send = []() -> errand::Coro<> { co_await errand::sleep(24h); };
  const auto delete_copy = [] { throw std::runtime_error("cannot delete the copy"); };
  co_await errand::finally(send, delete_copy);
}
// [failing]

errand::Coro<> failing(errand::App& app) {
  // [failing]
  errand::Task<> task = app.add_task(upload(), "upload");
  co_await errand::yield();
  try {
    co_await app.cancel_task("upload");
  } catch (const std::runtime_error& error) {
    std::cout << to_string(task.status()) << ": " << error.what() << '\n';  // prints "failed: cannot delete the copy"
  }
  // [failing]
  std::cout << "requests: " << task.cancelling() << '\n';
}

errand::Coro<> absent(errand::App& app) {
  // [absent]
  if (errand::Task<> task = app.find_task("report")) task.cancel("no longer needed");

  try {
    co_await app.cancel_task("report", "no longer needed");
  } catch (const errand::TaskNotFound& error) {
    std::cout << error.what() << '\n';
  }
  // [absent]
}

// [again]
errand::Coro<> by_hand() {
  try {
    co_await errand::sleep(24h);
  } catch (const errand::Cancelled&) {  // the first request
  }
  co_await errand::sleep(2s);  // the second request is thrown here
  std::cout << "never printed\n";
}

errand::Coro<> by_finally() {
  const auto work = []() -> errand::Coro<> { co_await errand::sleep(24h); };
  const auto clean_up = []() -> errand::Coro<> { co_await errand::sleep(2s); };  // the second request waits for its end
  try {
    co_await errand::finally(work, clean_up);
  } catch (const errand::Cancelled&) {  // the first request
  }
  co_await errand::sleep(1s);  // the second request is thrown here
  std::cout << "never printed\n";
}
// [again]

errand::Coro<> again(errand::App& app) {
  for (auto work : {by_hand, by_finally}) {
    auto task = app.add_task(work());
    co_await errand::yield();
    const auto begin = app.now();
    task.cancel("first");
    co_await errand::sleep(1s);
    task.cancel("second");
    co_await errand::wait_all(task);
    std::cout << (app.now() - begin) / 1s << " s: " << to_string(task.status()) << '\n';
  }
}

errand::Coro<> save_every_hour() {
  while (true) {
    // [go_on]
    try {
      co_await errand::sleep(1h);
    } catch (const errand::Cancelled& cancelled) {
      if (cancelled.reason() != "save now") throw;
      errand::current_task().uncancel();  // takes the request back: this task goes on
    }
    std::cout << "saved\n";
    // [go_on]
  }
}

errand::Coro<> go_on(errand::App& app) {
  auto saving = app.add_task(save_every_hour(), "save");
  co_await errand::sleep(1min);
  saving.cancel("save now");
  co_await errand::sleep(1min);
  co_await app.cancel_task("save");
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("MyApp", {.clock = &clock});
  for (const auto part : {seen, completed, clean_up, failing, absent, again, go_on}) app.run(part(app));
}
