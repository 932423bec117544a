// SPDX-License-Identifier: MIT
// HTTP with libcurl: its transfers are awaits, and its multi interface is the Reactor of the App.
#pragma once

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <errand/errand.hpp>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#if LIBCURL_VERSION_NUM < 0x075700
#error "curl.hpp needs libcurl 7.87 or later, because older versions may block the loop when a task is cancelled"
#endif

namespace curl {

/// Frees what libcurl has made.
template <auto free>
struct FreedBy {
  void operator()(auto* object) const noexcept { free(object); }
};
/// A request: an easy handle, on which you may set any option of libcurl. `Reactor::perform` itself sets these, and
/// overwrites yours: `WRITEFUNCTION`, `WRITEDATA`, `ERRORBUFFER`, `PRIVATE`, `NOSIGNAL` and `QUICK_EXIT`. All that the
/// options point to, such as a list of headers, must exist until the request ends. Callbacks of your own may
/// use the App, but must not abort a task with a transfer, because libcurl cannot lose a transfer inside a callback.
using Request = std::unique_ptr<CURL, FreedBy<curl_easy_cleanup>>;

/// There was no whole response. The message names the address: "http://host/: Couldn't connect to server".
class Error : public std::runtime_error {
 public:
  Error(CURLcode code, const std::string& address, const char* reason = "")
      : std::runtime_error(address + ": " + (*reason ? reason : curl_easy_strerror(code))), code_(code) {}
  CURLcode code() const noexcept { return code_; }

 private:
  CURLcode code_;
};

/// Any status is a response, also 404 and 500.
struct Response {
  long status = 0;
  std::string address;  // the last one, if there were redirects
  std::string type;     // such as "text/html; charset=utf-8", or empty
  std::string body;     // decompressed
};

/// Makes a request to get an address, http or https. Follows redirects, ten at most.
inline Request get(const std::string& address);

/// Runs libcurl's transfers for the tasks of one App, which it must outlive:
///
///     curl::Reactor reactor;
///     errand::App app("crawl", {.reactor = &reactor});
///     …
///     const curl::Response page = co_await errand::wait_for(reactor.fetch("http://host/"), 10s);
///
/// Connections are kept and used again. There is no time-out but libcurl's for a connection: use `wait_for`. If the
/// task is cancelled or aborted, or the App is destroyed, the transfer ends at once. Only tasks of the App with this
/// Reactor may use it: if another Reactor waits for the App of a task, nobody lets its transfers go on.
class Reactor : public errand::Reactor {
 public:
  Reactor();

  /// Gets an address. A body of more than `most` bytes is an error. Throws `Error`.
  errand::Coro<Response> fetch(std::string address, std::size_t most = 100'000'000) {
    co_return co_await perform(get(address), most);
  }
  /// Performs a request of any kind, as `fetch` does.
  errand::Coro<Response> perform(Request request, std::size_t most = 100'000'000);

  /// Sleeps until a transfer can go on, but no longer than this, and lets it go on. `App::run` does this by itself; a
  /// host that calls `App::poll` has to call it. It also waits for other descriptors, and notes in their `revents` what
  /// has happened.
  void work(std::chrono::milliseconds longest, std::span<curl_waitfd> others = {});

  /// While tasks are ready, this looks once in a millisecond, because a look takes longer than many turns of the App.
  void wait(std::optional<errand::Clock::time_point> until) override {
    const auto left = time_left(until);
    if (left <= left.zero() && errand::Clock::now() < next_look_) return;
    work(left);
    next_look_ = errand::Clock::now() + std::chrono::milliseconds(1);
  }
  void wake() noexcept override { curl_multi_wakeup(multi_.get()); }

 protected:
  static constexpr std::chrono::milliseconds a_day = std::chrono::hours(24);
  /// Returns how long a `wait` may sleep.
  static std::chrono::milliseconds time_left(std::optional<errand::Clock::time_point> until) {
    return until ? std::chrono::ceil<std::chrono::milliseconds>(*until - errand::now()) : a_day;
  }

 private:
  class Transfer;

  static void check(CURLMcode code, const char* call) {
    if (code != CURLM_OK) throw std::runtime_error(std::string(call) + ": " + curl_multi_strerror(code));
  }

  std::unique_ptr<CURLM, FreedBy<curl_multi_cleanup>> multi_;
  errand::Clock::time_point next_look_{};
};

// Implementation

inline void set_text(const Request& request, CURLoption option, const char* text) {
  if (const CURLcode code = curl_easy_setopt(request.get(), option, text)) throw Error(code, text);
}

inline Request get(const std::string& address) {
  if (address.find('\0') != std::string::npos) throw Error(CURLE_URL_MALFORMAT, address.c_str());
  Request request(curl_easy_init());
  if (!request) throw std::bad_alloc();
  set_text(request, CURLOPT_URL, address.c_str());
  set_text(request, CURLOPT_PROTOCOLS_STR, "http,https");
  set_text(request, CURLOPT_ACCEPT_ENCODING, "");  // whatever this libcurl can decompress
  curl_easy_setopt(request.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(request.get(), CURLOPT_MAXREDIRS, 10L);
  return request;
}

inline Reactor::Reactor() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);  // once, because it may not be thread-safe
  multi_.reset(global == CURLE_OK ? curl_multi_init() : nullptr);
  check(multi_ ? curl_multi_wakeup(multi_.get()) : CURLM_INTERNAL_ERROR, "the start of libcurl");
}

/// A transfer under way. It stands in the frame of `perform`, and owns what libcurl writes to. Its destructor takes it
/// from libcurl, however the await has ended.
class Reactor::Transfer {
 public:
  Transfer(CURLM* multi, Request request, std::size_t most) : multi_(multi), most_(most), request_(std::move(request)) {
    CURL* const easy = request_.get();
    curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason_);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);    // because the program may have threads
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a look-up of a name does not hold up the end
    check(curl_multi_add_handle(multi_, easy), "the start of a transfer");
  }
  ~Transfer() { curl_multi_remove_handle(multi_, request_.get()); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Called by `work` when libcurl has ended the transfer.
  static void end(const CURLMsg& message) {
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message.easy_handle, CURLINFO_PRIVATE, &transfer);
    transfer->ended.set_result(message.data.result);
  }

  /// Called after the end. Throws if there is no whole response.
  Response take() {
    const CURLcode code = ended.result();
    if (refusal_ != CURLE_OK) throw Error(refusal_, text(CURLINFO_EFFECTIVE_URL));
    if (code != CURLE_OK) throw Error(code, text(CURLINFO_EFFECTIVE_URL), reason_);
    Response response{0, text(CURLINFO_EFFECTIVE_URL), text(CURLINFO_CONTENT_TYPE), std::move(body_)};
    curl_easy_getinfo(request_.get(), CURLINFO_RESPONSE_CODE, &response.status);
    return response;
  }

  errand::Future<CURLcode> ended;

 private:
  /// Called by libcurl with a part of the body. If it returns another number than `count`, the transfer fails.
  static std::size_t receive(char* bytes, std::size_t, std::size_t count, void* transfer) noexcept {
    Transfer& self = *static_cast<Transfer*>(transfer);
    try {
      if (count > self.most_ - self.body_.size()) {
        self.refusal_ = CURLE_FILESIZE_EXCEEDED;
      } else {
        self.body_.append(bytes, count);
      }
    } catch (const std::bad_alloc&) {
      self.refusal_ = CURLE_OUT_OF_MEMORY;
    }
    return self.refusal_ == CURLE_OK ? count : 0;
  }

  std::string text(CURLINFO info) const {
    const char* found = nullptr;
    curl_easy_getinfo(request_.get(), info, &found);
    return found ? found : "";
  }

  CURLM* const multi_;
  const std::size_t most_;
  std::string body_;
  CURLcode refusal_ = CURLE_OK;  // why `receive` has ended the transfer
  char reason_[CURL_ERROR_SIZE] = "";
  Request request_;  // the last member, because libcurl uses the others until it is freed
};

inline errand::Coro<Response> Reactor::perform(Request request, std::size_t most) {
  Transfer transfer(multi_.get(), std::move(request), most);
  co_await transfer.ended;
  co_return transfer.take();
}

inline void Reactor::work(std::chrono::milliseconds longest, std::span<curl_waitfd> others) {
  CURLM* const multi = multi_.get();
  const auto limit = static_cast<int>(std::clamp(longest, std::chrono::milliseconds(0), a_day).count());
  int count = 0;
  check(curl_multi_poll(multi, others.data(), static_cast<unsigned>(others.size()), limit, nullptr), "curl_multi_poll");
  check(curl_multi_perform(multi, &count), "curl_multi_perform");
  while (const CURLMsg* message = curl_multi_info_read(multi, &count)) {
    if (message->msg == CURLMSG_DONE) Transfer::end(*message);
  }
}

}  // namespace curl
