// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <system_error>
#include <thread>

#include "real_fixture.hpp"

using errand::Event;
using errand::Trace;

namespace {

/// A value of JSON, read strictly. Throws `runtime_error` if the text is no JSON.
struct Json {
  std::string text;  // of a string, without quotes and escapes; of a number, as it is written
  bool is_string = false;
  std::vector<Json> items;              // of an array
  std::map<std::string, Json> members;  // of an object

  const Json& operator[](const std::string& key) const { return members.at(key); }
  std::uint64_t number() const { return is_string ? throw runtime_error("no number") : std::stoull(text); }
  /// Returns a number of microseconds, written with three digits behind the point, as nanoseconds.
  std::uint64_t nanoseconds() const {
    if (is_string || text.size() < 5 || text[text.size() - 4] != '.') throw runtime_error("no time: " + text);
    return std::stoull(text.substr(0, text.size() - 4)) * 1000 + std::stoull(text.substr(text.size() - 3));
  }
};

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : left_(text) {}

  Json value() {
    Json read;
    space();
    if (take('[')) {
      if (!take(']')) {
        do read.items.push_back(value());
        while (take(','));
        need(']');
      }
    } else if (take('{')) {
      if (!take('}')) {
        do {
          space();
          need('"');
          std::string key = string();
          need(':');
          if (!read.members.emplace(std::move(key), value()).second) throw runtime_error("a key twice");
        } while (take(','));
        need('}');
      }
    } else if (take('"')) {
      read.is_string = true;
      read.text = string();
    } else {
      while (!left_.empty() && (std::isdigit(static_cast<unsigned char>(left_[0])) || left_[0] == '.')) {
        read.text += next();
      }
      if (read.text.empty()) throw runtime_error("no value: " + std::string(left_.substr(0, 40)));
    }
    space();
    return read;
  }
  bool is_at_end() const { return left_.empty(); }

 private:
  char next() {
    if (left_.empty()) throw runtime_error("the text ends too early");
    const char c = left_[0];
    left_.remove_prefix(1);
    return c;
  }
  void space() { left_.remove_prefix(std::min(left_.find_first_not_of(" \n"), left_.size())); }
  bool take(char c) {
    space();
    if (left_.empty() || left_[0] != c) return false;
    left_.remove_prefix(1);
    return true;
  }
  void need(char c) {
    if (!take(c)) throw runtime_error(std::string("no ") + c + " before " + std::string(left_.substr(0, 40)));
  }
  std::string string() {
    std::string read;
    for (char c = next(); c != '"'; c = next()) {
      if (static_cast<unsigned char>(c) < 0x20) throw runtime_error("a control character");
      if (c == '\\') {
        c = next();
        if (c == 'u') {
          c = static_cast<char>(std::stoi(std::string(left_.substr(0, 4)), nullptr, 16));
          left_.remove_prefix(4);
        } else if (c != '"' && c != '\\') {
          throw runtime_error("an unknown escape");
        }
      }
      read += c;
    }
    return read;
  }

  std::string_view left_;
};

/// A file for a trace, which is removed at the end of the test.
class TraceFile {
 public:
  TraceFile() : path_(std::filesystem::temp_directory_path() / ("errand_" + std::to_string(random()) + ".json")) {}
  TraceFile(const TraceFile&) = delete;
  ~TraceFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  std::string path() const { return path_.string(); }
  std::string text() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  static std::uint64_t random() {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  }
  const std::filesystem::path path_;
};

/// What a trace says, after checks that hold for every trace.
class Content {
 public:
  struct Slice {
    std::uint64_t from = 0, to = 0;
    std::string name;
  };
  struct Row {
    std::string name;
    std::vector<Slice> slices;

    /// Returns the names of the slices, joined by commas, without the lines of the places.
    std::string text() const {
      std::string all;
      for (const Slice& slice : slices) {
        all += (all.empty() ? "" : ", ") + slice.name.substr(0, slice.name.find(" at "));
      }
      return all;
    }
  };
  struct Arrow {
    std::string from, to;  // the names of the rows
    std::size_t ends = 0;
  };
  struct Process {
    std::string name;
    std::map<std::uint64_t, Row> rows;  // by the ids of the tasks; that of the loop has 0
    std::uint64_t last = 0;             // the last time
  };

  explicit Content(const std::string& text) {
    JsonReader reader(text);
    const Json all = reader.value();
    CHECK(reader.is_at_end());
    CHECK(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) == all.items.size() + 2);
    for (const Json& event : all.items) read(event);
    for (const auto& [id, arrow] : arrows) CHECK(arrow.ends == 1);
    for (const Mark& mark : begins_) {
      const auto& slices = processes[mark.process].rows[mark.row].slices;
      CHECK(std::any_of(slices.begin(), slices.end(),
                        [&mark](const Slice& slice) { return slice.from <= mark.time && mark.time <= slice.to; }));
    }
  }
  explicit Content(const TraceFile& file) : Content(file.text()) {}

  const Row& row(const std::string& name, std::uint64_t process = 1) const {
    for (const auto& [id, row] : processes.at(process).rows) {
      if (row.name == name) return row;
    }
    throw runtime_error("no row " + name);
  }
  bool has_arrow(const std::string& from, const std::string& to) const {
    return std::any_of(arrows.begin(), arrows.end(),
                       [&](const auto& entry) { return entry.second.from == from && entry.second.to == to; });
  }

  std::map<std::uint64_t, Process> processes;
  std::map<std::uint64_t, Arrow> arrows;

 private:
  struct Mark {
    std::uint64_t process, row, time;
  };

  void read(const Json& event) {
    const std::string& kind = event["ph"].text;
    const std::uint64_t id = event["pid"].number();
    const std::uint64_t tid = event["tid"].number();
    Process& process = processes[id];
    if (kind == "M") {
      const std::string& what = event["name"].text;
      if (what == "process_name") {
        CHECK(process.name.empty());
        process.name = event["args"]["name"].text;
      } else if (what == "thread_name") {
        CHECK(process.rows[tid].name.empty());
        process.rows[tid].name = event["args"]["name"].text;
      } else {
        CHECK(what == "thread_sort_index");
        CHECK(event["args"]["sort_index"].number() == tid);
      }
      CHECK(!process.name.empty());
      return;
    }
    const std::uint64_t time = event["ts"].nanoseconds();
    CHECK(time >= process.last);  // the lines of a process are in the order of their times
    process.last = time;
    REQUIRE(process.rows.count(tid) == 1);
    Row& row = process.rows[tid];
    CHECK(!row.name.empty());
    if (kind == "X") {
      if (!row.slices.empty()) CHECK(time >= row.slices.back().to);
      CHECK(!event["name"].text.empty());
      row.slices.push_back({time, time + event["dur"].nanoseconds(), event["name"].text});
    } else if (kind == "s") {
      CHECK(arrows.emplace(event["id"].number(), Arrow{row.name, {}, 0}).second);
      begins_.push_back({id, tid, time});
    } else {
      CHECK(kind == "f");
      CHECK(event["bp"].text == "e");
      Arrow& arrow = arrows.at(event["id"].number());
      arrow.to = row.name;
      ++arrow.ends;
      REQUIRE(!row.slices.empty());
      CHECK(row.slices.back().from == time);
    }
  }

  std::vector<Mark> begins_;  // the beginnings of the arrows
};

int occurrences(const std::string& text, const std::string& what) {
  int count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

errand::AppConfig with(Trace& trace, errand::ClockSource* clock = nullptr) {
  errand::AppConfig config;
  config.observer = &trace;
  config.clock = clock;
  config.on_failure = [](const errand::TaskFailure&) {};
  return config;
}

/// Traces what `body(app)` does, as main of an App on a ManualClock.
template <class F>
Content trace_of(F body) {
  TraceFile file;
  {
    Trace trace(file.path());
    errand::ManualClock clock;
    App app("app", with(trace, &clock));
    app.run(body(app));
  }
  return Content(file);
}

}  // namespace

TEST_CASE("a trace has a row for each task, and a slice for each step with the wait that follows") {
  const Content content = trace_of([](App& app) -> Coro<> {
    Event event;
    const auto wait = [&event]() -> Coro<> {
      co_await errand::sleep(1h);
      co_await errand::yield();
      co_await event.wait();
    };
    auto waiter = app.add_task(wait, "waiter");
    auto failing = app.add_task([]() -> Coro<> {
      co_await errand::sleep(1s);
      throw runtime_error("it fails");
    });
    co_await errand::sleep(2h);
    event.set();
    co_await waiter;
  });
  REQUIRE(content.processes.size() == 1);
  CHECK(content.processes.at(1).name == "app");
  CHECK(content.processes.at(1).rows.size() == 3);
  CHECK(content.row("waiter").text() == "sleep, yield, event, succeeded");
  CHECK(content.row("Task-3").text() == "sleep, failed");
  CHECK(content.row("Task-1").text() == "sleep, task 'waiter', succeeded");
  const std::string& place = content.row("waiter").slices[0].name;
  CHECK(place.substr(0, 23) == "sleep at trace_test.cpp");
  CHECK(place.find(':') != std::string::npos);
}

TEST_CASE("arrows lead from the step that has added or woken a task, and a timer has none") {
  const Content content = trace_of([](App& app) -> Coro<> {
    Event first;
    Event second;
    const auto wait = [&]() -> Coro<> {
      co_await first.wait();
      co_await errand::sleep(1s);
      second.set();
    };
    auto waiter = app.add_task(wait, "waiter");
    co_await errand::sleep(1s);
    first.set();
    co_await second.wait();
  });
  CHECK(content.arrows.size() == 3);
  CHECK(content.has_arrow("Task-1", "waiter"));
  CHECK(content.has_arrow("waiter", "Task-1"));
}

TEST_CASE("a trace of combinators, groups and requests to end is well-formed") {
  const Content content = trace_of([](App& app) -> Coro<> {
    errand::Queue<int> queue(1);
    Event never;
    const auto produce = [&queue]() -> Coro<> {
      for (int i = 0; i < 20; ++i) co_await queue.put(i);
      queue.close();
    };
    const auto consume = [&queue]() -> Coro<> {
      while (co_await queue.next()) co_await errand::sleep(1ms);
    };
    const auto wait = [&never]() -> Coro<> { co_await never.wait(); };
    app.add_task(produce, "producer");
    co_await errand::gather(consume(), consume(), errand::sleep(1s));
    co_await errand::race(errand::sleep(1s), never.wait(), wait());
    co_await errand::move_on_after(wait(), 1s);
    const auto group = [&wait](errand::TaskGroup& members) -> Coro<> {
      members.add(wait(), "member 1");
      members.add(wait(), "member 2");
      members.add([] {}, "member 3");
      co_await errand::sleep(1s);
      members.cancel();
    };
    co_await errand::TaskGroup::run(group);
    const auto clean_up = [&wait]() -> Coro<> {
      co_await errand::finally(wait(), []() -> Coro<> { co_await errand::sleep(1s); });
    };
    auto cancelled = app.add_task(clean_up, "cancelled");
    co_await errand::sleep(1s);
    co_await app.cancel_task("cancelled");
  });
  CHECK(content.row("member 1").text() == "event, cancelled");
  CHECK(content.row("member 3").text() == "succeeded");
  CHECK(content.has_arrow("Task-1", "cancelled"));
}

TEST_CASE("a trace of tasks that are aborted in any state is well-formed") {
  const Content content = trace_of([](App& app) -> Coro<> {
    Event event;
    const auto wait = [&event]() -> Coro<> { co_await event.wait(); };
    const auto twice = [&wait]() -> Coro<> { co_await errand::gather(wait(), wait()); };
    auto waiting = app.add_task(wait, "waiting");
    auto woken = app.add_task(wait, "woken");
    auto branching = app.add_task(twice, "branching");
    auto cancelled = app.add_task(wait, "asked");
    co_await errand::sleep(1s);
    waiting.abort();
    branching.abort();
    auto unstarted = app.add_task(wait, "unstarted");
    unstarted.abort();
    auto unstarted_cancelled = app.add_task(wait, "unstarted, cancelled");
    unstarted_cancelled.cancel();
    cancelled.cancel();
    cancelled.abort();
    event.set();
    woken.abort();
  });
  for (const char* const name : {"waiting", "woken", "asked"}) CHECK(content.row(name).text() == "event, cancelled");
  CHECK(content.row("branching").slices.back().name == "cancelled");
  for (const char* const name : {"unstarted", "unstarted, cancelled"}) CHECK(content.row(name).text() == "cancelled");
  CHECK(content.processes.at(1).rows.size() == 7);
}

TEST_CASE("a trace of an App that is destroyed after any turn is well-formed") {
  for (int turns = 0; turns < 12; ++turns) {
    TraceFile file;
    Trace trace(file.path());
    errand::ManualClock clock;
    Event event;
    {
      App app("app", with(trace, &clock));
      const auto wait = [&event]() -> Coro<> {
        co_await errand::sleep(1s);
        co_await errand::gather(event.wait(), errand::yield());
      };
      const auto main = [&]() -> Coro<> {
        for (int i = 0; i < 3; ++i) app.add_task(wait);
        co_await errand::sleep(1s);
        for (int i = 0; i < 3; ++i) app.add_task(wait);
        event.set();
        for (int i = 0; i < 3; ++i) co_await errand::yield();
      };
      app.add_task(main, "main");
      for (int i = 0; i < turns; ++i) app.poll();
    }
    trace.close();
    const Content content(file);
    if (turns >= 3) CHECK(content.row("main").slices.size() >= 2);
  }
}

TEST_CASE("tasks that are aborted outside of run and poll end their rows") {
  TraceFile file;
  Trace trace(file.path());
  errand::ManualClock clock;
  App app("app", with(trace, &clock));
  auto task = app.add_task([]() -> Coro<> { co_await errand::sleep(1h); }, "task");
  auto unseen = app.add_task([] {}, "unseen");
  unseen.abort();
  app.poll();
  app.poll();
  task.abort();
  trace.close();
  CHECK(Content(file).row("task").text() == "sleep, cancelled");
}

TEST_CASE("the row of the loop shows its sleeps") {
  TraceFile file;
  {
    Trace trace(file.path());
    App app("app", with(trace));
    app.run([]() -> Coro<> { co_await errand::sleep(5ms); }());
  }
  const Content content(file);
  const Content::Row& loop = content.row("loop");
  CHECK(content.processes.at(1).rows.at(0).name == "loop");
  REQUIRE(!loop.slices.empty());
  CHECK(loop.slices[0].name == "sleep");
  const Content::Row& main = content.row("Task-1");
  CHECK(loop.slices[0].from >= main.slices[0].to);
  CHECK(loop.slices.back().to <= main.slices[1].from);
  CHECK(main.slices[1].from - main.slices[0].to >= 4'900'000);
}

TEST_CASE("names in a trace are valid JSON, whatever they contain") {
  TraceFile file;
  {
    Trace trace(file.path());
    App app("a \"quoted\" name\\", with(trace));
    app.add_task([] {}, "line\nbreak \x01\x7f \xff \xed\xa0\x80 \xc3\xa9");
    app.run();
  }
  const Content content(file);
  CHECK(content.processes.at(1).name == "a \"quoted\" name\\");
  CHECK(content.row("line\nbreak \x01\x7f \xef\xbf\xbd \xef\xbf\xbd \xc3\xa9").text() == "succeeded");
  CHECK(file.text().find("\\u000a") != std::string::npos);
}

TEST_CASE("each worker has a process in the trace") {
  TraceFile file;
  {
    Trace trace(file.path());
    App app("app", with(trace));
    const auto work = []() -> Coro<> {
      for (int i = 0; i < 50; ++i) {
        co_await errand::gather(errand::yield(), errand::sleep(10us));
        co_await errand::create_task([]() -> Coro<> { co_await errand::yield(); }, "child");
      }
    };
    app.add_task(work, "work");
    app.run({.workers = 3});
  }
  const Content content(file);
  REQUIRE(content.processes.size() == 3);
  std::set<std::string> names;
  for (const auto& [id, process] : content.processes) {
    names.insert(process.name);
    CHECK(process.rows.at(1).name == "work");
    const std::size_t of_loop = process.rows.count(0);  // on a slow machine the loop may never sleep
    CHECK(process.rows.size() - of_loop == 51);         // with the 50 children
  }
  CHECK(names == std::set<std::string>{"app", "app, worker 1", "app, worker 2"});
}

TEST_CASE("Apps that follow each other, and Apps on several threads, may have one trace") {
  TraceFile file;
  Trace trace(file.path());
  const auto run = [&trace](const std::string& name) {
    for (int i = 0; i < 20; ++i) {
      App app(name, with(trace));
      for (int j = 1; j <= 3; ++j) {
        app.add_task([]() -> Coro<> { co_await errand::sleep(10us); }, name + " " + std::to_string(j));
      }
      app.run();
    }
  };
  std::thread other(run, "other");
  run("one");
  other.join();
  trace.close();
  const Content content(file);
  CHECK(content.processes.size() == 40);
  for (const auto& [id, process] : content.processes) {
    for (std::uint64_t task = 1; task <= 3; ++task) {
      CHECK(process.rows.at(task).name == process.name + " " + std::to_string(task));
    }
  }
}

TEST_CASE("an App may be filled on one thread and run on another one") {
  TraceFile file;
  {
    Trace trace(file.path());
    App app("app", with(trace));
    app.add_task([] {}, "task");
    std::thread([&app] { app.run(); }).join();
  }
  CHECK(Content(file).row("task").text() == "succeeded");
}

TEST_CASE("a step that adds and wakes many tasks is traced in whole") {
  TraceFile file;
  {
    Trace trace(file.path());
    errand::ManualClock clock;
    App app("app", with(trace, &clock));
    app.run([]() -> Coro<> {
      for (int i = 0; i < 3000; ++i) errand::create_task([] {}).abort();
      co_await errand::yield();
    }());
  }
  const std::string text = file.text();
  CHECK(JsonReader(text).value().items.size() == 1 + 2 + 2 + 3000 * 5);
}

TEST_CASE("what was written before the end of a trace can be read") {
  TraceFile file;
  Trace trace(file.path());
  errand::ManualClock clock;
  App app("app", with(trace, &clock));
  app.run([]() -> Coro<> { co_await errand::sleep(1s); }());
  trace.flush();
  const std::string text = file.text();
  CHECK(text.back() == '}');
  CHECK(Content(text + "\n]\n").row("Task-1").text() == "sleep, succeeded");
  trace.close();
  CHECK(file.text() == text + "\n]\n");
}

TEST_CASE("a trace without events is an empty array, and close may be called again, and later events are dropped") {
  TraceFile file;
  Trace trace(file.path());
  trace.close();
  App app("app", with(trace));
  app.add_task([] {});
  app.run();
  trace.flush();
  trace.close();
  CHECK(file.text() == "[\n]\n");
}

TEST_CASE("a file that cannot be opened is named in the error") {
  const std::string path = (std::filesystem::temp_directory_path() / "no such directory" / "run.json").string();
  try {
    const Trace trace(path);
    CHECK(false);
  } catch (const std::system_error& error) {
    CHECK(std::string(error.what()).find(path) != std::string::npos);
    CHECK(error.code() == std::errc::no_such_file_or_directory);
  }
}

#if defined(__linux__)
TEST_CASE("if the disk is full, the tasks do not notice, and close throws") {
  Trace trace("/dev/full");
  App app("app", with(trace));
  const int sum = app.run([]() -> Coro<int> {
    int count = 0;
    for (int i = 0; i < 2000; ++i) {
      co_await errand::yield();
      ++count;
    }
    co_return count;
  }());
  CHECK(sum == 2000);
  CHECK_THROWS_WITH(trace.flush(), Catch::Contains("/dev/full"));
  CHECK_THROWS_AS(trace.close(), std::system_error);
  CHECK_THROWS_AS(trace.close(), std::system_error);
}
#endif

TEST_CASE("an App is one process of the trace, whichever task makes the first step, and whoever aborts a task") {
  TraceFile file;
  Trace trace(file.path());
  {
    App first("first", with(trace));
    first.after_server_start(
        [](App& app) -> Coro<> { co_await app.add_task([]() -> Coro<> { co_await errand::yield(); }, "early"); });
    first.run([]() -> Coro<> { co_await errand::yield(); }());
    App second("second", with(trace));
    auto in_first = first.add_task([]() -> Coro<> { co_await errand::sleep(1h); }, "in first");
    auto in_second = second.add_task([]() -> Coro<> { co_await errand::sleep(1h); }, "in second");
    for (int i = 0; i < 6; ++i) {
      first.poll();
      second.poll();
    }
    in_first.abort();
    in_second.abort();
  }
  trace.close();
  const std::string text = file.text();
  CHECK(occurrences(text, "\"process_name\"") == 2);
  const Content content(file);
  CHECK(content.row("in first", 1).slices.size() == 2);
  CHECK(content.row("in second", 2).slices.size() == 2);
}

TEST_CASE("an Observer may pass events on to a Trace") {
  struct Both final : errand::Observer {
    explicit Both(const std::string& path) : trace(path) {}
    void step_began(const errand::TaskEvent& event) override { to.step_began(event); }
    void step_ended(const errand::TaskEvent& event) override {
      ++steps;
      to.step_ended(event);
    }
    Trace trace;
    errand::Observer& to = trace;
    int steps = 0;
  };
  TraceFile file;
  Both both(file.path());
  {
    errand::AppConfig config;
    config.observer = &both;
    App app("app", config);
    app.add_task([]() -> Coro<> { co_await errand::yield(); }, "task");
    app.run();
  }
  both.to.step_began({});  // no App runs here
  both.to.slept({}, {});
  both.trace.close();
  CHECK(both.steps == 2);
  CHECK(Content(file).row("task").slices.size() == 2);
}
