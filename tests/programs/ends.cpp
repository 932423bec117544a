// SPDX-License-Identifier: MIT
// Programs that must end at once, with a message if the library can print one. Usage: ends CASE.
#include <cstdio>
#include <cstring>
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <memory>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;
using errand::App;
using errand::Coro;

namespace {

void destroyed_by_a_task() {
  auto app = std::make_unique<App>("mine");
  app->add_task([&app]() -> Coro<> {
    co_await errand::yield();
    app = nullptr;
  });
  app->run();
}

void destroyed_by_a_callback_in_poll() {
  auto app = std::make_unique<App>("mine");
  app->call_soon([&app] { app = nullptr; });
  while (app->poll()) {
  }
}

/// The App is owned by a local variable of one of its tasks.
void destroyed_by_an_abort() {
  auto app = std::make_unique<App>("mine");
  const auto keeps = [](std::unique_ptr<App>& its_app) -> Coro<> {
    std::unique_ptr<App> own;
    co_await errand::yield();
    own = std::move(its_app);
    co_await errand::sleep(1h);
  };
  auto task = app->add_task(keeps(app));
  while (app) app->poll();
  task.abort();
}

void destroyed_by_another_thread() {
  auto app = std::make_unique<App>("mine");
  std::thread thread([&app] { app->run({.keep_alive = true}); });
  while (!app->running()) std::this_thread::sleep_for(1ms);
  app = nullptr;
  thread.join();
}

Coro<> sleep_long() { co_await errand::sleep(1h); }
template <class Scope>
void scope_destroyed_by_another_thread(Scope scope) {
  App app("mine");
  app.run([](Scope make) -> Coro<> {
    auto made = make();
    co_await errand::yield();
    std::thread([&made] { made.reset(); }).join();
  }(scope));
}
void task_scope_destroyed_by_another_thread() {
  scope_destroyed_by_another_thread([] {
    auto scope = std::make_unique<errand::TaskScope>();
    scope->add(sleep_long());
    return scope;
  });
}
void scoped_task_destroyed_by_another_thread() {
  scope_destroyed_by_another_thread(
      [] { return std::make_unique<errand::ScopedTask<>>(errand::create_task(sleep_long())); });
}

struct Throws {
  ~Throws() noexcept(false) {
    if (armed) throw std::runtime_error("a destructor that throws");
  }
  bool armed = false;
};
void descriptor_closed_by_another_thread() {
  errand::PosixReactor reactor;
  App app("mine", {.reactor = &reactor});
  int ends[2];
  if (::pipe(ends) != 0) return;
  errand::Descriptor out = ends[0], in = ends[1];
  app.add_task([&]() -> Coro<> { co_await errand::readable(out); });
  app.add_task([&]() -> Coro<> {
    co_await errand::yield();
    std::thread([&] { out = errand::Descriptor(); }).join();
  });
  app.run();
}

void destructor_of_a_callable_throws() {
  App app("mine");
  app.call_soon([throws = std::make_unique<Throws>()] { throws->armed = true; });
  app.run();
}
constexpr struct {
  const char* name;
  void (*run)();
} all[] = {
    {"destroyed_by_a_task", &destroyed_by_a_task},
    {"destroyed_by_a_callback_in_poll", &destroyed_by_a_callback_in_poll},
    {"destroyed_by_an_abort", &destroyed_by_an_abort},
    {"destroyed_by_another_thread", &destroyed_by_another_thread},
    {"task_scope_destroyed_by_another_thread", &task_scope_destroyed_by_another_thread},
    {"scoped_task_destroyed_by_another_thread", &scoped_task_destroyed_by_another_thread},
    {"descriptor_closed_by_another_thread", &descriptor_closed_by_another_thread},
    {"destructor_of_a_callable_throws", &destructor_of_a_callable_throws},
};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& one : all) {
    if (argc > 1 && std::strcmp(argv[1], one.name) == 0) one.run();
  }
  std::puts("went on");
}
