// SPDX-License-Identifier: MIT
// The class that the example tests test, and the server that stands in for a real one.
#pragma once

#include <chrono>
#include <cstddef>
#include <errand/errand.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

// [client]
/// Asks a server. An attempt fails after 2 s without an answer. There are three attempts, 1 s and 2 s apart.
class Client {
 public:
  using Send = std::function<errand::Coro<std::string>(std::string)>;

  explicit Client(Send send) : send_(std::move(send)) {}

  errand::Coro<std::string> ask(std::string question) {
    const auto attempt = [&] { return errand::wait_for(send_(question), std::chrono::seconds(2)); };
    co_return co_await errand::retry(attempt, {.first = std::chrono::seconds(1), .attempts = 3});
  }

 private:
  Send send_;
};
// [client]

/// Answers each question after a delay of its own.
class FakeServer {
 public:
  explicit FakeServer(std::vector<std::chrono::seconds> delays) : delays_(std::move(delays)) {}

  errand::Coro<std::string> answer(std::string question) {
    const std::chrono::seconds delay = delays_.at(questions_++);
    co_await errand::sleep(delay);
    co_return "no idea, " + question;
  }
  /// Returns the function that a Client needs.
  Client::Send handler() {
    return [this](std::string question) { return answer(std::move(question)); };
  }
  std::size_t questions() const { return questions_; }

 private:
  std::vector<std::chrono::seconds> delays_;
  std::size_t questions_ = 0;
};
