// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

namespace errand::detail {

/// The base of objects that can stand in a list of `T`s. While an object stands in a list, `next` is not null. An
/// object never stands in two lists by one link.
template <class T>
struct LinkOf {
  T* prev;
  T* next = nullptr;

  LinkOf() noexcept {}
  LinkOf(const LinkOf&) = delete;
  LinkOf& operator=(const LinkOf&) = delete;

  bool linked() const noexcept { return next != nullptr; }

  void unlink() noexcept {
    prev->next = next;
    next->prev = prev;
    next = nullptr;
  }
};

/// A doubly linked list of objects that live elsewhere: the list owns nothing and allocates nothing. An object can
/// leave the list without a reference to the list. `End` is the class of the object that marks the end: `T` or a class
/// derived from it.
template <class T, class End = T>
class ListOf {
 public:
  ListOf() noexcept { reset(); }
  ListOf(const ListOf&) = delete;
  ListOf& operator=(const ListOf&) = delete;

  bool empty() const noexcept { return end_.next == &end_; }
  T& front() noexcept { return *end_.next; }
  T& back() noexcept { return *end_.prev; }
  const T* begin() const noexcept { return end_.next; }
  const T* end() const noexcept { return &end_; }
  T* begin() noexcept { return end_.next; }
  T* end() noexcept { return &end_; }

  void push_back(T& link) noexcept { insert(end_, link); }
  void push_front(T& link) noexcept { insert(*end_.next, link); }

  /// Inserts `link` in front of `before`.
  static void insert(T& before, T& link) noexcept {
    T* last = before.prev;
    link.next = &before;
    last->next = &link;
    link.prev = last;
    before.prev = &link;
  }

  /// Takes out the first object. There must be one.
  T& pop_front() noexcept {
    T& first = *end_.next;
    end_.next = first.next;
    first.next->prev = &end_;
    first.next = nullptr;
    return first;
  }

  /// Moves all objects of `other` to the end of this list.
  void splice_back(ListOf& other) noexcept {
    if (other.empty()) return;
    T* last = end_.prev;
    last->next = other.end_.next;
    other.end_.next->prev = last;
    end_.prev = other.end_.prev;
    other.end_.prev->next = &end_;
    other.reset();
  }

 private:
  void reset() noexcept { end_.prev = end_.next = &end_; }

  End end_;
};

struct Link : LinkOf<Link> {};
using List = ListOf<Link>;

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
