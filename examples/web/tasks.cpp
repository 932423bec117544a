// SPDX-License-Identifier: MIT
// An App in a browser. The page tasks.html calls `turn` before each frame, shows the tasks in a table, and starts and
// cancels them. Compiled by em++ of Emscripten: see examples/how_to/browser.md.
#include <emscripten.h>

#include <chrono>
#include <errand/errand.hpp>
#include <string>

using namespace std::chrono_literals;

// [app]
errand::App& app() {
  static errand::App app("page");
  return app;
}
// [app]

/// Shows a line below the table.
EM_JS(void, tell, (const char* line), { showLine(UTF8ToString(line)); });

namespace {

// [task]
errand::Coro<> count(int steps) {
  try {
    for (int step = 1; step <= steps; ++step) {
      errand::current_task().set_note(std::to_string(step) + " of " + std::to_string(steps));
      co_await errand::sleep(100ms);
    }
  } catch (const errand::Cancelled&) {
    tell("a task cleans up");
    throw;
  }
}
// [task]

void tell_end(const errand::Task<>& task) {
  const std::string line = task.name() + ": " + std::string(to_string(task.status()));
  tell(line.c_str());
}

}  // namespace

// [exported]
extern "C" {

/// Makes turns until nothing is ready, for 8 ms at most, and returns the pending tasks as JSON.
EMSCRIPTEN_KEEPALIVE const char* turn() {
  static std::string tasks;
  app().poll(app().now() + 8ms);
  tasks = to_json(app().snapshot());
  return tasks.c_str();
}

/// Starts a task, unless one of this name is pending.
EMSCRIPTEN_KEEPALIVE void start(const char* name, int steps) {
  const errand::Task<> last = app().find_task(name);
  if (last && !last.done()) return;
  app().add_task(count(steps), name).add_done_callback(tell_end);
}

/// Asks the task of this name to end, if there is one.
EMSCRIPTEN_KEEPALIVE void cancel(const char* name) {
  if (errand::Task<> task = app().find_task(name)) task.cancel("by the button");
}

}  // extern "C"
// [exported]

// [main]
int main() {
  static const errand::KeepAlive open = app().keep_alive();  // the App waits for more work if there is none
  start("count to 1000", 1000);
}
// [main]
