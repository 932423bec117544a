// SPDX-License-Identifier: MIT
// Prints the JSON of tasks whose names are random bytes. Many of the names are no UTF-8. The note of each task is its
// name in hexadecimal digits. run.sh lets Python read all of it.
#include <cstdio>
#include <errand/errand.hpp>
#include <random>
#include <string>

namespace {

// Bytes at which something begins or ends: control characters, escapes, and the parts of characters in UTF-8.
constexpr unsigned char bytes[] = {0x00, 0x0a, 0x1f, ' ',  '"',  '\\', 'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                   0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};

errand::Coro<> wait() { co_await errand::sleep(std::chrono::hours(1)); }

}  // namespace

int main() {
  std::minstd_rand random(1);
  errand::App app;
  for (int i = 0; i < 20'000; ++i) {
    std::string name;
    std::string digits;
    for (auto left = 1 + random() % 8; left > 0; --left) {
      const unsigned char byte = bytes[random() % sizeof bytes];
      name += static_cast<char>(byte);
      digits += "0123456789abcdef"[byte >> 4];
      digits += "0123456789abcdef"[byte & 15];
    }
    app.add_task(wait(), name, errand::NameTaken::replace).set_note(digits);
  }
  for (int i = 0; i < 3; ++i) app.poll();
  std::puts(errand::to_json(app.snapshot()).c_str());
}
