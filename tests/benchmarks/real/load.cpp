// SPDX-License-Identifier: MIT
//   load PORT CONNECTIONS SECONDS
// The client of the echo servers. On each connection it sends 32 bytes, waits until they have come back, and sends the
// next. Prints the requests a second, and the medians and 99th percentiles of their latencies in microseconds.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t request_size = 32;

int checked(ssize_t result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return static_cast<int>(result);
}

struct Connection {
  int fd;
  std::size_t received = 0;
  Clock::time_point sent = {};
  std::uint32_t count = 0;

  void send() {
    char request[request_size] = {};
    std::copy_n(reinterpret_cast<const char*>(&++count), sizeof count, request);
    received = 0;
    sent = Clock::now();
    checked(::send(fd, request, sizeof request, 0), "send");
  }

  /// Takes the bytes that are there. Returns true if the whole answer has come.
  bool receive() {
    char bytes[request_size];
    const int some = checked(::recv(fd, bytes, request_size - received, 0), "recv");
    if (some == 0) throw std::runtime_error("the server has closed a connection");
    if (received == 0 && !std::equal(bytes, bytes + sizeof count, reinterpret_cast<const char*>(&count))) {
      throw std::runtime_error("not what was sent");
    }
    received += static_cast<std::size_t>(some);
    return received == request_size;
  }
};

int connect_to(std::uint16_t port) {
  const int fd = checked(::socket(AF_INET, SOCK_STREAM, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  checked(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
  const int on = 1;
  checked(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "load PORT CONNECTIONS SECONDS\n");
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const auto connections = static_cast<std::size_t>(std::atoi(argv[2]));
  const std::chrono::duration<double> seconds(std::atof(argv[3]));

  const int epoll = checked(::epoll_create1(0), "epoll_create1");
  std::vector<Connection> all;
  for (std::size_t i = 0; i < connections; ++i) all.push_back({connect_to(port)});
  for (auto& connection : all) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    checked(::epoll_ctl(epoll, EPOLL_CTL_ADD, connection.fd, &event), "epoll_ctl");
    connection.send();
  }

  std::vector<double> latencies;
  std::vector<epoll_event> events(connections);
  const auto begin = Clock::now();
  while (Clock::now() - begin < seconds) {
    const int ready = checked(::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 1000), "epoll_wait");
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (!connection.receive()) continue;
      latencies.push_back(std::chrono::duration<double, std::micro>(Clock::now() - connection.sent).count());
      connection.send();
    }
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  if (latencies.empty()) throw std::runtime_error("no answer");
  std::sort(latencies.begin(), latencies.end());
  std::printf("%.0f %.1f %.1f\n", static_cast<double>(latencies.size()) / took.count(), latencies[latencies.size() / 2],
              latencies[latencies.size() * 99 / 100]);
}
