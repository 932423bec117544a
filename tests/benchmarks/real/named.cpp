// SPDX-License-Identifier: MIT
//   named PHASE N
// adds n tasks under names, starts them, finds each by its name, cancels each by its name, and lets them end. Prints
// what an operation of one of these phases costs, and ends after that phase. The phase `purge` forgets tasks that have
// ended by themselves. Callgrind can count inside the function of a phase.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// A user's task: it waits for something that does not come before the task is cancelled.
errand::Coro<long> wait_for(errand::Event& event, long i) {
  co_await event.wait();
  co_return i;
}

class Named {
 public:
  explicit Named(long n) {
    for (long i = 0; i < n; ++i) names_.push_back("connection:" + std::to_string(i));
  }

  [[gnu::noinline]] void add() {
    long i = 0;
    for (const auto& name : names_) app_.add_task(wait_for(event_, i++), name);
  }
  [[gnu::noinline]] void start() { errand::run_ready(app_); }
  [[gnu::noinline]] void find() {
    for (const auto& name : names_) checksum_ += static_cast<bool>(app_.find_task<long>(name));
  }
  [[gnu::noinline]] void cancel() {
    for (const auto& name : names_) app_.get_task(name).cancel();
  }
  [[gnu::noinline]] void end() { errand::run_ready(app_); }
  [[gnu::noinline]] void purge() { checksum_ += static_cast<long>(app_.purge_tasks()); }

  void succeed() {
    event_.set();
    errand::run_ready(app_);
  }
  long checksum() const { return checksum_; }

 private:
  std::vector<std::string> names_;
  errand::App app_;
  errand::Event event_;
  long checksum_ = 0;
};

struct Phase {
  std::string_view name;
  void (Named::*function)();
};
constexpr Phase life[] = {{"add", &Named::add},
                          {"start", &Named::start},
                          {"find", &Named::find},
                          {"cancel", &Named::cancel},
                          {"end", &Named::end}};
constexpr Phase purged[] = {
    {"add", &Named::add}, {"start", &Named::start}, {"succeed", &Named::succeed}, {"purge", &Named::purge}};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "named PHASE N\n");
    return 2;
  }
  const std::string_view asked = argv[1];
  const long n = std::atol(argv[2]);
  Named named(n);
  for (const auto& phase : asked == "purge" ? std::span<const Phase>(purged) : life) {
    const auto begin = std::chrono::steady_clock::now();
    (named.*phase.function)();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    if (phase.name == asked) {
      std::printf("%s %.1f ns 0 bytes %ld\n", argv[1], took.count() / static_cast<double>(n), named.checksum());
      return 0;
    }
  }
  std::fprintf(stderr, "named: no phase %s\n", argv[1]);
  return 3;
}
