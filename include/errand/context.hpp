// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <memory>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/loop/loop.hpp>

namespace errand {

/// The objects that the parts of a program share through their App: one object of each type. They live as long as the
/// App, and are destroyed in reverse of the order in which they were emplaced. A Context belongs to the App's thread:
/// it has no lock, and on another thread every member throws `WrongThread`.
///
///     app.ctx().emplace<Database>("localhost");
///     app.ctx().get<Database>().query("…");
class Context {
 public:
  /// For the library's own use: the App makes its Context.
  explicit Context(const detail::Loop& loop) noexcept : loop_(loop) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { clear(); }

  /// Makes the object of type `T`, and returns it. Throws `InvalidState` if there is one, and what its constructor
  /// throws.
  template <class T, class... Args>
  T& emplace(Args&&... args) {
    if (find<T>()) fail("already has an", typeid(T));
    detail::Owner<Holder<T>> made(new Holder<T>(std::forward<Args>(args)...));
    if (find<T>()) fail("already has an", typeid(T));  // its constructor has emplaced one
    objects_.push_back(*made);
    return made.release()->object;
  }
  /// Returns the object of type `T`. Throws `InvalidState` if there is none.
  template <class T>
  T& get() {
    if (T* object = find<T>()) return *object;
    fail("has no", typeid(T));
  }
  /// Returns the object of type `T`; null if there is none.
  template <class T>
  T* find() {
    loop_.check_thread();
    for (detail::Link* link = objects_.begin(); link != objects_.end(); link = link->next) {
      auto& holder = static_cast<HolderBase&>(*link);
      if (detail::is_one_type(*holder.type, typeid(T))) return std::addressof(static_cast<Holder<T>&>(holder).object);
    }
    return nullptr;
  }

  /// For the library's own use: destroys all objects when the App ends.
  void clear() noexcept {
    while (!objects_.empty()) {
      auto& last = static_cast<HolderBase&>(objects_.back());
      last.unlink();  // `find` must not return an object that is being destroyed
      delete &last;
    }
  }

 private:
  [[noreturn]] ERRAND_COLD static void fail(std::string_view what, const std::type_info& type) {
    detail::raise<InvalidState>({"the context ", what, " object of type ", detail::type_name(type)});
  }

  struct HolderBase : detail::Link {
    explicit HolderBase(const std::type_info& of) noexcept : type(&of) {}
    virtual ~HolderBase() = default;
    const std::type_info* type;
  };
  template <class T>
  struct Holder final : HolderBase {
    template <class... Args>
      requires std::is_constructible_v<T, Args...>
    explicit Holder(Args&&... args) : HolderBase(typeid(T)), object(std::forward<Args>(args)...) {}
    template <class... Args>
    explicit Holder(Args&&... args) : HolderBase(typeid(T)), object{std::forward<Args>(args)...} {}
    T object;
  };

  const detail::Loop& loop_;
  detail::List objects_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
