// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <any>
#include <string>
#include <typeinfo>

#include <errand/errors.hpp>

namespace errand {

/// What was dispatched. A handler's or a waiter's own copy outlives the dispatch.
struct Signal {
  std::string event;      ///< its name, as dispatched
  std::string parameter;  ///< what the last part was, where a handler has
                          ///< `<name>` there or a waiter `*`
  /// What was dispatched with it; see `get`.
  std::any payload;

  /// The payload. Throws `PayloadTypeMismatch` where it is of another type, or there is none.
  template <class T>
  const T& get() const {
    if (const T* value = std::any_cast<T>(&payload)) return *value;
    throw_mismatch(typeid(T));
  }

 private:
  [[noreturn]] ERRAND_COLD void throw_mismatch(const std::type_info& wanted) const {
    const std::string has = payload.has_value() ? "of type " + detail::type_name(payload.type()) : "empty";
    detail::raise<PayloadTypeMismatch>(
        {"the payload of '", event, "' is ", has, ", not of type ", detail::type_name(wanted)});
  }
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
