// SPDX-License-Identifier: MIT
// Tests of examples/postgres.hpp, with the server that both arguments name, the second one behind one that is not
// there. tests/loops/postgres_jobs.py runs them.
#include "../../examples/postgres.hpp"

#include <cstdlib>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
using errand::Coro;
using postgres::Connection;

namespace {

void expect(bool condition, int line = __builtin_LINE()) {
  if (condition) return;
  std::cerr << "tests/loops/postgres.cpp:" << line << " is not as expected\n";
  std::exit(1);
}

Coro<std::string> text_of(Connection& connection, const char* statement) {
  const auto result = co_await connection.query(statement);
  co_return result.text(0, 0);
}

Coro<> expect_answer(Connection& connection, std::string text, int line = __builtin_LINE()) {
  const auto result = co_await connection.query("select $1", text);
  expect(result.rows() == 1 && result.columns() == 1 && result.text(0, 0) == text, line);
}

Coro<> cancelled_query_leaves_the_connection_usable(Connection& connection) {
  const auto slow = co_await errand::settled(errand::wait_for(connection.query("select pg_sleep(0.5)"), 100ms));
  expect(slow.what() == "timed out");
  expect(connection.is_open());
  co_await expect_answer(connection, "2");
  const std::string large(20'000'000, 'x');  // more than the socket takes at once: the task is cancelled while it sends
  const auto sending = co_await errand::settled(errand::wait_for(connection.query("select length($1)", large), 1ms));
  expect(sending.what() == "timed out" || sending.value().text(0, 0) == "20000000");
  co_await expect_answer(connection, "3");
  errand::Task<> task = errand::create_task([&]() -> Coro<> { co_await connection.query("select pg_sleep(0.2)"); });
  co_await errand::sleep(50ms);
  task.abort();
  co_await expect_answer(connection, "4");
}

Coro<> many_tasks_and_large_values(Connection& connection) {
  const std::string large(5'000'000, 'x');
  const auto echo = [&](int number) -> Coro<std::string> {
    const auto result = co_await connection.query("select $1 || $2::text", large, number);
    co_return result.text(0, 0);
  };
  const std::vector<int> numbers = {1, 2, 3};
  const auto texts = co_await errand::gather(numbers, echo, 3);
  for (int i = 0; i < 3; ++i) expect(texts[static_cast<std::size_t>(i)] == large + std::to_string(i + 1));
}

Coro<> errors_name_the_statement(Connection& connection) {
  const auto wrong = co_await errand::settled(connection.query("select\n  1 / 0"));
  expect(wrong.what() == "select 1 / 0: ERROR: division by zero");
  const auto copy = co_await errand::settled(connection.query("copy (select 1) to stdout"));
  expect(copy.what() == "copy (select 1) to stdout: COPY is not supported");
  const auto closed = co_await errand::settled(connection.query("select 1"));
  expect(closed.what() == "select 1: there is no connection");
}

Coro<> notifications_are_not_lost(Connection& connection, Connection& other) {
  const std::vector<std::string> all = {"one", "two"};
  co_await connection.query("listen news");
  const auto none = co_await errand::settled(errand::wait_for(connection.notification(), 50ms));
  expect(none.what() == "timed out");
  for (const std::string& news : all) co_await other.query("select pg_notify('news', $1)", news);
  for (const std::string& news : all) {
    const auto told = co_await connection.notification();
    expect(told.channel == "news" && told.payload == news);
  }
}

Coro<> a_lost_connection_can_be_made_again(Connection& connection, Connection& other, std::string where) {
  const std::string process = co_await text_of(connection, "select pg_backend_pid()");
  const auto waiting = errand::create_task(connection.notification());
  co_await other.query("select pg_terminate_backend($1::int)", process);
  const auto lost = co_await errand::settled(waiting);
  expect(lost.what().starts_with("wait for a notification: "));
  expect(!connection.is_open());
  co_await connection.connect(where);
  co_await expect_answer(connection, "5");
}

Coro<> run(std::string where, std::string second) {
  Connection connection, other;
  co_await errand::gather(connection.connect(where), connection.connect(where), other.connect(second));
  co_await cancelled_query_leaves_the_connection_usable(connection);
  co_await many_tasks_and_large_values(connection);
  co_await notifications_are_not_lost(connection, other);
  co_await a_lost_connection_can_be_made_again(connection, other, where);
  co_await errors_name_the_statement(connection);
  std::cout << "the connection does what it says\n";
}

}  // namespace

int main(int, char** argv) {
  errand::PosixReactor reactor;
  errand::App app("test", {.reactor = &reactor});
  app.run(run(argv[1], argv[2]));
}
