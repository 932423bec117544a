// SPDX-License-Identifier: MIT
// expect: takes no std::ref and no pointer: give it a copy, a std::string or a std::shared_ptr
#include <errand/errand.hpp>
#include <string>

std::string read_file(const std::string& path);

errand::Coro<std::string> test() {
#ifdef ERRAND_TEST_OK
  co_return co_await errand::to_thread(errand::abandon, read_file, std::string("notes.txt"));
#else
  co_return co_await errand::to_thread(errand::abandon, read_file, "notes.txt");
#endif
}
