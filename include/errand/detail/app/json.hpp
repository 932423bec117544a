// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <errand/clock.hpp>
#include <errand/detail/base/json.hpp>
#include <errand/detail/base/text.hpp>
#include <errand/snapshot.hpp>  // NOLINT(misc-header-include-cycle): it includes this header at its end

namespace errand {

// Implementation: a snapshot as JSON.

namespace detail {

/// Returns a text as a string of JSON, in quotes.
ERRAND_COLD inline std::string json_of(std::string_view text) {
  std::string whole = "\"";
  append_json(whole, text);
  whole += '"';
  return whole;
}

/// Returns a duration as a number of seconds. It has no more digits than it needs, and a negative one is 0.
ERRAND_COLD inline std::string json_of(Nanoseconds duration) {
  constexpr std::uint64_t second = 1'000'000'000;
  const std::uint64_t count = duration.count() < 0 ? 0 : static_cast<std::uint64_t>(duration.count());
  std::string fraction = number(second + count % second);  // the 1 in front keeps the zeros behind it
  fraction.front() = '.';
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text({number(count / second), fraction == "." ? "" : fraction});
}

ERRAND_COLD inline std::string json_of(const TaskWait& wait) {
  return text({"{\"what\":", json_of(wait.what), ",\"file\":", json_of(wait.file), ",\"line\":", number(wait.line),
               ",\"inside\":", number(wait.inside), "}"});
}

ERRAND_COLD inline std::string json_of(const TaskInfo& task) {
  std::string waits;
  for (const TaskWait& wait : task.waits) waits += text({waits.empty() ? "" : ",", json_of(wait)});
  return text({"{\"id\":", number(task.id), ",\"name\":", json_of(task.name), ",\"status\":", json_of(status_of(task)),
               ",\"age\":", json_of(task.age), ",\"note\":", json_of(task.note),
               ",\"is_registered\":", task.is_registered ? "true" : "false", ",\"waits\":[", waits, "]}"});
}

}  // namespace detail

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE std::string to_json(const std::vector<TaskInfo>& tasks) {
  std::string all = "[";
  for (const TaskInfo& task : tasks) all += detail::text({all.size() > 1 ? "," : "", detail::json_of(task)});
  all += ']';
  return all;
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
