// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <errand/detail/base/compiler.hpp>

// Texts for people. They are made seldom, but in many places of the code, so that size matters and speed does not.

namespace errand::detail {

/// Joins the parts of a text.
std::string text(std::initializer_list<std::string_view> parts);
/// Returns the text with a space in place of each control character.
std::string printable(std::string_view text);
std::string number(std::uint64_t value);

/// The first character of a text in UTF-8: how many bytes it has, and whether it is a control character (C0, DEL or
/// C1). A terminal may take such a character for a command, and a program that reads the text may take it for the end
/// of a line. A byte that is not part of a valid character counts as a character.
struct FirstCharacter {
  ERRAND_COLD explicit FirstCharacter(std::string_view text) noexcept {
    const auto at = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const unsigned first = at(0), second = at(1);
    const std::size_t wanted = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
    const bool is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    bool is_whole = !is_overlong;
    for (std::size_t i = 1; i < wanted; ++i) is_whole &= (at(i) & 0xc0) == 0x80;
    size = is_whole ? wanted : 1;
    const unsigned code = size == 2 ? (first & 0x1f) << 6 | (second & 0x3f) : first;
    is_control = size <= 2 && (code < 0x20 || (code >= 0x7f && code < 0xa0));
    const bool is_surrogate = first == 0xed && second >= 0xa0, is_too_large = first == 0xf4 && second >= 0x90;
    is_valid = size > 1 ? !is_surrogate && !is_too_large : first < 0x80;
  }

  std::size_t size;
  bool is_control;
  bool is_valid;  // it is a character of Unicode
};

/// Calls `write(std::string_view)` for each piece of the text, with a space in place of each control character.
/// Allocates no memory.
template <class Write>
ERRAND_COLD void write_printable(std::string_view text, Write write) {
  std::size_t size = 0;  // of the next piece, as far as it is known
  while (size < text.size()) {
    const FirstCharacter next(text.substr(size));
    if (next.is_control) {
      if (size > 0) write(text.substr(0, size));
      write(std::string_view(" "));
      text.remove_prefix(size + next.size);
      size = 0;
    } else {
      size += next.size;
    }
  }
  if (size > 0) write(text);
}

/// Throws an `E` whose message is made of these parts.
template <class E>
[[noreturn]] ERRAND_COLD void raise(std::initializer_list<std::string_view> message) {
  throw E(text(message));
}

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE std::string text(std::initializer_list<std::string_view> parts) {
  std::string whole;
  for (const std::string_view part : parts) whole += part;
  return whole;
}

ERRAND_COLD ERRAND_ONCE std::string printable(std::string_view text) {
  std::string whole;
  write_printable(text, [&whole](std::string_view piece) { whole += piece; });
  return whole;
}

ERRAND_COLD ERRAND_ONCE std::string number(std::uint64_t value) { return std::to_string(value); }

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
