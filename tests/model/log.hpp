// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "program.hpp"

namespace model {

// The log of a run

using Value = std::int64_t;

struct Thrown {
  enum Kind : std::uint8_t {
    nothing,
    error,
    cancelled,
    task_cancelled,
    timeout,
    closed,
    invalid,
    not_found,
    in_use,
    deadlock,
    other
  };
  Kind kind = nothing;
  int code = -1;  // the operation that caused the error, the Cancelled or the TaskCancelled
};

struct Entry {
  enum What : std::uint8_t { started, gave, threw, caught, step, skipped, gone, unrun, called, reported, ended };
  long time;
  int who;  // the id of the task, or 0 for a callback
  int op;
  What what;
  Value value;
  Thrown thrown;

  bool operator==(const Entry& other) const {
    return time == other.time && who == other.who && op == other.op && what == other.what && value == other.value &&
           thrown.kind == other.thrown.kind && thrown.code == other.thrown.code;
  }
};
using Log = std::vector<Entry>;

/// Returns an Outcome as one number.
inline Value encode(const Thrown& thrown, Value value) {
  return thrown.kind ? 10'000 + thrown.kind * 1'000 + thrown.code + 1 : value + 1;
}

// Printing programs and logs

inline std::string text_of(const Block& block, const std::string& indent) {
  std::string text;
  for (const Op& op : block) {
    const Shape& shape = shape_of(op.kind);
    text += indent + "#" + std::to_string(op.id) + " " + shape.name;
    for (std::size_t i = 0; shape.arguments[i]; ++i) {
      text += (i ? ", " : " ") + std::string(1, shape.arguments[i]) + std::to_string(op.arguments[i]);
    }
    for (const Block& inner : op.blocks) {
      text += inner.empty() ? " {}" : " {\n" + text_of(inner, indent + "  ") + indent + "}";
    }
    text += "\n";
  }
  return text;
}

inline std::string text_of(const Program& program) {
  std::string text = "queues of " + std::to_string(program.capacities[0]) + " and " +
                     std::to_string(program.capacities[1]) + (program.held ? ", held clock" : "") +
                     (program.purge_when_done ? ", purge_when_done" : "") +
                     (program.polls ? ", destroyed after turn " + std::to_string(program.polls) : "") + "\n";
  for (int i = 0; i < bodies; ++i) {
    const Block& block = program.body[static_cast<std::size_t>(i)];
    if (block.empty()) continue;
    text += i == main_body       ? "main:\n"
            : i == first_handler ? "handler of s0:\n"
            : i > first_handler  ? "handler of all signals:\n"
                                 : "t" + std::to_string(i) + ":\n";
    text += text_of(block, "  ");
  }
  return text;
}

inline std::string text_of(const Entry& entry) {
  constexpr const char* whats[] = {"starts body", "gave",      "threw",     "caught",   "step", "skipped",
                                   "frame gone",  "never ran", "is called", "reported", "end"};
  constexpr const char* kinds[] = {"",
                                   "error",
                                   "Cancelled",
                                   "TaskCancelled",
                                   "TimeoutError",
                                   "QueueClosed",
                                   "InvalidState",
                                   "TaskNotFound",
                                   "TaskNameInUse",
                                   "Deadlock",
                                   "another exception"};
  std::string text = "at " + std::to_string(entry.time) + ", task " + std::to_string(entry.who) + ", #" +
                     std::to_string(entry.op) + ": " + whats[entry.what] + " " + std::to_string(entry.value);
  if (entry.thrown.kind) text += std::string(" ") + kinds[entry.thrown.kind];
  if (entry.thrown.code >= 0) text += " of #" + std::to_string(entry.thrown.code);
  return text;
}

}  // namespace model
