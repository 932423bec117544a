// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <functional>
#include <future>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;

// A call that blocks its thread.
std::thread::id write_to_disk(int) {
  std::this_thread::sleep_for(1ms);
  return std::this_thread::get_id();
}

errand::Coro<int> store(errand::Queue<int>& readings) {
  int stored = 0;
  while (const auto degrees = co_await readings.next()) {
    const std::thread::id writer = co_await errand::to_thread(write_to_disk, *degrees);
    const bool is_other = writer != std::this_thread::get_id();
    std::cout << *degrees << " degrees, written on " << (is_other ? "another" : "this") << " thread\n";
    ++stored;
  }
  co_return stored;
}

// The driver of a sensor: it runs on a thread of its own, where it may call post, submit and stop.
void drive_sensor(errand::App& app, errand::Queue<int>& readings, errand::KeepAlive) {
  std::future<int> stored = app.submit(store(readings), "store");
  for (const int degrees : {17, 12, -3}) app.post([&readings, degrees] { readings.try_put(degrees); });
  app.post([&readings] { readings.close(); });
  const int count = stored.get();  // blocks this thread
  app.post([count] { std::cout << "the driver has heard that " << count << " are stored\n"; });
}

int main() {
  errand::Queue<int> readings;  // above the App, whose tasks use it
  errand::App app("weather");
  std::thread driver(drive_sensor, std::ref(app), std::ref(readings), app.keep_alive());
  app.run();  // returns when no work is left, and the driver's KeepAlive has gone
  driver.join();
}
// [program]
