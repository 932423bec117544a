// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

/// Programs of a small language of tasks, which `real.hpp` runs on errand and `model.hpp` on a model of it.
namespace model {

// The language

enum class Kind : std::uint8_t {
  // plain operations, which don't await
  set_event,
  clear_event,
  try_put,
  try_get,
  close,
  cancel,
  abort,
  uncancel,
  cancel_self,
  uncancel_self,
  inspect,
  result,
  drop,
  spawn,
  add_name,
  find,
  get_task,
  ask_task,
  purge,
  count,
  dispatch,
  advance,
  cancel_call,
  release,
  available,
  send,
  end_sends,
  subscribe,
  unsubscribe,
  try_next,
  lost,
  set_watch,
  reader,
  make_timeout,
  end_timeout,
  reset,
  reset_to,
  expired,
  group_add,
  call_soon,
  call_later,
  on_done,
  throw_error,
  throw_cancelled,
  leave,
  // operations that await
  yield,
  sleep,
  put,
  get,
  next,
  wait_watch,
  read,
  wait_event,
  wait_signal,
  dispatched,
  await,
  wait_any,
  wait_all,
  wait_any_for,
  wait_task,
  gather_tasks,
  race_tasks,
  race_raw,
  get_for,
  cancel_task,
  // operations that await blocks
  coro,
  repeat,
  lock,
  try_lock,
  acquire,
  try_acquire,
  catch_cancelled,
  catch_error,
  finally,
  wait_for,
  wait_within,
  gather,
  gather_each,
  settled,
  race,
  group,
};

/// The letters of `arguments`: t a task, m a name or 0 for no name, p a NameTaken, n a time, l a time limit, q a queue,
/// s a signal, k a number of permits or of blocks at once, u a subscription, a reader or a Timeout, c a capacity or 0
/// for no limit, r how a Cancelled is handled (0 thrown on, 1 swallowed, 2 swallowed and taken back).
struct Shape {
  const char* name;
  const char* arguments;
  unsigned blocks;
  unsigned weight;
};
inline constexpr Shape shapes[] = {
    {"set_event", "", 0, 5},
    {"clear_event", "", 0, 2},
    {"try_put", "q", 0, 3},
    {"try_get", "q", 0, 3},
    {"close", "q", 0, 1},
    {"cancel", "t", 0, 11},
    {"abort", "t", 0, 4},
    {"uncancel", "t", 0, 3},
    {"cancel_self", "", 0, 3},
    {"uncancel_self", "", 0, 3},
    {"inspect", "t", 0, 3},
    {"result", "t", 0, 2},
    {"drop", "t", 0, 4},
    {"spawn", "tmp", 0, 8},
    {"add_name", "tmp", 0, 2},
    {"find", "tm", 0, 2},
    {"get_task", "m", 0, 1},
    {"ask_task", "m", 0, 2},
    {"purge", "", 0, 2},
    {"count", "", 0, 1},
    {"dispatch", "s", 0, 5},
    {"advance", "n", 0, 2},
    {"cancel_call", "", 0, 1},
    {"release", "", 0, 1},
    {"available", "", 0, 1},
    {"send", "", 0, 6},
    {"end_sends", "", 0, 1},
    {"subscribe", "uc", 0, 5},
    {"unsubscribe", "u", 0, 1},
    {"try_next", "u", 0, 2},
    {"lost", "u", 0, 1},
    {"set_watch", "", 0, 6},
    {"reader", "u", 0, 3},
    {"make_timeout", "ul", 0, 5},
    {"end_timeout", "u", 0, 2},
    {"reset", "u", 0, 4},
    {"reset_to", "ul", 0, 2},
    {"expired", "u", 0, 1},
    {"group_add", "t", 0, 6},
    {"call_soon", "", 1, 2},
    {"call_later", "n", 1, 2},
    {"on_done", "t", 1, 3},
    {"throw_error", "", 0, 5},
    {"throw_cancelled", "", 0, 2},
    {"leave", "", 0, 2},
    {"yield", "", 0, 10},
    {"sleep", "n", 0, 12},
    {"put", "q", 0, 6},
    {"get", "q", 0, 6},
    {"next", "u", 0, 8},
    {"wait_watch", "n", 0, 5},
    {"read", "u", 0, 6},
    {"wait_event", "", 0, 5},
    {"wait_signal", "sl", 0, 5},
    {"dispatched", "s", 0, 2},
    {"await", "t", 0, 9},
    {"wait_any", "tt", 0, 3},
    {"wait_all", "tt", 0, 3},
    {"wait_any_for", "ttl", 0, 2},
    {"wait_task", "tl", 0, 4},
    {"gather_tasks", "tt", 0, 2},
    {"race_tasks", "tt", 0, 2},
    {"race_raw", "qn", 0, 4},
    {"get_for", "ql", 0, 3},
    {"cancel_task", "m", 0, 4},
    {"coro", "", 1, 3},
    {"repeat", "", 1, 2},
    {"lock", "", 1, 6},
    {"try_lock", "", 1, 1},
    {"acquire", "k", 1, 7},
    {"try_acquire", "k", 1, 2},
    {"catch_cancelled", "r", 2, 10},
    {"catch_error", "", 1, 5},
    {"finally", "", 2, 6},
    {"wait_for", "l", 1, 9},
    {"wait_within", "u", 1, 9},
    {"gather", "", 3, 6},
    {"gather_each", "k", 3, 5},
    {"settled", "", 2, 3},
    {"race", "", 3, 5},
    {"group", "", 1, 6},
};
constexpr const Shape& shape_of(Kind kind) { return shapes[static_cast<std::size_t>(kind)]; }
constexpr bool is_plain(Kind kind) { return kind < Kind::yield; }
/// Returns true for the bodies in which an error ends only the operation that throws it. Main's body is one of them.
constexpr bool goes_on_after_errors(int body) { return body % 2 == 0; }

struct Op {
  Kind kind;
  int id;  // names the operation in the log, in its errors and in its reasons
  std::array<std::uint8_t, 3> arguments{};
  std::vector<std::vector<Op>> blocks;
};
using Block = std::vector<Op>;

inline constexpr int task_bodies = 6;
inline constexpr int main_body = 6;      // runs first; the others are spawned
inline constexpr int first_handler = 7;  // the handler of signal 0; the next body is the handler of all signals
inline constexpr int bodies = 9;
inline constexpr int slots = 7;         // variables for handles: one for each body of a task, and one for main
inline constexpr int unlimited = 4;     // the time limit that means no limit; 0 is a limit of 0
inline constexpr int most_ops = 40;     // in a program
inline constexpr int most_steps = 200;  // in a run: the operations after them do nothing
inline constexpr int graceful_timeout = 15;
inline constexpr int permits_at_start = 2;  // of the semaphore

struct Program {
  std::array<std::size_t, 2> capacities{1, 1};
  bool held = false;  // only `advance` moves the clock
  bool purge_when_done = false;
  int polls = 0;  // if > 0: the App is destroyed after so many turns
  std::array<Block, bodies> body;
};

// Random programs

/// The bytes that decide how a program looks. They are either given, and followed by zeros, or made from a seed.
class Bytes {
 public:
  explicit Bytes(std::uint64_t seed) : random_(seed), endless_(true) {}
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  /// Returns a number from 0 to n-1.
  unsigned below(unsigned n) { return next() % n; }
  bool one_in(unsigned n) { return next() % n == n - 1; }

 private:
  unsigned next() {
    if (endless_) return static_cast<unsigned>(random_() >> 40 & 0xFFFF);
    unsigned value = 0;
    for (int i = 0; i < 2 && left_ > 0; ++i, --left_) value = value << 8 | *data_++;
    return value;
  }

  std::mt19937_64 random_;
  const std::uint8_t* data_ = nullptr;
  std::size_t left_ = 0;
  bool endless_ = false;
};

class Generator {
 public:
  explicit Generator(Bytes bytes) : bytes_(bytes) {}

  Program program() {
    Program made;
    for (std::size_t& capacity : made.capacities) capacity = 1 + bytes_.below(2);
    made.held = bytes_.one_in(8);
    made.purge_when_done = bytes_.one_in(4);
    if (bytes_.one_in(8)) made.polls = 1 + static_cast<int>(bytes_.below(24));
    tasks_ = 1 + bytes_.below(task_bodies);
    Block& main = made.body[main_body];
    for (unsigned i = 0; i < tasks_; ++i) {
      if (!bytes_.one_in(8)) main.push_back({Kind::spawn, ++last_, {uint8(i), name(), uint8(bytes_.below(4))}, {}});
    }
    own_ = main_body;
    for (Op& op : block(2 + bytes_.below(7), 0, false)) main.push_back(std::move(op));
    if (!bytes_.one_in(4)) main.push_back({Kind::sleep, ++last_, {uint8(1 + bytes_.below(8))}, {}});
    for (own_ = 0; own_ < tasks_; ++own_) made.body[own_] = block(1 + bytes_.below(6), 0, false);
    for (std::size_t i = first_handler; i < bodies; ++i) {
      if (bytes_.one_in(3)) made.body[i] = block(1 + bytes_.below(2), 2, false);
    }
    return made;
  }

 private:
  static std::uint8_t uint8(unsigned value) { return static_cast<std::uint8_t>(value); }
  std::uint8_t name() { return uint8(bytes_.one_in(2) ? 1 + bytes_.below(2) : 0); }

  Block block(unsigned length, int depth, bool plain) {
    Block made;
    for (unsigned i = 0; i < length && last_ < most_ops; ++i) made.push_back(op(depth, plain));
    return made;
  }
  Op op(int depth, bool plain) {
    Op made{kind(depth, plain), ++last_, {}, {}};
    const Shape& shape = shape_of(made.kind);
    for (std::size_t i = 0; shape.arguments[i]; ++i) made.arguments[i] = argument(shape.arguments[i]);
    for (unsigned i = 0; i < shape.blocks; ++i) {
      const unsigned length = bytes_.one_in(8) ? 0 : 1 + bytes_.below(3);
      groups_ += made.kind == Kind::group;
      made.blocks.push_back(block(length, depth + 1, is_plain(made.kind)));
      groups_ -= made.kind == Kind::group;
    }
    return made;
  }
  Kind kind(int depth, bool plain) {
    constexpr unsigned total = [] {
      unsigned sum = 0;
      for (const Shape& shape : shapes) sum += shape.weight;
      return sum;
    }();
    unsigned at = bytes_.below(total);
    std::size_t i = 0;
    for (; at >= shapes[i].weight; ++i) at -= shapes[i].weight;
    const Kind found = static_cast<Kind>(i);
    const bool fits = shapes[i].blocks == 0 || (depth < 4 && !plain);
    if (plain && !(is_plain(found) && fits)) return Kind::set_event;
    if (found == Kind::group_add && groups_ == 0 && !bytes_.one_in(8)) return Kind::spawn;
    return fits ? found : Kind::yield;
  }
  std::uint8_t argument(char type) {
    switch (type) {
      case 't': {
        unsigned task = bytes_.below(tasks_ + 1);
        if (task == own_ || task == tasks_) task = bytes_.below(tasks_ + 1);
        return uint8(task == tasks_ ? main_body : task);
      }
      case 'm': return name();
      case 'p': return uint8(bytes_.below(4));
      case 'n': return uint8(bytes_.below(4));
      case 'l': return uint8(bytes_.below(unlimited + 1));
      case 'q':
      case 'u': return uint8(bytes_.below(2));
      case 's': return uint8(bytes_.below(4));
      case 'k': return uint8(1 + bytes_.below(3));
      default: return uint8(bytes_.below(3));
    }
  }

  Bytes bytes_;
  int last_ = 0;  // the number of the last operation
  unsigned tasks_ = 0;
  unsigned own_ = 0;  // the body that is being made
  int groups_ = 0;    // the number of groups around the operation that is being made
};

inline Program program_of(Bytes bytes) { return Generator(bytes).program(); }

}  // namespace model
