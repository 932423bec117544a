// SPDX-License-Identifier: MIT
#pragma once

namespace errand::detail {

/// A place in a list. Linked while `next` is not null; a link is never in two lists.
struct Link {
  Link* prev;
  Link* next = nullptr;

  Link() noexcept {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  bool linked() const noexcept { return next != nullptr; }

  void unlink() noexcept {
    prev->next = next;
    next->prev = prev;
    next = nullptr;
  }
};

/// A doubly linked list of links that live elsewhere: the list owns nothing and allocates nothing. Whoever is in it can
/// leave it without knowing it.
class List {
 public:
  List() noexcept { reset(); }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const noexcept { return end_.next == &end_; }
  Link& front() noexcept { return *end_.next; }
  Link& back() noexcept { return *end_.prev; }
  const Link* begin() const noexcept { return end_.next; }
  const Link* end() const noexcept { return &end_; }
  Link* begin() noexcept { return end_.next; }
  Link* end() noexcept { return &end_; }

  void push_back(Link& link) noexcept { insert(end_, link); }
  void push_front(Link& link) noexcept { insert(*end_.next, link); }

  static void insert(Link& before, Link& link) noexcept {
    Link* last = before.prev;
    link.next = &before;
    last->next = &link;
    link.prev = last;
    before.prev = &link;
  }

  Link& pop_front() noexcept {
    Link& first = *end_.next;
    end_.next = first.next;
    first.next->prev = &end_;
    first.next = nullptr;
    return first;
  }

  /// Moves all of `other` to the end of this list.
  void splice_back(List& other) noexcept {
    if (other.empty()) return;
    Link* last = end_.prev;
    last->next = other.end_.next;
    other.end_.next->prev = last;
    end_.prev = other.end_.prev;
    other.end_.prev->next = &end_;
    other.reset();
  }

 private:
  void reset() noexcept { end_.prev = end_.next = &end_; }

  Link end_;
};

}  // namespace errand::detail
