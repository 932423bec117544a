// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include <errand/detail/base/text.hpp>

namespace errand::detail {

/// Appends a text as JSON has it between the quotes of a string. Control characters are escaped, also those that JSON
/// allows, so that the string may be shown on a terminal. Bytes that are not valid UTF-8 become U+FFFD.
void append_json(std::string& to, std::string_view text);

// Implementation

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE void append_json(std::string& to, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
  while (!text.empty()) {
    std::size_t plain = 0;  // how many characters stand for themselves; nearly always all of them
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    to += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    const FirstCharacter next(text);
    const std::string_view character = text.substr(0, next.size);
    text.remove_prefix(next.size);
    if (!next.is_valid) {
      to += "\xef\xbf\xbd";  // U+FFFD
    } else if (next.is_control) {
      const auto code = static_cast<unsigned char>(character.back());  // in UTF-8, this is also so for C1
      to += "\\u00";
      to += digits[code >> 4];
      to += digits[code & 15];
    } else {
      if (next.size == 1) to += '\\';  // before a quote or a backslash
      to += character;
    }
  }
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
