// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support.hpp"

// Helpers that the tests of several combinators use.
namespace support {

/// Awaits `awaitable`, and logs "done" or the error that it throws.
template <class A>
Coro<> end_of(A awaitable, Log& log) {
  try {
    (void)co_await std::move(awaitable);
    log("done");
  } catch (const Cancelled& e) {
    log("Cancelled", e.reason());
  } catch (const TaskCancelled& e) {
    log(e);
  } catch (const TimeoutError& e) {
    log(e);
  } catch (const InvalidState& e) {
    log(e);
  } catch (const std::exception& e) {
    log(e.what());
  }
}

/// Sleeps until it is asked to end, and then cleans up for the time `cleanup`.
inline Coro<> tidy(Log& log, std::string name, std::chrono::nanoseconds cleanup) {
  std::optional<Cancelled> asked;
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled& e) {
    asked = e;
    log(name, "asked", e.reason());
  }
  if (!asked) co_return;
  try {
    co_await errand::sleep(cleanup);
    log(name, "cleaned");
  } catch (const Cancelled& e) {
    log(name, "interrupted", e.reason());
  }
  throw *asked;
}

template <class T, class... Ts>
std::vector<T> vector_of(T first, Ts... rest) {
  std::vector<T> all;
  all.push_back(std::move(first));
  (all.push_back(std::move(rest)), ...);
  return all;
}

}  // namespace support

using support::end_of;
using support::tidy;
using support::vector_of;
