// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

namespace errand::detail {

/// A place in a list of `T`s, which derive from it. Linked while `next` is not null; a link is never in two lists.
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

/// A doubly linked list of links that live elsewhere: the list owns nothing and allocates nothing. Whoever is in it can
/// leave it without knowing it. `End` is a `T` that stands for its end.
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

  static void insert(T& before, T& link) noexcept {
    T* last = before.prev;
    link.next = &before;
    last->next = &link;
    link.prev = last;
    before.prev = &link;
  }

  T& pop_front() noexcept {
    T& first = *end_.next;
    end_.next = first.next;
    first.next->prev = &end_;
    first.next = nullptr;
    return first;
  }

  /// Moves all of `other` to the end of this list.
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
