// SPDX-License-Identifier: MIT
// A job queue: workers take jobs from a bounded queue. A job has a time limit and three attempts, and one that fails
// for good goes to the dead letters. All lines of the log name the job that they are about.
#include <chrono>
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct Job {
  int id;
  std::string kind;
  int attempts = 0;
};

errand::TaskLocal<int> job_id;

void log(const std::string& text) {
  const int* id = job_id.get();
  std::cout << std::chrono::duration_cast<std::chrono::seconds>(errand::now().time_since_epoch()).count() << " s, ";
  std::cout << (id ? "job " + std::to_string(*id) : "boss") << ": " << text << '\n';
}

errand::Coro<std::string> execute(Job& job) {
  ++job.attempts;
  if (job.kind == "slow") co_await errand::sleep(1min);
  if (job.kind == "flaky" && job.attempts < 3) throw std::runtime_error("connection lost");
  if (job.kind == "broken") throw std::runtime_error("no such file");
  co_await errand::sleep(1s);
  co_return "done after " + std::to_string(job.attempts) + " attempts";
}

errand::Coro<> worker(errand::Queue<Job>& jobs, std::vector<Job>& dead) {
  while (auto job = co_await jobs.next()) {
    job_id.set(job->id);
    const auto attempt = [&] { return errand::wait_for(execute(*job), 5s); };
    const auto outcome = co_await errand::settled(errand::retry(attempt, {.first = 1s, .attempts = 3}));
    if (outcome.failed()) {
      log("given up: " + outcome.what());
      dead.push_back(*job);
    } else {
      log(outcome.value());
    }
    jobs.task_done();
  }
}

errand::Coro<> run(errand::App& app) {
  errand::Queue<Job> jobs(2);
  std::vector<Job> dead;
  errand::TaskScope workers(app);
  for (int i = 1; i <= 3; ++i) workers.add(worker(jobs, dead), "worker " + std::to_string(i));

  int id = 0;
  for (const char* kind : {"plain", "flaky", "slow", "broken", "plain", "plain"}) {
    Job job{++id, kind};  // not inside the co_await: GCC 12 would destroy it twice
    co_await jobs.put(std::move(job));
    log("put job " + std::to_string(id));
  }
  co_await jobs.join();
  jobs.close();
  co_await workers.join();
  log("all done, " + std::to_string(dead.size()) + " dead letters");
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("jobs", {.clock = &clock});
  app.run(run(app));
}
