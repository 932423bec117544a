// SPDX-License-Identifier: MIT
// Counts the lines and words of files in the background, with one named task for each file. One task is cancelled by
// its name, one fails, and neither disturbs the others.
//
//   background_tasks [FILE...]      if no file is given, it counts the headers of errand
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <errand/errand.hpp>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "terminal.hpp"

#ifndef ERRAND_INCLUDE_DIR
#define ERRAND_INCLUDE_DIR "include"
#endif

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

const bool on_terminal = is_terminal(stdout);

struct File {
  fs::path path;
  std::string name;
};

void add(std::vector<File>& files, File file) {
  if (std::ranges::find(files, file.name, &File::name) == files.end()) files.push_back(std::move(file));
}

struct Count {
  std::size_t lines = 0;
  std::size_t words = 0;
};

struct Progress {
  std::size_t files = 0;
  std::size_t ended = 0;
  errand::Condition changed = {};
};

void erase_progress_line() {
  if (on_terminal) std::cout << '\r' << std::string(60, ' ') << '\r';
}

errand::AsyncGenerator<std::string> slices_of(fs::path path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open it");
  std::error_code no_size;
  const std::uintmax_t size = fs::file_size(path, no_size);
  std::string slice(no_size ? 4096 : std::clamp<std::uintmax_t>(size / 64, 512, 1 << 20), '\0');
  while (file.read(slice.data(), static_cast<std::streamsize>(slice.size())) || file.gcount() > 0) {
    slice.resize(static_cast<std::size_t>(file.gcount()));
    co_yield slice;
  }
  if (file.bad()) throw std::runtime_error("cannot read it");
}

errand::AsyncGenerator<std::string> endless() {
  while (true) co_yield "and so on\n";
}

errand::Coro<Count> count(errand::AsyncGenerator<std::string> slices) {
  Count sum;
  bool in_word = false;
  while (const auto slice = co_await slices.next()) {
    for (const unsigned char c : *slice) {
      const bool was_in_word = std::exchange(in_word, !std::isspace(c));
      sum.words += in_word && !was_in_word;
      sum.lines += c == '\n';
    }
    if (on_terminal) {
      co_await errand::sleep(8ms);  // slow enough to watch
    } else {
      co_await errand::yield();
    }
  }
  co_return sum;
}

errand::Coro<Count> count_file(fs::path path, Progress& progress) {
  struct End {
    Progress& progress;
    ~End() {
      ++progress.ended;
      progress.changed.notify_all();
    }
  } end{progress};
  co_return co_await count(slices_of(path));
}

errand::Coro<> draw_progress(const Progress& progress) {
  constexpr std::size_t width = 24;
  auto interval = errand::every(40ms);
  while (true) {
    co_await interval.tick();
    const std::size_t filled = width * progress.ended / progress.files;
    std::cout << "\rcounting [" << std::string(filled, '#') << std::string(width - filled, '.') << "] "
              << progress.ended << " of " << progress.files << " files" << std::flush;
  }
}

errand::Coro<> print_progress(Progress& progress) {
  std::size_t shown = 0;
  for (std::size_t quarter = 1; quarter <= 4; ++quarter) {
    const std::size_t goal = progress.files * quarter / 4;
    if (goal == std::exchange(shown, goal)) continue;
    co_await progress.changed.wait([&] { return progress.ended >= goal; });
    std::cout << "counted " << goal << " of " << progress.files << " files\n";
  }
}

/// Waits for the task that counts this file, and prints its result.
errand::Coro<Count> print_row(errand::App& app, std::string name, std::size_t width) {
  std::cout << std::left << std::setw(static_cast<int>(width)) << name;
  Count sum;
  try {
    sum = co_await app.get_task<Count>("count:" + name);
    std::cout << std::right << std::setw(8) << sum.lines << std::setw(8) << sum.words << '\n';
  } catch (const errand::TaskCancelled& cancelled) {
    std::cout << "  cancelled: " << cancelled.reason() << '\n';
  } catch (const std::exception& error) {
    std::cout << "  failed: " << error.what() << '\n';
  }
  co_return sum;
}

errand::Coro<> demo(errand::App& app, std::vector<File> files) {
  add(files, {"no-such-file.txt", "no-such-file.txt"});
  Progress progress{.files = files.size()};
  errand::TaskScope tasks(app);  // declared after progress, so that the tasks end before it is destroyed
  for (const File& file : files) tasks.add(count_file(file.path, progress), "count:" + file.name);
  tasks.add(count(endless()), "count:(endless)");
  tasks.add(on_terminal ? draw_progress(progress) : print_progress(progress), "progress");

  co_await progress.changed.wait([&] { return progress.ended == progress.files; });
  co_await app.cancel_task("progress");
  erase_progress_line();
  co_await app.cancel_task("count:(endless)", "it has no end");

  files.push_back({{}, "(endless)"});
  std::size_t width = 0;
  for (const File& file : files) width = std::max(width, file.name.size());
  std::cout << '\n' << std::left << std::setw(static_cast<int>(width)) << "file" << "   lines   words\n";
  Count total;
  for (const File& file : files) {
    const Count sum = co_await print_row(app, file.name, width);
    total.lines += sum.lines;
    total.words += sum.words;
  }
  std::cout << std::left << std::setw(static_cast<int>(width)) << "total" << std::right << std::setw(8) << total.lines
            << std::setw(8) << total.words << "\n\n";

  const std::size_t purged = app.purge_tasks();
  std::cout << "purged " << purged << " tasks, " << app.tasks().size() << " left\n";
}

std::vector<File> headers() {
  const fs::path root = ERRAND_INCLUDE_DIR;
  std::vector<File> files;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(root, error)) {
    if (entry.path().extension() != ".hpp") continue;
    files.push_back({entry.path(), entry.path().lexically_relative(root).generic_string()});
  }
  std::ranges::sort(files, {}, &File::name);
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<File> files;
  for (int i = 1; i < argc; ++i) add(files, {argv[i], argv[i]});
  if (files.empty()) files = headers();

  errand::App app("demo", {.on_failure = [](const errand::TaskFailure& failure) {
                    erase_progress_line();
                    std::cout << "reported: " << failure.name() << ": " << failure.what() << '\n';
                  }});
  app.run(demo(app, std::move(files)));
}
