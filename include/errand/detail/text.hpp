// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <errand/detail/compiler.hpp>

// Texts for people. They are made seldom, and in many places: what counts is how small those are.

namespace errand::detail {

/// The parts in a row.
ERRAND_COLD inline std::string text(std::initializer_list<std::string_view> parts) {
  std::string whole;
  for (const std::string_view part : parts) whole += part;
  return whole;
}

ERRAND_COLD inline std::string number(std::uint64_t value) { return std::to_string(value); }

/// Throws an `E` with this message.
template <class E>
[[noreturn]] ERRAND_COLD void raise(std::initializer_list<std::string_view> message) {
  throw E(text(message));
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
