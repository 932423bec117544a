// SPDX-License-Identifier: MIT
// The table of postgres_jobs.cpp, and every statement that reads or changes it.
//
// `attempt` counts how often a job was taken. A worker changes a job only while the job is in the attempt that this
// worker has begun. So a worker that was believed to be dead cannot overwrite what another worker has done since. Five
// failures make a job dead; the loss of its worker is one of them. All times are those of the server's clock.
#pragma once

namespace table {

constexpr auto create = R"(do $$ begin
  perform pg_advisory_xact_lock(hashtext('postgres_jobs'));
  if to_regclass('jobs') is null then
    create table jobs (
      id bigint generated always as identity primary key,
      kind text not null,
      arguments jsonb not null,
      state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'dead', 'cancelled')),
      due timestamptz not null default now(),
      worker text,
      attempt integer not null default 0,
      heartbeat timestamptz,
      failures integer not null default 0,
      result jsonb,
      error text);
    create index jobs_waiting on jobs (due, id) where state = 'waiting';
    create index jobs_running on jobs (heartbeat) where state = 'running';
  end if;
end $$)";

constexpr auto enqueue = R"(with job as (insert into jobs (kind, arguments) values ($1, $2::jsonb) returning id)
select id, pg_notify('jobs', '') from job)";

// [statements]
constexpr auto take = R"(update jobs set state = 'running', worker = $1, attempt = attempt + 1, heartbeat = now()
where id = (select id from jobs where state = 'waiting' and due <= now()
            order by due, id limit 1 for update skip locked)
returning id, attempt, kind, arguments)";

constexpr auto finish = R"(update jobs set state = 'done', result = $4::jsonb, error = null
where id = $1 and worker = $2 and attempt = $3 and state = 'running' returning state)";
// [statements]

constexpr auto fail =
    R"(update jobs set failures = failures + 1, error = $4, due = now() + interval '0.5 s' * 2 ^ failures,
  state = case when failures < 4 then 'waiting' else 'dead' end
where id = $1 and worker = $2 and attempt = $3 and state = 'running' returning state)";

constexpr auto beat = R"(update jobs set heartbeat = now()
where id = $1 and worker = $2 and attempt = $3 and state = 'running' returning state)";

/// A server that has just started gives the workers time to come back.
constexpr auto reclaim =
    R"(update jobs set failures = failures + 1, error = 'the worker ' || worker || ' was lost', due = now(),
  state = case when failures < 4 then 'waiting' else 'dead' end
where id in (select id from jobs where state = 'running' and heartbeat < now() - interval '5 s'
             and pg_postmaster_start_time() < now() - interval '5 s' for update skip locked)
returning id, error)";

constexpr auto give_back =
    R"(with job as (update jobs set state = 'waiting', due = now() where worker = $1 and state = 'running' returning id)
select id, pg_notify('jobs', '') from job)";

constexpr auto cancel = R"(with job as (update jobs set state = 'cancelled'
             where id = $1::bigint and state in ('waiting', 'running') returning id)
select pg_notify('jobs_cancel', id::text) from job)";

constexpr auto count = "select state, count(*) from jobs group by state order by state";

constexpr auto list = R"(select id, kind, state, failures, worker,
  case state when 'running' then to_char(extract(epoch from now() - heartbeat), 'FM999990.0') || ' s ago' end, error
from jobs where state in ('running', 'dead') or state = 'waiting' and failures > 0
order by state, worker, id limit 100)";

}  // namespace table
