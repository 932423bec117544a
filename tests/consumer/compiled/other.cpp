// SPDX-License-Identifier: MIT
// A second file of a user's program. If a function that stands in the library were defined here too, or in no place,
// the program would not link. It uses what few programs do, because each of these functions must be in the library.
#include <chrono>
#include <errand/errand.hpp>
#include <sstream>

namespace {

using namespace std::chrono_literals;

errand::Coro<> rest() { co_await errand::sleep(1h); }

errand::Coro<> wait_for_signal(errand::App& app) {
  const errand::Signal signal = co_await app.event("other.file.signal");
  (void)signal;
}

errand::Coro<> use(errand::App& app) {
  const auto body = [](errand::TaskGroup& group) -> errand::Coro<> {
    group.add(errand::finally(rest(), [] {}));
    group.cancel("enough");
    co_return;
  };
  co_await errand::TaskGroup::run(body);
  errand::TaskScope scope(app);
  scope.add(wait_for_signal(app), "waits");
  co_await errand::yield();
  std::ostringstream table;
  app.dump_tasks(table);
  co_await app.dispatch("other.file.signal");
  co_await scope.close();
  co_await errand::to_thread([] { return 1; });
  co_await app.shutdown_tasks(1s);
}

// Called before `main`.
const bool is_used = [] {
  errand::App app("other");
  app.before_server_start([] {});
  app.add_signal("other.file.<name>", [](const errand::Signal&) {});
  app.run(use(app), {.workers = 2});
  return true;
}();

}  // namespace
