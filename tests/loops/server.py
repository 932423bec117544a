# SPDX-License-Identifier: MIT
"""A server under test: its port, its descriptors, and its end."""
import os
import re
import resource
import signal
import subprocess
import time


def raise_descriptor_limit():
    """As far as it may go; children inherit it. Gives the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


class Server:
    """Runs the program, which prints the port that it listens on, and checks that SIGTERM ends it well."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise SystemExit(f"{program} does not say where it listens: {line!r}")
        self.port = int(found.group(1))

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error:
            self.process.kill()
        self.stop()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        """Gives what it printed. With the sanitizers, a leak or an error makes it end with another code than 0."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=30)
        self.output = output
        if self.process.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"the server ended with {self.process.returncode}")


def settles(look, wanted, seconds=10):
    """Waits until what `look` gives is as wanted."""
    until = time.monotonic() + seconds
    while (seen := look()) != wanted:
        if time.monotonic() > until:
            raise SystemExit(f"{seen} instead of {wanted}")
        time.sleep(0.02)
