// SPDX-License-Identifier: MIT
#include "shared.hpp"

std::string name_of_current_app() { return errand::App::current().name(); }

errand::Coro<int> count_down(int from) {
  co_await errand::yield();
  if (from == 0) co_return 0;
  const int rest = co_await count_down(from - 1);
  co_return rest + 1;
}

errand::Task<int> add_named(errand::App& app, const std::string& name) { return app.add_task(count_down(5), name); }

errand::Coro<> time_out() {
  co_await errand::wait_for(errand::sleep(std::chrono::hours(1)), std::chrono::milliseconds(1));
}

errand::Coro<> sleep_for_ever() { co_await errand::sleep(std::chrono::nanoseconds::max()); }

errand::Coro<> throw_not_found(errand::App& app) { co_await app.cancel_task("nobody"); }
