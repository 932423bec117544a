// SPDX-License-Identifier: MIT
// errand works whatever a program's functions are called and however its types are made. The functions here have the
// same names as errand's, and are found through the program's types. The types can be copied only explicitly, and have
// an operator& and an operator, of their own.
#include <errand/errand.hpp>

#include <any>
#include <iostream>
#include <ranges>
#include <tuple>
#include <utility>
#include <vector>

using namespace std;
using namespace errand;

namespace user {

struct Value {
  Value() = default;
  Value(Value&& other) noexcept : n(exchange(other.n, 0)) {}
  explicit Value(const Value&) = default;
  Value& operator=(Value&&) = default;
  Value& operator=(const Value&) = default;
  int* operator&() = delete;
  const int* operator&() const = delete;
  template <class T>
  friend void operator,(const Value&, T&&) = delete;
  template <class T>
  friend void operator,(T&&, const Value&) = delete;
  int n = 7;
};

// They match as well as the library's own functions. A call without a namespace finds them.
#define ERRAND_TEST_NAME(name)         \
  template <class A>                   \
  void name(A&&) = delete;             \
  template <class A, class B>          \
  void name(A&&, B&&) = delete;        \
  template <class A, class B, class C> \
  void name(A&&, B&&, C&&) = delete
ERRAND_TEST_NAME(add);
ERRAND_TEST_NAME(as_completed);
ERRAND_TEST_NAME(as_coro);
ERRAND_TEST_NAME(as_work);
ERRAND_TEST_NAME(attempt);
ERRAND_TEST_NAME(await_here);
ERRAND_TEST_NAME(await_there);
ERRAND_TEST_NAME(awaiter_of);
ERRAND_TEST_NAME(begin_part);
ERRAND_TEST_NAME(bridge);
ERRAND_TEST_NAME(call);
ERRAND_TEST_NAME(call_here);
ERRAND_TEST_NAME(call_work);
ERRAND_TEST_NAME(copy_for_worker);
ERRAND_TEST_NAME(create_task);
ERRAND_TEST_NAME(enter_task);
ERRAND_TEST_NAME(fill);
ERRAND_TEST_NAME(finally);
ERRAND_TEST_NAME(gather);
ERRAND_TEST_NAME(gather_each);
ERRAND_TEST_NAME(gather_settled);
ERRAND_TEST_NAME(invoke);
ERRAND_TEST_NAME(make_task);
ERRAND_TEST_NAME(move_on_after);
ERRAND_TEST_NAME(observe);
ERRAND_TEST_NAME(race);
ERRAND_TEST_NAME(report_branch);
ERRAND_TEST_NAME(report_failure);
ERRAND_TEST_NAME(retry);
ERRAND_TEST_NAME(returned);
ERRAND_TEST_NAME(run_gather_each);
ERRAND_TEST_NAME(run_retry);
ERRAND_TEST_NAME(run_supervise);
ERRAND_TEST_NAME(same_tasks);
ERRAND_TEST_NAME(settle);
ERRAND_TEST_NAME(settled);
ERRAND_TEST_NAME(shield);
ERRAND_TEST_NAME(start_coroutine);
ERRAND_TEST_NAME(start_hidden);
ERRAND_TEST_NAME(start_work);
ERRAND_TEST_NAME(supervise);
ERRAND_TEST_NAME(take_argument);
ERRAND_TEST_NAME(take_element);
ERRAND_TEST_NAME(take_part);
ERRAND_TEST_NAME(take_there);
ERRAND_TEST_NAME(take_winner);
ERRAND_TEST_NAME(to_nanoseconds);
ERRAND_TEST_NAME(typed_handle);
ERRAND_TEST_NAME(wait_all);
ERRAND_TEST_NAME(wait_any);
ERRAND_TEST_NAME(wait_for);
ERRAND_TEST_NAME(wait_some);

int wrong = 0;
void expect(const Value& value, int line) {
  if (value.n == 7) return;
  cout << "line " << line << ": " << value.n << '\n';
  ++wrong;
}

Coro<Value> make() { co_return Value(); }
Coro<Value> make_by_name() {
  Value value;
  co_return value;
}
Coro<Value&> refer(Value& value) { co_return value; }
Coro<const Value&> look(const Value& value) { co_return value; }
AsyncGenerator<Value> give() { co_yield Value(); }
AsyncGenerator<Value&> show(Value& value) { co_yield value; }

struct Foreign {
  bool await_ready() const noexcept { return true; }
  void await_suspend(coroutine_handle<>) const noexcept {}
  Value await_resume() const { return Value(); }
};

Coro<> tasks(App& app) {
  Value value;
  auto task = app.add_task(make(), "made");
  expect(co_await task, __LINE__);
  expect(task.result(), __LINE__);
  expect(co_await app.get_task<Value>("made"), __LINE__);
  expect(co_await std::move(task), __LINE__);
  auto called = app.add_task([] { return Value(); });
  expect(co_await called, __LINE__);
  auto kept = app.add_task([] { return make(); });
  expect(co_await kept, __LINE__);
  kept.add_done_callback([](const Task<Value>& done) { expect(done.result(), __LINE__); });
  auto referring = app.add_task([&value]() -> Value& { return value; });
  expect(co_await referring, __LINE__);
  expect(co_await errand::shield(refer(value)), __LINE__);
  vector<Task<Value>> both;
  both.push_back(errand::create_task(make()));
  both.push_back(errand::create_task(make()));
  auto completed = errand::as_completed(both);
  while (auto next = co_await completed.next()) expect(co_await *next, __LINE__);
  const auto any = co_await errand::wait_any(both[0], both[1]);
  const auto all = co_await errand::wait_all(both);
  if (any.done.size() + all.done.size() != 4) ++wrong;
}

Coro<> combinators() {
  Value value;
  expect(co_await make(), __LINE__);
  expect(co_await make_by_name(), __LINE__);
  expect(co_await refer(value), __LINE__);
  expect(co_await look(value), __LINE__);
  expect(co_await Foreign(), __LINE__);
  auto results = co_await errand::gather(make(), refer(value));
  expect(get<0>(results), __LINE__);
  expect(get<1>(results), __LINE__);
  vector<Coro<Value>> many;
  many.push_back(make());
  for (auto& outcome : co_await errand::gather_settled(std::move(many))) expect(outcome.value(), __LINE__);
  const auto first = co_await errand::race(make(), look(value));
  expect(get<0>(first.value()), __LINE__);
  expect(co_await errand::wait_for(make(), chrono::seconds(1)), __LINE__);
  const auto body = [] { return make(); };
  const auto cleanup = [] {};
  expect(co_await errand::finally(body, cleanup), __LINE__);
  expect(*co_await errand::move_on_after(make(), chrono::seconds(1)), __LINE__);
  Timeout timeout(chrono::seconds(1));
  expect(co_await errand::wait_for(refer(value), timeout), __LINE__);
  expect(*co_await errand::move_on_after(body, timeout), __LINE__);
  expect((co_await errand::settled(body)).value(), __LINE__);
  expect((co_await errand::settled(refer(value))).value(), __LINE__);
  expect(co_await errand::retry(body), __LINE__);
  co_await errand::supervise(body);
  vector<Value> values(3);
  const auto each = [](Value& item) { return refer(item); };
  for (Value& result : co_await errand::gather(values, each, 2)) expect(result, __LINE__);
  const auto take = [](Value item) -> Coro<Value> { co_return item; };
  const auto moving = [](Value& item) { return std::move(item); };
  for (auto& outcome : co_await errand::gather_settled(values | views::transform(moving), take, 2)) {
    expect(outcome.value(), __LINE__);
  }
  const auto group = [](TaskGroup& members) -> Coro<Value> {
    members.add(make());
    members.add([] { return Value(); });
    co_return Value();
  };
  expect(co_await TaskGroup::run(group), __LINE__);
  expect(co_await to_thread([](const Value& given) { return Value(given); }, value), __LINE__);
}

Coro<> primitives(App& app) {
  Value value;
  Queue<Value> queue(1);
  co_await queue.put(Value());
  expect(co_await queue.get(), __LINE__);
  Future<Value> future;
  future.set_result(Value());
  expect(co_await future, __LINE__);
  Future<const Value&> referring;
  referring.set_result(value);
  expect(co_await referring, __LINE__);
  const auto shared = Future<Value>::shared();
  shared.set_result(value);
  expect(co_await shared, __LINE__);
  auto given = give();
  expect(*co_await given.next(), __LINE__);
  auto shown = show(value);
  auto seen = co_await shown.next();
  expect(*seen, __LINE__);
  expect(app.ctx().emplace<Value>(), __LINE__);
  expect(app.ctx().get<Value>(), __LINE__);
  app.add_signal("a.value.came", [](const Signal& signal) { expect(signal.get<Value>(), __LINE__); });
  co_await app.dispatch("a.value.came", make_any<Value>());
}

Coro<Value> program(App& app) {
  co_await tasks(app);
  co_await combinators();
  co_await primitives(app);
  co_return Value();
}

}  // namespace user

int main() {
  App app;
  app.before_server_start([] { return user::make(); });
  user::expect(app.run(user::program(app)), __LINE__);
  return user::wrong > 0;
}
