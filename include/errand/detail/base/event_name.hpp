// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <errand/errors.hpp>

namespace errand::detail {

/// The name of an event: `namespace.reference.action`. The action may be a pattern that stands for any action: `<name>`
/// if the name is that of a handler, `*` if it is that of a waiter.
class EventName {
 public:
  /// The pattern that is allowed as an action: none, `<name>`, or `*`.
  enum class Pattern { none, parameter, any };

  /// Throws `InvalidEvent` if the text is not the name of an event, or has a pattern that is not allowed.
  EventName(std::string_view text, Pattern allowed) : text_(text) {
    std::array<std::string_view, 3> parts;
    std::size_t count = 0;
    for (std::string_view rest = text;;) {
      const std::size_t dot = rest.find('.');
      if (count == parts.size()) fail("it has more than three parts");
      parts[count++] = rest.substr(0, dot);
      if (dot == rest.npos) break;
      rest.remove_prefix(dot + 1);
    }
    if (count < parts.size()) fail("it must have three parts, namespace.reference.action");
    if (allowed == Pattern::any && parts[2] == "*") {
      is_pattern_ = true;
    } else if (allowed == Pattern::parameter && parts[2].size() > 2 && parts[2].front() == '<' &&
               parts[2].back() == '>') {
      is_pattern_ = true;
      check_part(parts[2].substr(1, parts[2].size() - 2));
    } else {
      check_part(parts[2]);
    }
    check_part(parts[0]);
    check_part(parts[1]);
    stem_ = text_.size() - parts[2].size();
    if (parts[0] == "server") check_reserved(parts[1], parts[2]);
  }

  const std::string& text() const noexcept { return text_; }
  bool is_pattern() const noexcept { return is_pattern_; }
  std::string action() const { return text_.substr(stem_); }
  /// Returns the name with `*` as its action. It is the same for all events that differ in the action alone.
  std::string any() const { return text_.substr(0, stem_) + "*"; }
  /// Returns the name under which handlers and waiters are looked up: every pattern has the same one, `any()`.
  std::string key() const { return is_pattern_ ? any() : text_; }

 private:
  [[noreturn]] void fail(std::string_view why) const { throw InvalidEvent(text_, why); }
  void check_part(std::string_view part) const {
    if (part.empty()) fail("a part of it is empty");
    for (const char c : part) {
      if (static_cast<unsigned char>(c) <= ' ' || c == '<' || c == '>' || c == '*' || c == 127) {
        fail("a part of it has a character that may not be there");
      }
    }
  }
  void check_reserved(std::string_view reference, std::string_view action) const {
    const bool before_after = reference == "init" || reference == "shutdown";
    if (before_after && (is_pattern_ || action == "before" || action == "after")) return;
    if (reference == "exception" && (is_pattern_ || action == "report")) return;
    fail("the namespace 'server' is the library's own");
  }

  std::string text_;
  std::size_t stem_ = 0;
  bool is_pattern_ = false;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
