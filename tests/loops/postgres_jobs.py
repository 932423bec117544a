# SPDX-License-Identifier: MIT
"""examples/postgres_jobs with a server of its own, which is restarted, and with workers that are killed at random.
Every job must be done, and none of them may be finished twice.

    python3 tests/loops/postgres_jobs.py PROGRAM TEST_OF_THE_CONNECTION
"""
import glob
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from server import settles, text_of

COUNT = 2000
as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # the server refuses to run as root


class Database:
    """A server that listens in a temporary directory alone."""

    def __init__(self):
        self.tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))[-1]
        self.directory = tempfile.mkdtemp(prefix="errand")
        if as_postgres:
            shutil.chown(self.directory, "postgres")
        self.run("initdb", "-D", f"{self.directory}/data", "-A", "trust", "-U", "postgres", "-N")
        self.control("start")
        self.where = f"host={self.directory} user=postgres dbname=postgres"

    def run(self, tool, *arguments):
        command = [*as_postgres, f"{self.tools}/{tool}", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def control(self, command, *arguments):
        options = f"-k {self.directory} -c listen_addresses= -c fsync=off"
        files = ["-D", f"{self.directory}/data", "-l", f"{self.directory}/log"]
        self.run("pg_ctl", *files, "-o", options, "-w", command, *arguments)

    def ask(self, statement):
        """Gives the rows, as lists of texts."""
        psql = ["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", self.where, "-c", statement]
        output = subprocess.run(psql, check=True, stdout=subprocess.PIPE).stdout.decode()
        return [line.split("\t") for line in output.splitlines()]

    def one(self, statement):
        return self.ask(statement)[0][0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.control("stop", "-m", "immediate")
        shutil.rmtree(self.directory)


class Worker:
    all = []

    def __init__(self, name, where=None):
        self.name, self.output, self.errors = name, tempfile.TemporaryFile(), tempfile.TemporaryFile()
        words = [program, "--db", where or db.where, "work", name]
        self.process = subprocess.Popen(words, stdout=self.output, stderr=self.errors)
        Worker.all.append(self)

    def says(self, pattern):
        return bool(re.search(pattern, text_of(self.output), re.MULTILINE))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.has_ended()

    def has_ended(self):
        assert self.process.wait(timeout=30) == 0, text_of(self.output) + text_of(self.errors)


def run(*words, where=None):
    arguments = [program, "--db", where or db.where, *words]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, errors="replace")


def enqueue(kind, *arguments):
    result = run("enqueue", kind, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def fails(status, message, *words, where=None):
    result = run(*words, where=where)
    assert result.returncode == status and message in result.stderr, result
    assert result.stderr.count("\n") == 1 and re.fullmatch("[ -~]*\n", result.stderr), result


def state(job):
    return db.one(f"select state from jobs where id = {job}")


def refuses():
    fails(1, "invalid input syntax for type json", "enqueue", "sum", "[1, 2")
    fails(1, "invalid input syntax for type json", "enqueue", "sum", "\x1b[2J")
    fails(1, "invalid byte sequence", "enqueue", "sum", b'"\xff"')
    fails(1, "there is no kind of job '?[2J'", "enqueue", "\x1b[2J", "1")
    fails(1, "there is no kind of job ''); drop table jobs; --'", "enqueue", "'); drop table jobs; --", "1")
    fails(1, 'invalid input syntax for type bigint: "1 or 1=1"', "cancel", "1 or 1=1")
    fails(1, "there is no job 999999 that waits or runs", "cancel", "999999")
    fails(1, 'database "nothing" does not exist', "status", where=f"host={db.directory} user=postgres dbname=nothing")
    fails(1, "Connection refused", "status", where="host=127.0.0.1 port=1")
    fails(1, 'invalid connection option "nonsense"', "status", where="nonsense=1")
    fails(2, "usage:", "enqueue", "sum")
    fails(2, "usage:", "obey")


def small_cases():
    """While one worker is stopped, until it counts as lost: bad input, a time-out, cancelling and giving back."""
    frozen = Worker("frozen")
    (late,) = enqueue("sleep", "2")
    settles(lambda: state(late), "running")
    frozen.process.send_signal(signal.SIGSTOP)

    lonely = Worker("lonely")
    (endless,) = enqueue("sleep", "1e999")
    settles(lambda: state(endless), "running")
    other = Worker("\x1b[2J")
    refuses()
    cancelled = enqueue("sleep", "9", "9", "9", "9")
    settles(lambda: [state(job) for job in cancelled], ["running"] * 4)
    for job in cancelled:
        assert run("cancel", job).returncode == 0
        assert state(job) == "cancelled"
    # Sometimes the heartbeat finds it before the notification comes, but not each time.
    told = f"^job ({'|'.join(cancelled)}): cancelled$"
    settles(lambda: lonely.says(told) or other.says(told), True)
    db.ask("""insert into jobs (kind, arguments) values
      (E'\\x1b[2J', '1'), ('sum', '"\\u009b2J"'), ('sum', ('1' || repeat('0', 400))::jsonb)""")
    settles(lambda: db.one("select count(*) from jobs where failures > 0 and kind <> 'sleep'"), "3")

    lost = Worker("lost", where="host=127.0.0.1 port=1")
    settles(lambda: lost.says("^connection: connect: .*Connection refused"), True)
    lost.process.send_signal(signal.SIGTERM)  # it tries for 3 s to reach the server

    slow = Worker("slow")
    settles(lambda: slow.says("^connected$"), True)
    jobs = enqueue("sleep", *["3", "9"] * 8)
    slow.stop()  # ends those of 3 s, if it has some, and gives back those of 9 s
    assert slow.says(r"^\d jobs are given back$")
    assert db.one(f"select count(*) from jobs where id in ({','.join(jobs)}) and failures > 0") == "0"

    settles(lambda: db.ask(f"select attempt, state from jobs where id = {late}"), [["2", "done"]], 20)
    frozen.process.send_signal(signal.SIGCONT)
    settles(lambda: frozen.says(f"^job {late}: not this worker's any more|^job {late}: .* was lost"), True)
    frozen.stop()
    lost.has_ended()
    settles(lambda: db.one(f"select error from jobs where id = {endless}"), "timed out", 15)
    shown = run("status")
    assert shown.returncode == 0 and "timed out" in shown.stdout and "lonely-" in shown.stdout, shown
    assert re.fullmatch("[ -~\n]*", shown.stdout), shown
    lonely.kill()
    other.kill()


def chaos():
    kinds = [
        ("sum", "jsonb_build_array(n, 2 * n)"),
        ("sleep", "to_jsonb(random() / 2)"),
        ("fail_sometimes", "'0.05'::jsonb"),
    ]
    for kind, arguments in kinds:
        rows = f"select '{kind}', {arguments} from generate_series(1, {COUNT // 3 - 20}) n"
        db.ask(f"insert into jobs (kind, arguments) {rows}")
    workers = [Worker(name) for name in "abc"]
    killed, is_restarted = 0, False
    enqueue("sleep", *["0.1"] * (COUNT - int(db.one("select count(*) from jobs"))))

    def left():
        return int(db.one("select count(*) from jobs where state <> 'done'"))

    while (count := left()) > 200:
        time.sleep(random.uniform(0.2, 1.5))
        if not is_restarted and count < COUNT / 2:
            db.control("restart", "-m", "immediate")
            is_restarted = True
        index = random.randrange(3)
        if random.random() < 0.2:
            workers[index].stop()
        else:
            workers[index].kill()
            killed += 1
        workers[index] = Worker(workers[index].name)
    assert is_restarted
    settles(left, 0, 60)
    for worker in workers:
        worker.stop()

    assert db.ask("select state, count(*) from jobs group by state") == [["done", str(COUNT)]]
    is_odd = "attempt <= failures or failures > 4 or result is null or error is not null or worker is null"
    is_wrong = "kind = 'sum' and result <> to_jsonb(3 * (arguments->>0)::numeric)"
    assert db.ask(f"select * from jobs where {is_odd} or {is_wrong}") == []
    output = "".join(text_of(worker.output) for worker in Worker.all)
    finished = re.findall(r"^job (\d+): done", output, re.MULTILINE)
    assert len(finished) == len(set(finished)), "a job was finished twice"
    twice = db.one("select count(*) from jobs where attempt > 1")
    print(f"{COUNT} jobs done, {killed} workers killed, {twice} jobs taken more than once, the server restarted once")


def main():
    seed = random.randrange(1 << 32)
    random.seed(seed)
    print(f"seed {seed}", flush=True)
    try:
        subprocess.run([sys.argv[2], db.where, db.where.replace("host=", "host=/nowhere,")], check=True, timeout=60)
        small_cases()
        db.ask("truncate jobs")
        Worker.all.clear()
        chaos()
        for worker in Worker.all:
            assert text_of(worker.errors) == "", text_of(worker.errors)
    except BaseException:
        for worker in Worker.all:
            worker.process.kill()
            print(f"-- {worker.name}\n{text_of(worker.output)[-3000:]}\n{text_of(worker.errors)[-3000:]}")
        raise


program = sys.argv[1]
with Database() as db:
    main()
