// SPDX-License-Identifier: MIT
#include <memory>
#include <type_traits>

#include "support.hpp"

using errand::ScopedTask;
using errand::wait_all;

static_assert(!std::is_copy_constructible_v<ScopedTask<int>> && std::is_nothrow_move_constructible_v<ScopedTask<int>>);

APP_TEST("leaving the scope asks the task to end, and does not wait for its clean-up") {
  Task<int> task;
  {
    const ScopedTask scoped{add(nap("a", 1h))};
    task = scoped.get();
    co_await errand::yield();
    co_await errand::yield();
  }
  log("left", task.status(), task.cancelling());
  co_await wait_all(task);
  log(task.status());
  expect("a start ; left pending 1 ; a cancelled ; cancelled");
}

APP_TEST("an exception that leaves the scope asks too, and so does the cancellation of who holds it") {
  Task<int> first, second;
  try {
    const ScopedTask scoped{first = add(after(1h))};
    throw runtime_error("thrown");
  } catch (const runtime_error& e) {
    log(e, first.cancelling());
  }
  auto holder = add([&]() -> Coro<> {
    const ScopedTask scoped{second = add(after(1h))};
    co_await errand::sleep(1h);
  });
  later(1s, [&] { holder.cancel(); });
  co_await wait_all(first, holder);
  co_await wait_all(second);
  log(first.status(), second.status(), now());
  expect("thrown 1 ; cancelled cancelled 1");
}

APP_TEST("abort of who holds it asks the task to end, which cleans up") {
  auto holder = add([this]() -> Coro<> {
    const ScopedTask scoped{add(nap("held", 1h))};
    co_await errand::sleep(1h);
  });
  co_await errand::sleep(1s);
  holder.abort();
  co_await errand::sleep(1s);
  expect("held start ; held cancelled");
}

APP_TEST("what is detached runs on, and a task that is done stays as it is") {
  Task<int> detached, done;
  {
    ScopedTask scoped{add(after(5s, 1))};
    detached = scoped.detach();
    log(bool(scoped.get()), bool(scoped.detach()));
    const ScopedTask of_done{done = add(after(1s, 2))};
    co_await of_done.get();
    const ScopedTask<int> empty;
    log(bool(empty.get()));
  }
  log(done.result(), done.cancelling());
  log(co_await detached);
  expect("false false ; false ; 2 0 ; 1");
}

APP_TEST("it can be moved: only the last one asks, and assignment asks the task that it had") {
  const auto a = add(after(1h));
  const auto b = add(after(1h));
  {
    std::vector<ScopedTask<int>> all;
    {
      ScopedTask first{a};
      all.push_back(std::move(first));
      log(bool(first.get()));
    }
    all.emplace_back(b);
    log(a.cancelling(), b.cancelling());
    all[0] = std::move(all[1]);
    log(a.cancelling(), b.cancelling(), all[0].get() == b, bool(all[1].get()));
    all[0] = {};
    log(b.cancelling());
  }
  log(a.cancelling(), b.cancelling());
  co_await wait_all(a, b);
  expect("false ; 0 0 ; 1 0 true false ; 1 ; 1 1");
}

APP_TEST("the task is reached through it") {
  ScopedTask<void> scoped{add(nap("a", 1h), "name")};
  const auto& constant = scoped;
  log(constant->name(), constant->status(), scoped->cancel("why"));
  co_await wait_all(scoped.get());
  log(scoped->status(), scoped->cancelling());
  expect("name pending true ; cancelled 1");
}

APP_TEST("a task that holds itself ends as it would") {
  ScopedTask<int> own;
  auto t = add([&own, this]() -> Coro<int> {
    const ScopedTask self(std::move(own));
    co_await errand::sleep(1s);
    log("over");
    co_return 7;
  });
  own = ScopedTask(t);
  log(co_await t);
  expect("over ; 7");
}

PLAIN_TEST("one that outlives the App, or is destroyed with it, does nothing more") {
  ScopedTask<int> outlives;
  Task<> holder;
  {
    App own;
    outlives = ScopedTask{own.add_task(nap("never", 1h))};
    holder = own.add_task([this, &own]() -> Coro<> {
      const ScopedTask scoped{own.add_task(nap("held", 1h))};
      co_await errand::sleep(1h);
    });
    ScopedTask{own.add_task(nap("unstarted", 1s))};
    own.poll();
    own.poll();
    log.clear();
  }
  log(outlives->status(), holder.status());
  expect("cancelled cancelled");
}
