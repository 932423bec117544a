// SPDX-License-Identifier: MIT
// Two shared libraries, or two files of a program, are compiled from this file: TWIN is `first` or `second`, and VALUE
// is another type in each. So their classes called Thing differ, and must not be taken for each other. With LOCAL, the
// class is one of a static function.
#include "twins.hpp"

#include <string>

#if defined(LOCAL)
namespace twin {
[[maybe_unused]] static auto make_thing() {
  struct Thing {
    VALUE value = {};
  };
  return Thing();
}
}  // namespace twin
using Thing = decltype(twin::make_thing());
#endif

namespace {

#if !defined(LOCAL)
struct Thing {
  VALUE value = {};
};
#endif

void add(errand::App& app, const char* name) {
  app.add_task([]() -> errand::Coro<Thing> { co_return Thing(); }, name);
  app.ctx().emplace<Thing>();
}
bool is_of_own_type(errand::App& app, const char* name) {
  try {
    return app.get_task<Thing>(name).done();
  } catch (const errand::TaskTypeMismatch&) {
    return false;
  }
}
bool has_in_context(errand::App& app) { return app.ctx().find<Thing>() != nullptr; }

std::any make_payload() { return Thing(); }
bool is_payload(const errand::Signal& signal) {
  try {
    (void)signal.get<Thing>();
    return true;
  } catch (const errand::PayloadTypeMismatch&) {
    return false;
  }
}

}  // namespace

const Twin TWIN = {&add, &is_of_own_type, &has_in_context, &make_payload, &is_payload};
