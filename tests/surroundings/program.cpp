// SPDX-License-Identifier: MIT
// errand in a program and its plug-in, or in two files of a program that were compiled with different settings.
#include <iostream>

#include "shared.hpp"

int wrong = 0;
void expect(bool is_right, int line) {
  if (is_right) return;
  std::cout << "line " << line << '\n';
  ++wrong;
}

template <class Error>
errand::Coro<bool> throws(errand::Coro<> coro) {
  try {
    co_await std::move(coro);
  } catch (const Error&) {
    co_return true;
  }
  co_return false;
}

errand::Coro<> program(errand::App& app) {
  expect(name_of_current_app() == "program", __LINE__);
  const auto [one, other] = co_await errand::gather(count_down(100), count_down(50));
  expect(one + other == 150, __LINE__);
  auto task = add_named(app, "named");
  expect(task == app.get_task<int>("named"), __LINE__);
  const int five = co_await task;
  expect(five == 5, __LINE__);
  const bool times_out = co_await throws<errand::TimeoutError>(time_out());
  const bool finds_nobody = co_await throws<errand::TaskNotFound>(throw_not_found(app));
  expect(times_out && finds_nobody, __LINE__);
  auto sleeper = app.add_task(sleep_for_ever());
  co_await errand::yield();
  sleeper.cancel();
  co_await errand::wait_all(sleeper);
  expect(sleeper.cancelled(), __LINE__);
}

int main() {
  for (int i = 0; i < 3; ++i) {
    errand::App app("program");
    app.run(program(app));
  }
  return wrong > 0;
}
