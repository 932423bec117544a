// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <utility>

namespace errand::detail {

/// Owns an object that was made with `new`, or none. It is used in place of `std::unique_ptr`, because each type of
/// `std::unique_ptr` takes as long to compile as a whole header of errand.
template <class T>
class Owner {
 public:
  Owner() noexcept = default;
  explicit Owner(T* object) noexcept : object_(object) {}
  Owner(Owner&& other) noexcept : object_(other.release()) {}
  /// Takes over an object of a derived class.
  template <class U>
  Owner(Owner<U>&& other) noexcept : object_(other.release()) {}
  Owner& operator=(Owner&& other) noexcept {
    const Owner old(std::exchange(object_, other.release()));
    return *this;
  }
  ~Owner() { delete object_; }

  explicit operator bool() const noexcept { return object_ != nullptr; }
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  /// Gives the object up without deleting it: it belongs to the caller from now on.
  [[nodiscard]] T* release() noexcept { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
