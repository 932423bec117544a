// SPDX-License-Identifier: MIT
// Fetches many addresses, a few of them at once, and prints a table of those that it could not get.
//
//   crawl [--at-once N] [--timeout SECONDS] ADDRESS... | FILE... | -
//
// A file has addresses, at least one, with blanks or ends of lines between them; `-` stands for the standard input. An
// address gets three attempts, unless another one would not help. ^C ends the program in order, with the table of what
// it has. The exit status is 0 if all addresses were fetched, 1 if not, and 130 after ^C.
#include <algorithm>
#include <chrono>
#include <errand/errand.hpp>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "curl.hpp"
#include "terminal.hpp"

using namespace std::chrono_literals;
using errand::Coro;

namespace {

struct Options {
  int at_once = 20;
  std::chrono::duration<double> timeout = 30s;  // of one attempt
};

struct Page {
  std::string address;
  int attempts = 0;
  std::string failure{};  // empty unless the page could not be fetched
};

/// Reads the addresses of a file. A directory can be opened too, but not read.
void read_addresses(std::istream& file, const std::string& name, std::vector<Page>& pages) {
  const std::size_t before = pages.size();
  for (std::string address; file >> address;) pages.push_back({address});
  if (!file.eof()) throw std::runtime_error("cannot read " + name);
  if (pages.size() == before) throw std::runtime_error("no address in " + name);
}

/// Returns true if the next attempt may succeed after this error.
bool may_pass(CURLcode code) {
  constexpr CURLcode passing[] = {
      CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT,
      CURLE_RECV_ERROR,      CURLE_SEND_ERROR,  CURLE_HTTP2,        CURLE_HTTP2_STREAM};
  return std::find(std::begin(passing), std::end(passing), code) != std::end(passing);
}

class Crawl {
 public:
  Crawl(curl::Reactor& curl, std::vector<Page> pages, Options options)
      : curl_(curl), pages_(std::move(pages)), options_(options) {}

  // [crawl]
  Coro<> run() {
    const auto fetch = [this](Page& page) { return visit(page); };
    co_await errand::race(errand::gather(pages_, fetch, options_.at_once), show_progress());
  }
  // [crawl]

  /// Prints the table and the totals. Returns false if there are failures.
  bool report() const {
    if (is_terminal(stderr)) std::cerr << clear_line;
    std::size_t width = 7;
    for (const Page& page : pages_) width = std::max(width, page.failure.empty() ? 0 : page.address.size());
    const auto column = std::setw(static_cast<int>(width));
    if (failed_ > 0) std::cout << std::left << column << "address" << "  attempts  failure\n";
    for (const Page& page : pages_) {
      if (page.failure.empty()) continue;
      std::cout << column << printable(page.address) << "  " << std::setw(8) << page.attempts << "  "
                << printable(page.failure) << '\n';
    }
    const std::chrono::duration<double> time = errand::Clock::now() - begin_;
    std::cout << counts() << std::fixed << std::setprecision(1) << " in " << time.count() << " s, "
              << static_cast<double>(fetched_ + failed_) / time.count() << " addresses a second\n";
    return failed_ == 0;
  }

 private:
  // [crawl]
  Coro<> visit(Page& page) {
    const auto fetch = [&] { return attempt(page); };
    const errand::Backoff backoff{.first = 200ms, .jitter = 0.5, .attempts = 3};
    const auto outcome = co_await errand::settled(errand::retry(fetch, backoff));
    page.failure = outcome.failed() ? outcome.what() : outcome.value();
    ++(page.failure.empty() ? fetched_ : failed_);
  }

  /// Throws a failure that may pass, so that there is another attempt. Returns any other one, or an empty text.
  Coro<std::string> attempt(Page& page) {
    ++page.attempts;
    std::string failure;
    try {
      const curl::Response response = co_await errand::wait_for(curl_.fetch(page.address), options_.timeout);
      if (response.status >= 400) failure = "status " + std::to_string(response.status);
      if (response.status >= 500) throw std::runtime_error(failure);
      bytes_ += response.body.size();
    } catch (const curl::Error& error) {
      failure = curl_easy_strerror(error.code());
      if (may_pass(error.code())) throw std::runtime_error(failure);
    }
    co_return failure;
  }
  // [crawl]

  /// Draws a bar on a terminal. If the standard error is a file, it gets a line now and then.
  Coro<> show_progress() const {
    const bool is_bar = is_terminal(stderr);
    while (true) {
      co_await errand::sleep(is_bar ? 100ms : 10s);
      std::string bar(20, ' ');
      std::fill_n(bar.begin(), bar.size() * (fetched_ + failed_) / pages_.size(), '#');
      std::cerr << (is_bar ? clear_line + ('[' + bar + "] ") + counts() : counts() + '\n') << std::flush;
    }
  }
  std::string counts() const {
    return std::to_string(fetched_) + " of " + std::to_string(pages_.size()) + " fetched, " + std::to_string(failed_) +
           " failed, " + std::to_string(bytes_ / 1'000'000) + " MB";
  }

  static constexpr const char* clear_line = "\r\x1b[K";
  curl::Reactor& curl_;
  std::vector<Page> pages_;
  const Options options_;
  const errand::Clock::time_point begin_ = errand::Clock::now();
  std::size_t fetched_ = 0, failed_ = 0, bytes_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  std::vector<Page> pages;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--at-once" && i + 1 < argc) {
      options.at_once = std::stoi(argv[++i]);
    } else if (word == "--timeout" && i + 1 < argc) {
      options.timeout = std::chrono::duration<double>(std::stod(argv[++i]));
    } else if (word.find("://") != std::string::npos) {
      pages.push_back({word});
    } else if (word == "-") {
      read_addresses(std::cin, word, pages);
    } else {
      std::ifstream file(word);
      read_addresses(file, word, pages);
    }
  }
  if (argc == 1 || options.at_once < 1 || !(options.timeout > 0s)) throw std::invalid_argument("");

  // [reactor]
  curl::Reactor curl;
  Crawl crawl(curl, std::move(pages), options);
  errand::App app("crawl", {.reactor = &curl});
  // [reactor]
  bool was_stopped = false;
  try {
    app.run(crawl.run(), {.handle_signals = true});
  } catch (const errand::TaskCancelled&) {
    was_stopped = true;
  }
  const bool is_complete = crawl.report();
  return was_stopped ? 130 : is_complete ? 0 : 1;
} catch (const std::invalid_argument&) {
  std::cerr << "usage: crawl [--at-once N] [--timeout SECONDS] ADDRESS... | FILE... | -\n";
  return 2;
} catch (const std::exception& error) {
  std::cerr << "crawl: " + printable(error.what()) + '\n';
  return 1;
}
