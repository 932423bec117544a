// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <string>

#include <errand/detail/base/text.hpp>
#include <errand/errors.hpp>

namespace errand::detail {

/// Returns the text of an exception for people, as the reports of failures show it; an empty text if there is none.
std::string what_of(const std::exception_ptr& exception);

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE std::string what_of(const std::exception_ptr& exception) {
  if (!exception) return {};
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (const Cancelled& cancelled) {
    return text({"cancelled", cancelled.reason().empty() ? "" : ": ", cancelled.reason()});
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
