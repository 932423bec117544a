// SPDX-License-Identifier: MIT
// A compiler bug, shown without errand: Clang 14 and 19 have it at -O0, GCC 12 and Clang with optimisation do not. If
// the copy of an argument into the frame of a coroutine throws, the frame is freed, and then the address of the
// exception is read from the frame. AddressSanitizer reports that.
#include <coroutine>
#include <exception>
#include <stdexcept>

namespace {

struct Coroutine {
  struct promise_type {
    Coroutine get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept {}
  };
  std::coroutine_handle<promise_type> handle;
};

struct Argument {
  explicit Argument(bool copies_throw) : throws(copies_throw) {}
  Argument(const Argument& other) : throws(true) {
    if (other.throws) throw std::runtime_error("no copy");
  }
  ~Argument() { throws = false; }
  bool throws;
};

void fail() { throw std::runtime_error("failed"); }

Coroutine keep_error(Argument) {
  std::exception_ptr error;
  try {
    fail();
  } catch (...) {
    error = std::current_exception();
  }
  co_await std::suspend_always();
  if (error) std::rethrow_exception(error);
}

}  // namespace

int main() {
  const Argument argument(false);
  try {
    keep_error(argument).handle.destroy();  // copied for the call, and then again into the frame
  } catch (const std::runtime_error&) {
  }
}
