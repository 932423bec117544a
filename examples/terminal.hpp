// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <io.h>
#include <windows.h>
#else
#include <unistd.h>
#endif

/// Returns true if `stream`, which is `stdin`, `stdout` or `stderr`, is connected to a terminal.
inline bool is_terminal(std::FILE* stream) {
#if defined(_WIN32)
  return _isatty(_fileno(stream)) != 0;
#else
  return isatty(fileno(stream)) != 0;
#endif
}

/// Returns true if `stdout` is connected to a terminal that understands escape sequences. A console of Windows does so
/// only if a program asks for it, and never before Windows 10.
inline bool takes_escape_sequences() {
#if defined(_WIN32)
  DWORD mode = 0;
  HANDLE const console = GetStdHandle(STD_OUTPUT_HANDLE);
  return GetConsoleMode(console, &mode) && SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
#else
  return is_terminal(stdout);
#endif
}

/// Returns true if a text is UTF-8 and has no control characters (C0, DEL, C1). A terminal may take these for commands.
inline bool is_printable(std::string_view text) {
  int missing = 0;  // bytes of the character that are still to come
  unsigned char before = 0;
  for (const char byte : text) {
    const auto c = static_cast<unsigned char>(byte);
    if (missing > 0) {
      const int least = before == 0xc2 || before == 0xe0 ? 0xa0 : before == 0xf0 ? 0x90 : 0x80;
      if (c < least || c > 0xbf) return false;
      --missing;
    } else {
      if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc2) || c > 0xf4) return false;
      missing = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    }
    before = c;
  }
  return missing == 0;
}

/// Returns the text for a terminal. If it is not printable, each byte that is not plain ASCII becomes a "?".
inline std::string printable(std::string_view text) {
  std::string shown(text);
  if (is_printable(text)) return shown;
  for (char& c : shown) {
    if (c < 0x20 || c >= 0x7f) c = '?';
  }
  return shown;
}
