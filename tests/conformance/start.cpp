// SPDX-License-Identifier: MIT
// Start, order and names: section 1.
#include "support.hpp"

APP_TEST("A01 tasks start first in, first out, never inside add_task") {
  for (int i = 0; i < 3; ++i) add(nap("t" + std::to_string(i), 0s));
  log("main after create");
  co_await errand::yield();
  log("main after yield");
  co_await errand::yield();
  log("main 2");
  co_await errand::yield();
  log("main 3");
  expect(
      "main after create ; t0 start ; t1 start ; t2 start ; main after yield ; t0 end ; t1 end ; t2 end ; main 2 ; "
      "main 3");
}
