// SPDX-License-Identifier: MIT
// Conformance cases about misuse that is an error at once. Test names begin with the ids of the cases. Misuse that must
// not compile is tested in tests/compile_fail.
#include <memory>
#include <type_traits>

#include "support.hpp"

APP_TEST("H34 a Coro cannot be copied, and one that was given away cannot be awaited") {
  static_assert(!std::is_copy_constructible_v<Coro<>> && !std::is_copy_assignable_v<Coro<>>);
  auto work = [this]() -> Coro<> {
    log("ran");
    co_return;
  };
  auto coro = work();
  auto task = add(std::move(coro));
  try {
    co_await std::move(coro);
  } catch (const InvalidState& error) {
    log(error);
  }
  co_await task;
  expect("InvalidState ; ran");
}

PLAIN_TEST("H33 a Coro that is dropped never runs, and its frame and arguments are destroyed") {
  auto work = [this](std::shared_ptr<int> argument) -> Coro<> {
    log("ran", *argument);
    co_return;
  };
  const auto argument = std::make_shared<int>(1);
  {
    const auto coro = work(argument);
    CHECK(argument.use_count() == 2);
  }
  CHECK(argument.use_count() == 1);
  (void)work(argument);
  CHECK(argument.use_count() == 1);
  expect("");
}
