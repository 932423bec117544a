// SPDX-License-Identifier: MIT
// The App as a guest of another loop: of the loop of a game, and of the loop of a GUI.
#include <condition_variable>
#include <deque>
#include <errand/errand.hpp>
#include <functional>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using errand::Clock;

namespace {

// A game

errand::Coro<> spawn_enemies() {
  auto interval = errand::every(10ms);
  for (int wave = 1; wave <= 3; ++wave) {
    co_await interval.tick();
    std::cout << "wave " << wave << '\n';
  }
}

void draw() {}

void game() {
  // [frames]
  errand::App app("game");
  app.add_task(spawn_enemies, "spawn_enemies");
  for (bool runs = true; runs;) {
    const auto next_frame = app.now() + 16ms;
    draw();
    runs = app.poll(next_frame);  // makes turns until then, or until nothing is ready
    std::this_thread::sleep_until(next_frame);
  }
  // [frames]
}

// A GUI

/// A stand-in for a GUI toolkit. It has events, which any thread may post, and a timer.
class Toolkit {
 public:
  using Function = std::function<void()>;

  void post(Function event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    posted_.notify_one();
  }
  /// Replaces the timer that was set before.
  void set_timer(std::optional<Clock::time_point> when, Function f) {
    when_ = when;
    timer_ = std::move(f);
  }
  void exec() {
    while (!quit_) take()();
  }
  void quit() { quit_ = true; }

 private:
  Function take() {
    std::unique_lock lock(mutex_);
    const auto is_posted = [this] { return !events_.empty(); };
    if (!when_) posted_.wait(lock, is_posted);
    if (when_ && !posted_.wait_until(lock, *when_, is_posted)) {
      when_.reset();
      return timer_;
    }
    Function event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<Function> events_;
  Function timer_;
  std::optional<Clock::time_point> when_;
  bool quit_ = false;
};

// [gui]
class Guest : public errand::Reactor {
 public:
  explicit Guest(Toolkit& toolkit) : toolkit_(toolkit) {}

  errand::App app{"gui", {.reactor = this}};

  /// Makes one turn of the App; the first turn starts the App. It is called when the next deadline is due, when another
  /// thread has posted, and by each callback of the toolkit that has used the App.
  void turn() {
    if (app.poll()) {
      toolkit_.set_timer(app.next_deadline(), [this] { turn(); });
    } else {
      toolkit_.quit();
    }
  }

  void wake() noexcept override {
    toolkit_.post([this] { turn(); });
  }
  void wait(std::optional<errand::Clock::time_point>) override {}  // only run() calls it; here the toolkit waits

 private:
  Toolkit& toolkit_;
};
// [gui]

void gui() {
  Toolkit toolkit;
  errand::Event clicked;
  Guest guest(toolkit);

  guest.app.add_task([&]() -> errand::Coro<> {
    co_await clicked.wait();
    std::cout << "clicked\n";
    const std::string text = co_await errand::to_thread([] { return std::string("the text of the file"); });
    std::cout << text << '\n';
    co_await errand::sleep(1ms);
    std::cout << "closed\n";
  });
  toolkit.post([&] { guest.turn(); });
  // [click]
  const auto on_click = [&] {
    clicked.set();
    guest.turn();  // because this callback has used the App
  };
  // [click]
  toolkit.post(on_click);
  toolkit.exec();
}

}  // namespace

int main() {
  game();
  gui();
}
