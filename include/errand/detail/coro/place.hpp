// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string_view>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/coro/chain.hpp>

namespace errand::detail {

/// Returns the first coroutine, from this one outwards, that is the user's own code. Its `line` is the line to show.
/// Null if there is none, or if a coroutine on the way has not awaited anything yet.
const PromiseBase* place_of(PromiseBase::Handle frame) noexcept;

/// Returns the name of the file of the coroutine, without the folders.
std::string_view file_of_place(const PromiseBase& promise) noexcept;

/// Returns true if the coroutine is one of the library's own, such as `race`. Reports and tables show no lines of
/// these, because users look for a line of their own code.
bool is_of_library(const PromiseBase& promise) noexcept;

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE bool is_of_library(const PromiseBase& promise) noexcept {
  constexpr std::string_view here = __FILE__;
  constexpr std::string_view name = "detail/coro/place.hpp";  // not so if all headers were joined into one
  constexpr bool is_apart = here.ends_with(name.substr(name.find('p')));
  constexpr std::string_view folder = here.substr(0, here.size() - (is_apart ? name.size() : 0));
  const std::string_view file = promise.file_name();
  if (file.starts_with(folder)) return true;
  // Clang names the files of an imported module by their whole paths, even if the compiler was given relative ones.
  if (folder.starts_with('/') || !file.starts_with('/')) return false;
  const std::size_t at = file.find(folder);
  return at != std::string_view::npos && file[at - 1] == '/';
}

ERRAND_COLD ERRAND_ONCE const PromiseBase* place_of(PromiseBase::Handle frame) noexcept {
  for (; frame && frame.promise().line > 0; frame = frame.promise().parent) {
    if (!is_of_library(frame.promise())) return &frame.promise();
  }
  return nullptr;
}

ERRAND_COLD ERRAND_ONCE std::string_view file_of_place(const PromiseBase& promise) noexcept {
  const std::string_view file = promise.file_name();
  std::size_t begin = file.size();
  while (begin > 0 && file[begin - 1] != '/' && file[begin - 1] != '\\') --begin;
  return file.substr(begin);
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
