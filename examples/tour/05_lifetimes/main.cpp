// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// Owns what it uses: the text is a parameter by value, and lives as long as the coroutine.
errand::Coro<> save(std::string text) {
  co_await errand::sleep(1ms);
  std::cout << "saved: " << text << '\n';
}

class Station {
 public:
  Station(errand::App& app, std::string name) : name_(std::move(name)), tasks_(app) { tasks_.add(measure()); }
  errand::Coro<> close() { return tasks_.close("the station is closed"); }

 private:
  errand::Coro<> measure() {  // uses name_, and so must end before the object does
    std::cout << name_ << ": measures\n";
    try {
      co_await errand::sleep(1h);
    } catch (const errand::Cancelled& cancelled) {
      std::cout << name_ << ": " << cancelled.reason() << '\n';
      throw;
    }
  }

  std::string name_;
  errand::TaskScope tasks_;  // the last member, so it is destroyed first
};

errand::Coro<> blink(const int& percent) {  // uses a local variable of its caller
  while (true) {
    std::cout << percent << " %\n";
    co_await errand::sleep(1h);
  }
}

errand::Coro<> run(errand::App& app) {
  const errand::Task<> saving = app.add_task(save("17 degrees"));
  Station harbour(app, "harbour");
  {
    Station summit(app, "summit");
    int percent = 50;
    errand::ScopedTask blinking{app.add_task(blink(percent))};  // below the variable that it uses
    co_await saving;
  }  // blinking and the task of the summit end here
  std::cout << "the scope is left\n";
  co_await harbour.close();
}

int main() {
  errand::App app("weather");
  app.run(run(app));
}
// [program]
