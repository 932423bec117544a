// SPDX-License-Identifier: MIT
// What corral's nurseries and combiners become.
#include <chrono>
#include <errand/errand.hpp>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

namespace {

// [nursery]
errand::Coro<> ping(std::string peer) {
  co_await errand::sleep(10ms);
  std::cout << "pinged " << peer << '\n';
}

errand::Coro<> ping_for_ever() {
  while (true) co_await errand::sleep(10ms);
}

errand::Coro<> ping_all() {
  co_await errand::TaskGroup::run([](errand::TaskGroup& group) -> errand::Coro<> {
    group.add(ping("one"));
    group.add(ping("two"));
    co_return;  // co_return corral::join
  });
  co_await errand::TaskGroup::run([](errand::TaskGroup& group) -> errand::Coro<> {
    group.add(ping_for_ever());
    co_await ping("three");
    group.cancel();  // co_return corral::cancel
  });
}
// [nursery]

errand::Coro<std::string> connect(std::string host, std::chrono::milliseconds time) {
  co_await errand::sleep(time);
  co_return host;
}

// [any_of]
errand::Coro<std::string> connect_to_either() {
  const auto backup = []() -> errand::Coro<std::string> {
    co_await errand::sleep(100ms);
    co_return co_await connect("backup", 10ms);
  };
  const auto either = co_await errand::wait_for(errand::race(connect("main", 10ms), backup), 3s);
  co_return either.index() == 0 ? std::get<0>(either.value()) : std::get<1>(either.value());
}
// [any_of]

// [live_object]
class Peer {
 public:
  explicit Peer(errand::App& app) : tasks_(app) { tasks_.add(ping_when_idle()); }
  void send(int number) {
    tasks_.add([this, number]() -> errand::Coro<> { return send_slowly(number); });
  }
  errand::Coro<> close() { return tasks_.close("closed"); }  // asks the tasks to end, and awaits their clean-up

 private:
  errand::Coro<> ping_when_idle() {
    while (true) co_await errand::sleep(10ms);
  }
  errand::Coro<> send_slowly(int number) {
    co_await errand::sleep(10ms);
    sent_ += number;
    std::cout << "sent " << sent_ << '\n';
  }

  int sent_ = 0;
  errand::TaskScope tasks_;  // the last member: its tasks end before the members above go
};
// [live_object]

errand::Coro<> run(errand::App& app) {
  co_await ping_all();
  std::cout << "connected to " << co_await connect_to_either() << '\n';
  Peer peer(app);
  peer.send(7);
  co_await errand::sleep(50ms);
  co_await peer.close();
}

}  // namespace

int main() {
  errand::App app;
  app.run(run(app));
}
