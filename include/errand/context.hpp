// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <memory>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <errand/detail/base/owner.hpp>
#include <errand/detail/loop/loop.hpp>

namespace errand {

/// What the parts of a program share through their App: one object a type. They live as long as the App, and are
/// destroyed in reverse of the order in which they were emplaced. It is for the App's thread: nothing here is locked,
/// and on another thread every member throws `WrongThread`.
///
///     app.ctx().emplace<Database>("localhost");
///     app.ctx().get<Database>().query("…");
class Context {
 public:
  /// For the library.
  explicit Context(const detail::Loop& loop) noexcept : loop_(loop) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { clear(); }

  /// Makes the object of type `T`. Throws `InvalidState` where there is one, and what its constructor throws.
  template <class T, class... Args>
  T& emplace(Args&&... args) {
    if (find<T>()) fail("already has an", typeid(T));
    detail::Owner<Holder<T>> made(new Holder<T>(std::forward<Args>(args)...));
    if (find<T>()) fail("already has an", typeid(T));  // the constructor has emplaced one
    objects_.push_back(*made);
    return made.release()->object;
  }
  /// The object of type `T`. Throws `InvalidState` where there is none.
  template <class T>
  T& get() {
    if (T* object = find<T>()) return *object;
    fail("has no", typeid(T));
  }
  /// The object of type `T`, null where there is none.
  template <class T>
  T* find() {
    loop_.check_thread();
    for (detail::Link* link = objects_.begin(); link != objects_.end(); link = link->next) {
      auto& holder = static_cast<HolderBase&>(*link);
      if (*holder.type == typeid(T)) return std::addressof(static_cast<Holder<T>&>(holder).object);
    }
    return nullptr;
  }

  /// For the library.
  void clear() noexcept {
    while (!objects_.empty()) {
      auto& last = static_cast<HolderBase&>(objects_.back());
      last.unlink();  // while it is being destroyed nobody finds it
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
