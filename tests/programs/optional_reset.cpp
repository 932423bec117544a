// SPDX-License-Identifier: MIT
// A fault of compilers, without errand: seen with Clang 16 and 19 from -O2 on, not with Clang 14 nor GCC 12. An
// optional that a coroutine has reset between two suspensions is destroyed again, and so is what stands beside it. The
// optimiser finds that the optional's flag equals the result of an earlier suspension (0 where that was resumed, 1
// where it was destroyed), takes that in its place, and does not keep it across the next one.
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

namespace {

struct Coroutine {
  struct promise_type {
    Coroutine get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::abort(); }
  };
  std::coroutine_handle<promise_type> handle;
};

struct Guard {
  explicit Guard(int& count) : held(count) {}
  ~Guard() { --held; }
  int& held;
};

struct Item {
  explicit Item(int its_number) : number(its_number) {}
  Item(Item&& other) noexcept : number(other.number) { other.number = 0; }
  ~Item() {
    if (number > 0) std::puts("an item goes");
  }
  int number;
};

Coroutine reset_between(int& held) {
  std::optional<Guard> guard(std::in_place, held);
  std::vector<Item> items;
  for (int i = 1; i < 4; ++i) items.emplace_back(i);
  co_await std::suspend_always();
  guard.reset();
  co_await std::suspend_always();
}

}  // namespace

int main() {
  int held = 1;
  const Coroutine coroutine = reset_between(held);
  for (int i = 0; i < 3; ++i) coroutine.handle.resume();
  coroutine.handle.destroy();
  return held == 0 ? 0 : 1;
}
