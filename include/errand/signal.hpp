// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <any>
#include <string>
#include <typeinfo>

#include <errand/detail/base/compiler.hpp>
#include <errand/errors.hpp>

namespace errand {

/// An event that was dispatched, as its handlers and waiters get it. A handler that keeps it must copy it.
struct Signal {
  std::string event;      ///< the name of the event, as dispatched
  std::string parameter;  ///< the last part of that name, if the handler was added with `<name>` there, or if the
                          ///< waiter waits for `*`; else empty
  /// The object that was dispatched with the event; see `get`.
  std::any payload;

  /// Returns the payload. Throws `PayloadTypeMismatch` if it is of another type, or if there is none.
  template <class T>
  const T& get() const {
    const T* const value = std::any_cast<T>(&payload);
    if (value && detail::is_one_type(payload.type(), typeid(T))) return *value;
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
