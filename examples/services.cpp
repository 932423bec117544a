// SPDX-License-Identifier: MIT
// A supervisor: keeps services running, starts those that depend on another when it is ready, gives up on one that
// fails again and again, and stops them all in the end.
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

void log(const std::string& text) { std::cout << errand::now().time_since_epoch() / 1s << " s: " << text << '\n'; }

using Ready = errand::Watch<bool>;

errand::Coro<> database(Ready& ready) {
  log("database starts");
  co_await errand::sleep(2s);
  ready.set(true);
  const auto serve = []() -> errand::Coro<> {
    co_await errand::sleep(10s);
    throw std::runtime_error("out of memory");
  };
  const auto down = [&] { ready.set(false); };
  co_await errand::finally(serve, down);
}

errand::Coro<> web(Ready& database) {
  while (true) {
    co_await database.wait([](bool ready) { return ready; });
    log("web serves");
    co_await database.wait([](bool ready) { return !ready; });
    log("web pauses");
  }
}

errand::Coro<> mail() {
  log("mail starts");
  throw std::runtime_error("wrong password");
  co_return;
}

errand::Coro<> run(errand::App& app) {
  Ready ready(false);
  errand::TaskScope services(app);
  services.add(errand::supervise([&] { return database(ready); }, {.first = 1s, .most = 5s}), "database");
  services.add(errand::supervise([&] { return web(ready); }), "web");
  services.add(errand::supervise(mail, {.first = 1s, .attempts = 3}), "mail");
  co_await errand::sleep(20s);
  app.dump_tasks(std::cout);
  co_await services.close("the end");
  for (const errand::Task<>& task : app.tasks()) {
    const std::string note = task.note();
    std::cout << task.name() << ": " << task.status() << (note.empty() ? "" : ", " + note) << '\n';
  }
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("services", {.clock = &clock, .on_failure = [](const errand::TaskFailure& failure) {
                                 log(failure.name() + " failed: " + failure.what());
                               }});
  app.run(run(app));
}
