// SPDX-License-Identifier: MIT
// A pool of database connections. A caller waits at most 2 s for a connection; one that broke is opened again when it
// is next lent out; maintenance takes all of them at once, and nobody overtakes it.
#include <cstddef>
#include <errand/errand.hpp>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

void log(const std::string& text) { std::cout << errand::now().time_since_epoch() / 1ms << " ms: " << text << '\n'; }

class Connection {
 public:
  errand::Coro<> open() {
    if (++opened_ == 1) throw std::runtime_error("refused");  // the server is slow to start
    co_await errand::sleep(100ms);
    is_open_ = true;
    log("a connection is open");
  }
  bool is_open() const { return is_open_; }
  errand::Coro<std::string> query(std::string text) {
    co_await errand::sleep(500ms);
    if (text == "DROP") {
      is_open_ = false;
      throw std::runtime_error("connection lost");
    }
    co_return text + " gives 42";
  }

 private:
  bool is_open_ = false;
  int opened_ = 0;
};

class Pool {
 public:
  explicit Pool(std::size_t size) : connections_(size), free_(size), size_(size) {
    for (Connection& connection : connections_) idle_.push_back(&connection);
  }

  /// A connection that goes back to its pool at the end of the scope.
  class Lease {
   public:
    Lease(Pool& pool, errand::Semaphore::Permit permit) : pool_(&pool), permit_(std::move(permit)) {
      connection_ = pool.idle_.back();
      pool.idle_.pop_back();
    }
    Lease(Lease&& other) noexcept
        : pool_(other.pool_),
          permit_(std::move(other.permit_)),
          connection_(std::exchange(other.connection_, nullptr)) {}
    ~Lease() {
      if (connection_) pool_->idle_.push_back(connection_);
    }
    Connection* operator->() const { return connection_; }

   private:
    Pool* pool_;
    errand::Semaphore::Permit permit_;  // given back after the connection
    Connection* connection_;
  };

  errand::Coro<Lease> lease() {
    Lease lease(*this, co_await errand::wait_for(free_.acquire(), 2s));
    if (!lease->is_open()) {
      const auto open = [&] { return lease->open(); };
      co_await errand::retry(open, {.first = 200ms, .attempts = 3});
    }
    co_return lease;
  }

  errand::Coro<std::string> query(std::string text) {
    const Lease connection = co_await lease();
    co_return co_await connection->query(std::move(text));
  }

  errand::Coro<> maintain() {
    const auto all = co_await free_.acquire(size_);
    log("maintenance begins");
    co_await errand::sleep(1s);
    log("maintenance ends");
  }

 private:
  std::vector<Connection> connections_;
  std::vector<Connection*> idle_;
  errand::Semaphore free_;
  std::size_t size_;
};

errand::Coro<> client(Pool& pool, std::string text) {
  const auto outcome = co_await errand::settled(pool.query(text));
  log(text + ": " + (outcome.failed() ? outcome.what() : outcome.value()));
}

errand::Coro<> run() {
  Pool pool(2);
  const std::vector<std::string> queries = {"A", "DROP", "B", "C", "D"};
  co_await errand::gather(queries, [&](std::string text) { return client(pool, std::move(text)); }, 100);
  co_await errand::gather(client(pool, "E"), pool.maintain(), client(pool, "F"));
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("db", {.clock = &clock});
  app.run(run());
}
