// SPDX-License-Identifier: MIT
// Two files, each with a class of its own called Thing, in one program or in two shared libraries.
#include "twins.hpp"

#include <iostream>

int main() {
  int wrong = 0;
  const auto expect = [&wrong](bool is_right, int line) {
    if (is_right) return;
    std::cout << "line " << line << '\n';
    ++wrong;
  };
  errand::App app("twins");
  first.add(app, "first");
  expect(!second.has_in_context(app), __LINE__);
  second.add(app, "second");
  app.run();
  expect(first.is_of_own_type(app, "first") && second.is_of_own_type(app, "second"), __LINE__);
  expect(!first.is_of_own_type(app, "second") && !second.is_of_own_type(app, "first"), __LINE__);
  expect(first.has_in_context(app) && second.has_in_context(app), __LINE__);
  const errand::Signal signal{"a.thing.came", "", first.make_payload()};
  expect(first.is_payload(signal) && !second.is_payload(signal), __LINE__);
  return wrong > 0;
}
