// SPDX-License-Identifier: MIT
// A connection to PostgreSQL whose waits are awaits: libpq's asynchronous interface on errand/posix.hpp.
#pragma once

#include <libpq-fe.h>

#include <algorithm>
#include <concepts>
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace postgres {

/// Frees what libpq has made.
struct Free {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  void operator()(PGresult* result) const noexcept { PQclear(result); }
  void operator()(PGnotify* notification) const noexcept { PQfreemem(notification); }
};

/// What the server has against a statement. The message names it: "select 1/0: ERROR: division by zero".
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// There is no connection, or it broke. If it broke during a statement, the server may have executed the statement.
struct ConnectionLost : Error {
  using Error::Error;
};

/// The rows that a statement has given.
class Result {
 public:
  explicit Result(PGresult* result = nullptr) noexcept : result_(result) {}
  PGresult* get() const noexcept { return result_.get(); }
  int rows() const noexcept { return PQntuples(get()); }
  int columns() const noexcept { return PQnfields(get()); }
  std::string name(int column) const { return PQfname(get(), column); }
  /// Returns a value as text; an empty text if the value is null.
  std::string text(int row, int column) const { return PQgetvalue(get(), row, column); }

 private:
  std::unique_ptr<PGresult, Free> result_;
};

struct Notification {
  std::string channel, payload;
};

/// A connection for the tasks of one App, which has a PosixReactor. It does one thing at a time: tasks that call a
/// member meanwhile wait in the order in which they came. It must outlive their awaits.
///
///     postgres::Connection connection;
///     co_await connection.connect("host=db1 dbname=shop");
///     const postgres::Result result = co_await connection.query("select name from goods where id = $1", id);
///
/// **Cancellation leaves the connection usable.** If a task is asked to end while it awaits a query, the server goes on
/// with the statement, and the next query first waits for its end and drops its result. In `connect`, the connection
/// that was being made is closed.
class Connection {
 public:
  /// Connects, unless the connection is open. `where` is a connection string or URI of libpq; what it does not say
  /// comes from PGHOST, PGUSER and so on. There is no time-out: use `wait_for`. Throws `ConnectionLost`. (libpq looks
  /// up the name of a host without letting other tasks run.)
  errand::Coro<> connect(std::string where);

  /// Returns false if there is no connection, or if a call has found that it broke.
  bool is_open() const noexcept { return PQstatus(connection_.get()) == CONNECTION_OK; }
  /// Executes one statement. Its parameters $1, $2, … are texts without null bytes, or whole numbers. They reach the
  /// server apart from the statement, so nothing has to be quoted. Throws `Error` or `ConnectionLost`.
  template <class... Args>
  errand::Coro<Result> query(const char* statement, const Args&... parameters) {
    return execute(statement, std::vector<std::string>{as_text(parameters)...});
  }

  /// Waits for the next notification, after a `listen` statement. Queries of other tasks wait meanwhile: use a
  /// connection for this alone. If the task is cancelled, no notification is lost, but the loser of a race may lose
  /// one. Throws `ConnectionLost`.
  errand::Coro<Notification> notification();

 private:
  using Handle = std::unique_ptr<PGconn, Free>;

  static std::string as_text(std::string_view text) { return std::string(text); }
  static std::string as_text(std::integral auto number) { return std::to_string(number); }

  static std::string message(std::string what, std::string_view error) {
    what.append(": ").append(error.substr(0, error.find_last_not_of(" \n") + 1));
    for (const char blank : {'\n', '\t'}) std::replace(what.begin(), what.end(), blank, ' ');
    what.erase(std::unique(what.begin(), what.end(), [](char a, char b) { return a == ' ' && b == ' '; }), what.end());
    return what;
  }
  [[noreturn]] static void lose(Handle& connection, const char* what) {
    const Handle lost = std::move(connection);
    throw ConnectionLost(message(what, lost ? PQerrorMessage(lost.get()) : "there is no connection"));
  }
  int socket() const noexcept { return PQsocket(connection_.get()); }
  void read(const char* what) {
    if (!PQconsumeInput(connection_.get())) lose(connection_, what);
  }
  errand::Coro<Result> execute(const char* statement, std::vector<std::string> parameters);
  errand::Coro<Result> last_result(const char* what);

  Handle connection_;
  errand::Lock in_use_;
};

inline errand::Coro<> Connection::connect(std::string where) {
  const auto guard = co_await in_use_.acquire();
  if (is_open()) co_return;
  connection_.reset();
  // The first three let a silent server count as gone after 20 s. `where` can overrule them, because it stands behind.
  const char* const names[] = {"tcp_user_timeout", "keepalives_idle", "keepalives_interval",
                               "dbname",           "client_encoding", nullptr};
  const char* const values[] = {"20000", "10", "10", where.c_str(), "UTF8", nullptr};
  Handle made(PQconnectStartParams(names, values, 1));
  const auto drop = [](void*, const char*) {};  // in place of the default, which writes notices to stderr as they are
  PQsetNoticeProcessor(made.get(), drop, nullptr);
  if (PQstatus(made.get()) == CONNECTION_BAD) lose(made, "connect");
  for (auto next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK; next = PQconnectPoll(made.get())) {
    if (next == PGRES_POLLING_FAILED) lose(made, "connect");
    if (next == PGRES_POLLING_READING) co_await errand::readable(PQsocket(made.get()));
    if (next == PGRES_POLLING_WRITING) co_await errand::writable(PQsocket(made.get()));
  }
  if (PQsetnonblocking(made.get(), 1) != 0) lose(made, "connect");
  connection_ = std::move(made);
}

inline errand::Coro<Result> Connection::execute(const char* statement, std::vector<std::string> parameters) {
  const auto guard = co_await in_use_.acquire();
  co_await last_result(statement);  // of a query whose task was cancelled
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  const auto count = static_cast<int>(values.size());
  if (!PQsendQueryParams(connection_.get(), statement, count, nullptr, values.data(), nullptr, nullptr, 0)) {
    lose(connection_, statement);
  }
  Result result = co_await last_result(statement);
  if (!is_open()) lose(connection_, statement);
  if (const auto status = PQresultStatus(result.get()); status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw Error(message(statement, PQresultErrorMessage(result.get())));
  }
  co_return result;
}

/// Sends the rest of a statement, reads up to the end of its results, and gives the last one: empty if there is none.
inline errand::Coro<Result> Connection::last_result(const char* what) {
  if (!is_open()) lose(connection_, what);
  while (const int unsent = PQflush(connection_.get())) {
    if (unsent < 0) lose(connection_, what);
    const auto ready = co_await errand::race(errand::readable(socket()), errand::writable(socket()));
    if (ready.index() == 0) read(what);  // the server may wait until somebody reads
  }
  Result last;
  while (true) {
    for (; PQisBusy(connection_.get()); read(what)) co_await errand::readable(socket());
    Result next(PQgetResult(connection_.get()));
    if (!next.get()) co_return last;
    last = std::move(next);
    if (const auto status = PQresultStatus(last.get()); status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
      connection_.reset();  // because a COPY is not over before its data have passed
      throw Error(message(what, "COPY is not supported"));
    }
  }
}

inline errand::Coro<Notification> Connection::notification() {
  const auto guard = co_await in_use_.acquire();
  co_await last_result("wait for a notification");
  std::unique_ptr<PGnotify, Free> given(PQnotifies(connection_.get()));
  for (; !given; given.reset(PQnotifies(connection_.get()))) {
    co_await errand::readable(socket());
    read("wait for a notification");
  }
  co_return Notification{given->relname, given->extra};
}

}  // namespace postgres
