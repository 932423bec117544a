// SPDX-License-Identifier: MIT
// Background tasks on more than one machine. They stand in a table of PostgreSQL, and each machine runs some of them.
//
//   postgres_jobs [--db CONNECTION] COMMAND    (without --db, PGHOST, PGDATABASE and so on say which server)
//     enqueue KIND JSON...    adds a job for each JSON, and prints its id
//     work [NAME]             runs jobs until SIGTERM or ^C
//     status                  a table over all machines
//     cancel ID               cancels a job that waits, or that runs on any machine
//
// A job runs at least once. It runs twice if its worker was lost, or took too long to say that it lives.
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <iomanip>
#include <iostream>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "postgres.hpp"
#include "postgres_jobs_table.hpp"
#include "terminal.hpp"

using namespace std::chrono_literals;
using errand::Coro;

namespace {

constexpr std::size_t at_once = 8;  // how many jobs a worker runs

void log(const std::string& text) { std::cout << printable(text) + '\n' << std::flush; }

// The kinds of jobs. Each gets its arguments as JSON, as PostgreSQL writes it, and gives its result as JSON.

/// Reads a number, or an array of numbers.
std::vector<double> numbers(const std::string& json) {
  std::vector<double> found;
  for (std::size_t next = 0; (next = json.find_first_not_of("[], ", next)) != std::string::npos;) {
    char* end = nullptr;
    found.push_back(std::strtod(&json[next], &end));
    if (end == &json[next]) throw std::runtime_error("a number or an array of numbers is wanted, not " + json);
    next = static_cast<std::size_t>(end - json.data());
  }
  if (found.empty()) throw std::runtime_error("there is no number in " + json);
  return found;
}

Coro<std::string> sleep_for(std::string json) {
  co_await errand::sleep(std::chrono::duration<double>(numbers(json).front()));
  co_return "null";
}

Coro<std::string> fail_sometimes(std::string json) {
  static std::mt19937 dice{std::random_device{}()};
  co_await errand::sleep(10ms);
  if (std::generate_canonical<double, 32>(dice) < numbers(json).front()) throw std::runtime_error("bad luck");
  co_return "\"good luck\"";
}

Coro<std::string> sum(std::string json) {
  double total = 0;
  for (const double number : numbers(json)) total += number;
  if (!std::isfinite(total)) throw std::runtime_error("the sum is too large");
  co_return std::to_string(total);
}

struct Kind {
  Coro<std::string> (*run)(std::string json);
  std::chrono::seconds limit;  // a job that takes longer has failed
};
const std::map<std::string, Kind> kinds = {
    {"fail_sometimes", {fail_sometimes, 10s}},
    {"sleep", {sleep_for, 10s}},
    {"sum", {sum, 10s}},
};

const Kind& find_kind(const std::string& name) {
  if (const auto found = kinds.find(name); found != kinds.end()) return found->second;
  std::string known;
  for (const auto& [kind, _] : kinds) known += ' ' + kind;
  throw std::runtime_error("there is no kind of job '" + name + "', but" + known);
}

/// A connection that is made anew whenever it is lost. It may then execute a statement twice, which must do no harm.
class Database {
 public:
  explicit Database(std::string where) : where_(std::move(where)) {}

  template <class... Args>
  Coro<postgres::Result> query(const char* statement, Args... parameters) {
    for (std::string lost;;) {
      co_await connect(lost);
      try {
        co_return co_await connection_.query(statement, parameters...);
      } catch (const postgres::ConnectionLost& error) {
        lost = error.what();
      }
    }
  }

 private:
  Coro<> connect(std::string lost) {
    const auto guard = co_await connecting_.acquire();
    if (connection_.is_open()) co_return;
    if (!lost.empty()) log(lost);
    const auto attempt = [this]() -> Coro<> {
      const auto outcome = co_await errand::settled(errand::wait_for(open(), 10s));
      if (outcome.failed()) log("connection: " + outcome.what());
      outcome.value();
    };
    co_await errand::retry(attempt, {.first = 100ms, .most = 2s});  // 2 s: see `table::reclaim`
    log("connected");
  }

  Coro<> open() {
    co_await connection_.connect(where_);
    co_await connection_.query(table::create);
  }

  const std::string where_;
  postgres::Connection connection_;
  errand::Lock connecting_;
};

struct Job {
  std::string id, attempt, kind, arguments;
};

class Worker {
 public:
  Worker(errand::App& app, const std::string& where, const std::string& name)
      : app_(app), where_(where), name_(name + "-" + std::to_string(std::random_device{}())) {
    const errand::Backoff backoff{.first = 100ms, .most = 5s};
    services_.add(errand::supervise([this] { return take_jobs(); }, backoff), "take jobs");
    services_.add(errand::supervise([this] { return reclaim_lost_jobs(); }, backoff), "reclaim lost jobs");
    services_.add(errand::supervise([this] { return listen(); }, backoff), "listen");
    log("worker " + name_);
  }

  /// Takes no more jobs, lets those that run end within 5 s, and gives back those that have not.
  Coro<> drain() {
    co_await services_.close("the worker ends");
    co_await errand::move_on_after(jobs_.join(), 5s);
    co_await jobs_.close("the worker ends");
    const auto given = co_await errand::settled(errand::wait_for(database_.query(table::give_back, name_), 3s));
    log(given.failed() ? "no job is given back: " + given.what()
                       : std::to_string(given.value().rows()) + " jobs are given back");
  }

 private:
  Coro<> take_jobs() {
    while (true) {
      auto slot = co_await slots_.acquire();
      news_.clear();
      const postgres::Result row = co_await database_.query(table::take, name_);
      if (row.rows() == 0) {
        slot.release();
        co_await errand::move_on_after(news_.wait(), 1s);  // a job that has failed may be due
        continue;
      }
      Job job{row.text(0, 0), row.text(0, 1), row.text(0, 2), row.text(0, 3)};
      const std::string name = "job:" + job.id;
      jobs_.add(run(std::move(job), std::move(slot)), name, errand::NameTaken::cancel);
    }
  }

  /// Notes how a job has ended. If its result is no JSON, the job has failed, and `text` tells why.
  Coro<postgres::Result> note_end(const Job& job, const char* statement, std::string& text) {
    auto row = co_await errand::settled(database_.query(statement, job.id, name_, job.attempt, text));
    if (row.failed()) {
      text = printable(row.what());
      row = co_await errand::settled(database_.query(table::fail, job.id, name_, job.attempt, text));
    }
    co_return std::move(row).value();
  }

  // [worker]
  Coro<> run(Job job, errand::Semaphore::Permit) {
    const auto outcome = co_await errand::settled(errand::race(work(job), beat(job)));
    std::string text = outcome.failed() ? printable(outcome.what()) : std::get<0>(outcome.value().value());
    const char* const statement = outcome.failed() ? table::fail : table::finish;
    const auto row = co_await note_end(job, statement, text);
    log("job " + job.id + ": " + (row.rows() ? row.text(0, 0) : "not this worker's any more") + ", " + text);
  }
  Coro<std::string> work(const Job& job) {
    const Kind& kind = find_kind(job.kind);
    co_return co_await errand::wait_for(kind.run(job.arguments), kind.limit);
  }
  /// Says every second that this worker lives. Ends the task if the job was cancelled or is another worker's.
  Coro<> beat(const Job& job) {
    while (true) {
      co_await errand::sleep(1s);
      const auto row = co_await database_.query(table::beat, job.id, name_, job.attempt);
      if (row.rows() == 0) errand::current_task().cancel("the job was cancelled, or is another worker's");
    }
  }
  // [worker]

  Coro<> reclaim_lost_jobs() {
    while (true) {
      const auto lost = co_await database_.query(table::reclaim);
      for (int row = 0; row < lost.rows(); ++row) log("job " + lost.text(row, 0) + ": " + lost.text(row, 1));
      if (lost.rows()) news_.set();
      co_await errand::sleep(1s);
    }
  }
  /// What it misses while there is no connection, `take_jobs` and `beat` see within a second.
  Coro<> listen() {
    postgres::Connection connection;
    co_await errand::wait_for(connection.connect(where_), 10s);
    co_await connection.query("listen jobs");
    co_await connection.query("listen jobs_cancel");
    while (true) {
      const auto told = co_await connection.notification();
      if (told.channel == "jobs") news_.set();
      errand::Task<> job = told.channel == "jobs_cancel" ? app_.find_task("job:" + told.payload) : errand::Task<>();
      if (job && job.cancel("postgres_jobs cancel")) log("job " + told.payload + ": cancelled");
    }
  }

  errand::App& app_;
  const std::string where_;
  const std::string name_;  // with a random part, because two workers may have been given one name
  Database database_{where_};
  errand::Semaphore slots_{at_once};
  errand::Event news_;  // there may be a job to take
  errand::TaskScope jobs_{app_}, services_{app_};
};

Coro<> show_status(postgres::Connection& connection) {
  const auto counts = co_await connection.query(table::count);
  for (int row = 0; row < counts.rows(); ++row) std::cout << counts.text(row, 1) << ' ' << counts.text(row, 0) << "  ";
  std::cout << "\n\n" << std::left;
  const auto jobs = co_await connection.query(table::list);
  const int widths[] = {8, 15, 9, 10, 26, 11, 0};
  for (int row = -1; row < jobs.rows(); ++row) {  // the first line has the names of the columns
    for (int column = 0; column < jobs.columns(); ++column) {
      std::cout << std::setw(widths[column]) << printable(row < 0 ? jobs.name(column) : jobs.text(row, column)) << ' ';
    }
    std::cout << '\n';
  }
}

Coro<> obey(std::string where, std::vector<std::string> words) {
  postgres::Connection connection;
  co_await errand::wait_for(connection.connect(where), 10s);
  co_await connection.query(table::create);
  if (words[0] == "status") co_await show_status(connection);
  if (words[0] == "enqueue") find_kind(words[1]);
  for (std::size_t i = 2; i < words.size(); ++i) {  // of enqueue
    const auto id = co_await connection.query(table::enqueue, words[1], words[i]);
    std::cout << id.text(0, 0) << std::endl;
  }
  if (words[0] == "cancel") {
    const auto told = co_await connection.query(table::cancel, words[1]);
    if (told.rows() == 0) throw std::runtime_error("there is no job " + words[1] + " that waits or runs");
  }
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::string> words(argv + 1, argv + argc);
  const bool has_where = words.size() >= 2 && words[0] == "--db";
  const std::string where = has_where ? words[1] : "";
  if (has_where) words.erase(words.begin(), words.begin() + 2);
  const std::size_t count = words.size();
  const std::string name = count == 0 ? "" : words[0];

  errand::PosixReactor reactor;
  const auto report = [](const errand::TaskFailure& it) { log(it.name() + " failed: " + it.what()); };
  errand::App app("jobs", {.reactor = &reactor, .purge_when_done = true, .on_failure = report});
  if (name == "work" && count <= 2) {
    char host[256] = {};
    ::gethostname(host, sizeof host - 1);
    Worker worker(app, where, count == 2 ? words[1] : host);
    app.before_server_stop([&] { return worker.drain(); });
    app.run({.handle_signals = true});
  } else if ((name == "enqueue" && count > 2) || (name == "status" && count == 1) || (name == "cancel" && count == 2)) {
    app.run(obey(where, words));
  } else {
    std::cerr << "usage: postgres_jobs [--db CONNECTION] enqueue KIND JSON... | work [NAME] | status | cancel ID\n";
    return 2;
  }
} catch (const std::exception& error) {
  std::cerr << "postgres_jobs: " + printable(error.what()) + '\n';
  return 1;
}
