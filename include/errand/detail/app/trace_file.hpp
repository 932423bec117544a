// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>

#include <errand/clock.hpp>
#include <errand/detail/base/text.hpp>

namespace errand::detail {

/// How `fopen` opens a file for writing that child processes do not inherit.
#if defined(_WIN32)
inline constexpr const char* write_mode = "wbN";
#else
inline constexpr const char* write_mode = "wbe";
#endif

/// A file with an array of JSON. An error ends the writing, and is kept: `check` and `close` throw it.
class TraceFile {
 public:
  /// Throws `std::system_error` if the file cannot be opened.
  explicit TraceFile(const std::string& path)
      : path_(printable(path)), file_(std::fopen(path.c_str(), write_mode)), last_written_(Clock::now()) {
    if (!file_) throw std::system_error(errno, std::generic_category(), text({"cannot open the trace '", path_, "'"}));
    std::setvbuf(file_, nullptr, _IONBF, 0);  // the events have a buffer of their own, which has whole lines
  }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;
  ~TraceFile() {
    const bool was_open = is_open();
    finish();
    if (was_open && error_ != 0) std::fprintf(stderr, "errand: cannot write the trace '%s'\n", path_.c_str());
  }

  /// Returns true if events can be written: the file is open, and there was no error.
  bool takes_events() const noexcept { return is_open() && error_ == 0; }
  /// Adds events at the time of the last one. Each of them begins with a comma.
  void add(std::string_view events, Clock::time_point time) {
    if (events.empty()) return;
    if (is_empty_) {
      buffer_.reserve(most + most / 4);
      buffer_ = '[';
      events.remove_prefix(1);
      is_empty_ = false;
    }
    buffer_ += events;
    if (buffer_.size() >= most || time - last_written_ >= std::chrono::milliseconds(100)) {
      write();
      last_written_ = time;
    }
  }
  /// Writes what was added into the file.
  void write() noexcept {
    if (is_open() && std::fwrite(buffer_.data(), 1, buffer_.size(), file_) < buffer_.size()) fail(errno);
    buffer_.clear();
  }
  /// Notes an error, unless there was one before.
  void fail(int error) noexcept {
    if (error_ == 0) error_ = error != 0 ? error : EIO;
  }
  /// Throws the error, if there was one.
  void check() const {
    if (error_ != 0) throw error();
  }
  /// Writes the end of the array and closes the file. Throws the error, if there was one.
  void close() {
    finish();
    check();
  }

  static constexpr std::size_t most = std::size_t{64} * 1024;  // how many bytes are kept until they are written

 private:
  bool is_open() const noexcept { return file_ != nullptr; }
  void finish() noexcept {
    if (!is_open()) return;
    write();
    const char* const end = is_empty_ ? "[\n]\n" : "\n]\n";
    if (std::fputs(end, file_) < 0) fail(errno);
    if (std::fclose(file_) != 0) fail(errno);
    file_ = nullptr;
  }
  std::system_error error() const {
    return {error_, std::generic_category(), text({"cannot write the trace '", path_, "'"})};
  }

  const std::string path_;
  std::FILE* file_;  // null when it is closed
  std::string buffer_;
  Clock::time_point last_written_;
  bool is_empty_ = true;  // no event was added
  int error_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
