// SPDX-License-Identifier: MIT
// Tests of the snapshot: the tasks of an App as data, as a table and as JSON. The texts of the table are tested by
// table_test.cpp.
#include <algorithm>
#include <memory>
#include <thread>
#include <type_traits>

#include "held_fixture.hpp"

using errand::Event;
using errand::TaskInfo;
using errand::TaskWait;

namespace elsewhere {

std::ostream& operator<<(std::ostream& out, const Event&) { return out << "an event"; }

/// Prints a snapshot from a namespace that has operators of its own: errand's is found by the type of the items.
std::string printed(const std::vector<TaskInfo>& tasks) {
  std::ostringstream out;
  out << tasks;
  return out.str();
}

}  // namespace elsewhere

namespace {

// Each await stands on a line of its own, and the number of this line has a name.
constexpr unsigned wait_line = __LINE__ + 1;
Coro<> wait_for_it(Event& event) { co_await event.wait(); }
constexpr unsigned middle_line = __LINE__ + 1;
Coro<> middle(Event& event) { co_await wait_for_it(event); }
constexpr unsigned gather_line = __LINE__ + 1;
Coro<> both(Event& event) { co_await errand::gather(middle(event), errand::sleep(1h)); }
constexpr unsigned around_line = __LINE__ + 1;
Coro<> around(Event& event) { co_await both(event); }
Coro<> depth(int n, Event& event) {
  if (n == 0) co_await event.wait();
  if (n > 0) co_await depth(n - 1, event);
}

/// Writes a wait as "what file:line inside".
std::string written(const TaskWait& wait) {
  return wait.what + " " + wait.file + ":" + std::to_string(wait.line) + " " + std::to_string(wait.inside);
}
std::vector<std::string> written(const std::vector<TaskWait>& waits) {
  std::vector<std::string> all;
  for (const TaskWait& wait : waits) all.push_back(written(wait));
  return all;
}
std::string stands(unsigned line, int inside) {
  return " snapshot_test.cpp:" + std::to_string(line) + " " + std::to_string(inside);
}

struct Snapshot : support::HeldFixture {};

/// A value of JSON.
struct Json {
  std::string text;  // of a string: what it says; of a number, true, false or null: as it is written
  bool is_string = false;
  std::vector<Json> items;         // of an array; the values of an object
  std::vector<std::string> names;  // of an object

  const Json& operator[](std::string_view key) const {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == key) return items[i];
    }
    throw runtime_error("no such key: " + std::string(key));
  }
  std::string keys() const {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : " ") + name;
    return all;
  }
};

/// Reads JSON by the letter of RFC 8259, and throws if there is anything wrong.
class Reader {
 public:
  static Json read(std::string_view text) {
    Reader reader(text);
    Json value = reader.value();
    if (!reader.left_.empty()) throw runtime_error("something stands behind the value");
    return value;
  }

 private:
  explicit Reader(std::string_view text) : left_(text) {}

  static void check(bool is_right, const char* what) {
    if (!is_right) throw runtime_error(what);
  }
  bool take(std::string_view wanted) {
    if (!left_.starts_with(wanted)) return false;
    left_.remove_prefix(wanted.size());
    return true;
  }
  unsigned char next() {
    check(!left_.empty(), "the text has ended");
    const char c = left_.front();
    left_.remove_prefix(1);
    return static_cast<unsigned char>(c);
  }
  std::string digits() {
    std::string all;
    while (!left_.empty() && left_.front() >= '0' && left_.front() <= '9') all += static_cast<char>(next());
    check(!all.empty(), "no digit");
    return all;
  }
  Json value() {
    Json json;
    if (take("[")) {
      if (take("]")) return json;
      do {
        json.items.push_back(value());
      } while (take(","));
      check(take("]"), "an array does not end");
    } else if (take("{")) {
      do {
        check(take("\""), "a key is no string");
        std::string key = string();
        check(take(":"), "no colon behind a key");
        json.names.push_back(std::move(key));
        json.items.push_back(value());
      } while (take(","));
      check(take("}"), "an object does not end");
    } else if (take("\"")) {
      json.is_string = true;
      json.text = string();
    } else if (take("true")) {
      json.text = "true";
    } else if (take("false")) {
      json.text = "false";
    } else {
      json.text = digits();
      check(json.text == "0" || json.text.front() != '0', "a number begins with 0");
      if (take(".")) json.text += "." + digits();
    }
    return json;
  }
  /// Reads the rest of a string, whose first quote has been taken.
  std::string string() {
    std::string all;
    for (;;) {
      const unsigned char c = next();
      if (c == '"') return all;
      check(c >= 0x20, "a control character in a string");
      if (c == '\\') {
        const unsigned char escaped = next();
        if (escaped == '"' || escaped == '\\') {
          all += static_cast<char>(escaped);
          continue;
        }
        check(escaped == 'u', "an unknown escape");
        unsigned code = 0;
        for (int i = 0; i < 4; ++i) {
          const unsigned char digit = next();
          check((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f'), "no digit behind \\u");
          code = 16 * code + (digit <= '9' ? digit - '0' : digit - 'a' + 10U);
        }
        check(code < 0x800, "a code that is not escaped here");
        if (code >= 0x80) all += static_cast<char>(0xc0 | code >> 6);
        all += static_cast<char>(code < 0x80 ? code : 0x80 | (code & 0x3f));
        continue;
      }
      all += static_cast<char>(c);
      if (c < 0x80) continue;
      check(c >= 0xc2 && c <= 0xf4, "no UTF-8");
      const int more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
      for (int i = 0; i < more; ++i) {
        const unsigned char d = next();
        check((d & 0xc0) == 0x80, "no UTF-8");
        if (i == 0) check(!(c == 0xe0 && d < 0xa0) && !(c == 0xed && d > 0x9f), "no UTF-8");
        if (i == 0) check(!(c == 0xf0 && d < 0x90) && !(c == 0xf4 && d > 0x8f), "no UTF-8");
        all += static_cast<char>(d);
      }
    }
  }

  std::string_view left_;
};

/// Returns the name that a program reads in the JSON of a task with this name.
std::string read_name(const std::string& name) {
  std::vector<TaskInfo> tasks(1);
  tasks[0].name = tasks[0].note = name;
  tasks[0].waits.push_back({"task '" + name + "'", name, 1, 0});
  const Json all = Reader::read(errand::to_json(tasks));
  const Json& task = all.items.at(0);
  const std::string read = task["name"].text;
  CHECK(task["note"].text == read);
  CHECK(task["waits"].items.at(0)["what"].text == "task '" + read + "'");
  CHECK(task["waits"].items.at(0)["file"].text == read);
  return read;
}

std::string read_age(std::chrono::nanoseconds age) {
  std::vector<TaskInfo> tasks(1);
  tasks[0].age = age;
  return Reader::read(errand::to_json(tasks)).items.at(0)["age"].text;
}

}  // namespace

TEST_CASE_METHOD(Snapshot, "a snapshot has the id, name, status, age, note and registration of each pending task") {
  add(wait_for_it(event), "first");
  turns();
  time.advance(12500ms);
  Task<> second = add(errand::finally(wait_for_it(event), [this] { return wait_for_it(event); }));
  add([] {}, "done");
  turns();
  second.set_note("3 of 9");
  second.cancel();
  second.cancel();
  turns();
  const std::vector<TaskInfo> tasks = app.snapshot();
  REQUIRE(tasks.size() == 2);
  CHECK(tasks[0].id == 1);
  CHECK(tasks[0].name == "first");
  CHECK(tasks[0].status == TaskStatus::pending);
  CHECK((tasks[0].age == 12500ms));
  CHECK(tasks[0].note.empty());
  CHECK(tasks[0].is_registered);
  CHECK(tasks[0].cancelling == 0);
  CHECK(written(tasks[0].waits) == std::vector<std::string>{"event" + stands(wait_line, 0)});
  CHECK(tasks[1].id == 2);
  CHECK(tasks[1].name == "Task-2");
  CHECK(tasks[1].status == TaskStatus::pending);
  CHECK((tasks[1].age == 0ms));
  CHECK(tasks[1].note == "3 of 9");
  CHECK(!tasks[1].is_registered);
  CHECK(tasks[1].cancelling == 2);
}

TEST_CASE_METHOD(Snapshot, "the waits of a task are a tree: `inside` tells what belongs to what") {
  add(around(event));
  turns();
  const std::vector<TaskWait> waits = app.snapshot().at(0).waits;
  CHECK(written(waits) == std::vector<std::string>{"gather" + stands(gather_line, 0), "event" + stands(wait_line, 2),
                                                   "from" + stands(middle_line, 3), "sleep :0 2",
                                                   "from" + stands(around_line, 1)});
  std::string tree;
  for (std::size_t i = 1; i < waits.size(); ++i) {
    std::size_t above = i - 1;
    while (waits[above].inside >= waits[i].inside) --above;
    tree += waits[i].what + " of " + waits[above].what + ", ";
  }
  CHECK(tree == "event of gather, from of event, sleep of gather, from of gather, ");
}

TEST_CASE_METHOD(Snapshot, "lines without a place count what was cut, and the levels tell what they count") {
  const auto body = [this]() -> Coro<> {
    std::vector<Coro<>> many;
    for (int i = 0; i < 7; ++i) many.push_back(wait_for_it(event));
    many.push_back(depth(9, event));
    many.push_back(wait_for_it(event));
    co_await errand::gather(std::move(many));
  };
  add(body);
  turns();
  std::vector<std::string> waits = written(app.snapshot().at(0).waits);
  REQUIRE(waits.size() == 19);
  CHECK(waits[16].starts_with("from snapshot_test.cpp:"));
  CHECK(waits[16].ends_with(" 3"));
  CHECK(waits[17] == "and 1 more :0 3");  // awaits around the last branch that is shown
  CHECK(waits[18] == "and 1 more :0 2");  // branches of the gather

  std::vector<Coro<>> many;
  for (int i = 0; i < 9; ++i) many.push_back(depth(10, event));
  add(errand::gather(std::move(many)));
  turns();
  waits = written(app.snapshot().at(1).waits);
  CHECK(waits.size() == 41);
  CHECK(waits.back() == "... :0 1");
}

TEST_CASE_METHOD(Snapshot, "a snapshot prints itself as the table of dump_tasks, in any namespace") {
  CHECK(elsewhere::printed(app.snapshot()) == table());
  add(around(event), "two\nlines");
  add(wait_for_it(event)).cancel();
  add([&]() -> Coro<> { co_await app.get_task("two\nlines"); },
      "gr\xc3\xb6\xc3\x9f"
      "e");
  add(depth(100, event)).set_note("a note");
  turns(1);
  std::vector<TaskInfo> tasks = app.snapshot();
  CHECK(tasks.size() == 4);
  CHECK(elsewhere::printed(tasks) == table());
  turns();
  CHECK(elsewhere::printed(app.snapshot()) == table());
  CHECK(elsewhere::printed(app.snapshot()) != elsewhere::printed(tasks));
}

TEST_CASE("whatever a user writes into a TaskInfo can be printed") {
  std::vector<TaskInfo> tasks(3);
  tasks[0] = {.id = 7, .name = "seven", .status = TaskStatus::failed, .age = -1s, .cancelling = 1};
  tasks[1].waits = {{"from", "a.cpp", 1, 3}, {"running", "b.cpp", 2, 0}, {"from", "", 9, 0}, {"x\ny", "c\n.cpp", 3, 1}};
  CHECK(elsewhere::printed(tasks) ==
        "id  name   status   age   waits for\n"
        "7   seven  failed   0 ms  \n"
        "0          pending  0 ms        from a.cpp:1\n"
        "                          running after b.cpp:2\n"
        "                          from\n"
        "                            x y at c .cpp:3\n"
        "0          pending  0 ms  \n");
  const Json json = Reader::read(errand::to_json(tasks));
  CHECK(json.items.at(0)["status"].text == "failed");
  CHECK(json.items.at(1)["waits"].items.size() == 4);
}

namespace {

/// Takes a snapshot in its destructor.
struct LooksAtEnd {
  std::vector<TaskInfo>& tasks;
  explicit LooksAtEnd(std::vector<TaskInfo>& to) : tasks(to) {}
  LooksAtEnd(const LooksAtEnd&) = delete;
  ~LooksAtEnd() { tasks = App::current().snapshot(); }
};

}  // namespace

APP_TEST("a snapshot may be taken while a task is being destroyed, and says that this task is cancelled") {
  std::vector<TaskInfo> tasks;
  const auto work = [&]() -> Coro<> {
    LooksAtEnd looks(tasks);
    co_await errand::sleep(1h);
  };
  Task<> task = add(work, "aborted");
  co_await errand::yield();
  task.abort();
  REQUIRE(tasks.size() == 2);
  CHECK(tasks[1].name == "aborted");
  CHECK(tasks[1].status == TaskStatus::cancelled);
  CHECK(elsewhere::printed(tasks).find("aborted  cancelled") != std::string::npos);
}

TEST_CASE("a snapshot may be read on another thread, while its App is destroyed") {
  static_assert(std::is_nothrow_move_constructible_v<TaskInfo> && std::is_copy_constructible_v<TaskInfo>);
  errand::ManualClock clock(errand::ManualClock::held);
  Event event;
  auto app = std::make_unique<App>("app", errand::AppConfig{.clock = &clock});
  app->add_task(around(event), "a name that is longer than what stands in a std::string itself");
  app->add_task(wait_for_it(event)).set_note("a note that is longer than what stands in a std::string itself");
  while (app->poll() && app->snapshot().at(0).waits.size() < 4) {
  }
  const std::string json = errand::to_json(app->snapshot());
  std::string seen;
  std::thread reader([tasks = app->snapshot(), &seen] { seen = errand::to_json(tasks) + elsewhere::printed(tasks); });
  app.reset();
  reader.join();
  CHECK(seen.starts_with(json));
}

TEST_CASE_METHOD(Snapshot, "a snapshot of many tasks has all of them, and one of many branches is short") {
  std::vector<Coro<>> branches;
  for (int i = 0; i < 100'000; ++i) branches.push_back(wait_for_it(event));
  add(errand::gather(std::move(branches)));
  turns();
  const auto begun = errand::Clock::now();
  for (int i = 0; i < 100; ++i) CHECK(app.snapshot().at(0).waits.size() == 10);
  CHECK(app.snapshot().at(0).waits.back().what == "and over 1000 more");
  CHECK(errand::Clock::now() - begun < 2s);  // a walk over all branches would take far longer
  constexpr std::size_t many = 20'000;
  for (std::size_t i = 0; i < many; ++i) add(wait_for_it(event));
  turns();
  const std::vector<TaskInfo> tasks = app.snapshot();
  CHECK(tasks.size() == many + 1);
  CHECK(tasks.back().id == many + 1);
  const std::string printed = elsewhere::printed(tasks);
  CHECK(std::count(printed.begin(), printed.end(), '\n') == many + 11);
  const std::string json = errand::to_json(tasks);
  CHECK(std::count(json.begin(), json.end(), '}') == 2 * many + 11);
}

TEST_CASE_METHOD(Snapshot, "JSON has an object for each task, whose keys are the names of the members") {
  CHECK(errand::to_json(app.snapshot()) == "[]");
  add(wait_for_it(event), "first").set_note("3 of 9");
  turns();
  time.advance(1500ms);
  add(around(event));
  turns();
  time.advance(1s);
  const std::string json = errand::to_json(app.snapshot());
  const std::string place = ",\"file\":\"snapshot_test.cpp\",\"line\":" + std::to_string(wait_line);
  CHECK(
      json.starts_with("[{\"id\":1,\"name\":\"first\",\"status\":\"pending\",\"age\":2.5,\"note\":\"3 of 9\","
                       "\"is_registered\":true,\"waits\":[{\"what\":\"event\"" +
                       place + ",\"inside\":0}]}"));
  const Json tasks = Reader::read(json);
  REQUIRE(tasks.items.size() == 2);
  for (const Json& task : tasks.items) {
    CHECK(task.keys() == "id name status age note is_registered waits");
    for (const Json& wait : task["waits"].items) {
      CHECK(wait.keys() == "what file line inside");
      CHECK(wait["what"].is_string);
      CHECK(!wait["line"].is_string);
    }
  }
}

TEST_CASE_METHOD(Snapshot, "JSON says that a task was asked to end") {
  const auto stubborn = [this]() -> Coro<> {
    try {
      co_await wait_for_it(event);
    } catch (const Cancelled&) {
    }
    co_await wait_for_it(event);
  };
  Task<> task = add(stubborn);
  turns();
  task.cancel();
  turns();
  CHECK(Reader::read(errand::to_json(app.snapshot())).items.at(0)["status"].text == "cancelling");
  task.uncancel();
  CHECK(Reader::read(errand::to_json(app.snapshot())).items.at(0)["status"].text == "pending");
}

TEST_CASE("names with quotes, control characters and all of Unicode come through JSON as they are") {
  std::string all;
  for (char c = 0; c < 127; ++c) all += c;
  for (const std::string& name :
       {std::string(), all, std::string("\x7f\xc2\x80\xc2\x9f\xc2\xa0"), std::string("\xdf\xbf\xe0\xa0\x80"),
        std::string("\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), std::string("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
        std::string("\\\"\\u0041\n\t</script>")}) {
    CHECK(read_name(name) == name);
  }
  CHECK(errand::to_json(std::vector<TaskInfo>(1)).find('\n') == std::string::npos);
}

TEST_CASE("bytes that are not UTF-8 become U+FFFD in JSON") {
  const std::string unknown = "\xef\xbf\xbd";
  const auto times = [&](int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += unknown;
    return all;
  };
  CHECK(read_name("a\xff"
                  "b") == "a" + unknown + "b");
  CHECK(read_name("\x80\x85\xbf") == times(3));                              // no first byte
  CHECK(read_name("\xc3(") == unknown + "(");                                // no second byte
  CHECK(read_name("\xc3") == unknown);                                       // the name ends inside a character
  CHECK(read_name("\xe2\x82") == times(2));                                  //
  CHECK(read_name("\xc0\xaf\xc1\xbf") == times(4));                          // longer than needed
  CHECK(read_name("\xe0\x80\xaf") == times(3));                              //
  CHECK(read_name("\xf0\x80\x80\xaf") == times(4));                          //
  CHECK(read_name("\xed\xa0\x80x\xed\xbf\xbf") == unknown + "x" + unknown);  // half of a pair of UTF-16
  CHECK(read_name("\xf4\x90\x80\x80") == unknown);                           // above U+10FFFF
  CHECK(read_name("\xf5\x80\x80\x80") == times(4));                          //
}

TEST_CASE("an age in JSON is a number of seconds, exact to the nanosecond") {
  CHECK(read_age(0s) == "0");
  CHECK(read_age(1ns) == "0.000000001");
  CHECK(read_age(1500ms) == "1.5");
  CHECK(read_age(90s) == "90");
  CHECK(read_age(100s + 10ms) == "100.01");
  CHECK(read_age(std::chrono::nanoseconds::max()) == "9223372036.854775807");
  CHECK(read_age(-1s) == "0");
  CHECK(read_age(std::chrono::nanoseconds::min()) == "0");
}
