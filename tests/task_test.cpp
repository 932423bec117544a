// SPDX-License-Identifier: MIT
#include "support.hpp"

APP_TEST("a done-callback that is cancelled lets go of its task, whose failure nobody can look at any more") {
  auto t = add(bad(0s, "lost"));
  auto call = t.add_done_callback([&](const Task<>&) { log("called"); });
  add([&] {
    log(t.status(), call.cancel());
    t = {};
    log(reports.size());
  });
  co_await errand::yield();
  co_await errand::yield();
  expect("failed true ; 1", {"lost"});
}
