# SPDX-License-Identifier: MIT
"""A program under test: its port, its descriptors, and its end."""
import json
import os
import re
import resource
import signal
import subprocess
import tempfile
import time
import urllib.request


def raise_descriptor_limit():
    """As far as it may go; children inherit it. Gives the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def text_of(file):
    return os.pread(file.fileno(), 1 << 24, 0).decode(errors="replace")


class Program:
    """Runs the program. SIGTERM must end it well, and it must report nothing: no failure of a task, no leak, nothing that
    a sanitizer finds."""

    def __init__(self, program, *arguments, directory=None):
        self.stdout, self.stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        command = [os.path.abspath(program), *arguments]
        self.process = subprocess.Popen(command, stdout=self.stdout, stderr=self.stderr, cwd=directory)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error:
            self.process.kill()
            self.process.wait()
            print(text_of(self.stderr)[:4000])
        elif self.process.returncode is None:
            self.stop()

    def output(self):
        """What it has printed."""
        return text_of(self.stdout)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, by=signal.SIGTERM):
        self.process.send_signal(by)
        code = self.process.wait(timeout=30)
        if errors := text_of(self.stderr):
            raise SystemExit(f"the server reports\n{errors[:4000]}")
        if code != 0:
            raise SystemExit(f"the server ended with {code}")


class Server(Program):
    """A program that prints the port that it listens on."""

    def __init__(self, program, *arguments):
        super().__init__(program, *arguments)
        settles(lambda: "127.0.0.1:" in self.output(), True)
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", self.output()).group(1))


class FeedServer(Server):
    """examples/asio_websocket_feed."""

    def __init__(self, program, *arguments):
        super().__init__(program, *arguments)
        self.url = f"http://127.0.0.1:{self.port}"
        settles(self.tasks, ["accept", "tick"])
        time.sleep(0.3)  # until the server has closed the last connection of these requests
        self.descriptors_at_rest = self.descriptors()

    def get(self, path, body=None):
        with urllib.request.urlopen(self.url + path, body, timeout=30) as response:
            return response.read().decode()

    def tasks(self):
        """Their names, without that of the connection which asks."""
        return [task["name"] for task in json.loads(self.get("/tasks")) if task["waits"][0]["what"] != "running"]

    def dispatch(self, message):
        assert self.get("/dispatch", message.encode()) == "dispatched\n"

    def cancel(self, name):
        assert self.get("/cancel", name.encode()) == "cancelled\n"

    def check_rest(self):
        settles(self.tasks, ["accept", "tick"])
        settles(self.descriptors, self.descriptors_at_rest)


def settles(look, wanted, seconds=10):
    """Waits until what `look` gives is as wanted."""
    until = time.monotonic() + seconds
    while (seen := look()) != wanted:
        if time.monotonic() > until:
            raise SystemExit(f"{seen} instead of {wanted}")
        time.sleep(0.02)
