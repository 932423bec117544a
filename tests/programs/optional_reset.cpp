// SPDX-License-Identifier: MIT
// A compiler bug, shown without errand: Clang 16 and 19 have it from -O2 on, Clang 14 and GCC 12 do not. An optional
// that a coroutine has reset between two suspensions is destroyed again, and so is the object beside it. The optimizer
// finds that the flag of the optional equals the result of an earlier suspension (0 if the coroutine was resumed, 1 if
// it was destroyed). So it reads this result in place of the flag, and does not keep the flag across the next
// suspension.
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
