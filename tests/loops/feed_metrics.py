# SPDX-License-Identifier: MIT
"""The /metrics of examples/asio_websocket_feed, as `promtool check metrics` reads them.

    python3 tests/loops/feed_metrics.py PROGRAM
"""
import re
import subprocess
import sys
import urllib.request

from server import FeedServer


def metrics(server):
    """Gives the values, by the names without errand_ and the statuses."""
    with urllib.request.urlopen(server.url + "/metrics", timeout=30) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4", response.headers
        text = response.read().decode()
    found = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", ""), (found, text)
    values = re.findall(r'^errand_(\w+){app="feed"(?:,status="(\w+)")?} ([0-9.]+)$', text, re.M)
    assert len(values) == sum(not line.startswith("#") for line in text.splitlines()), text
    return {" ".join(labels).strip(): float(value) for *labels, value in values}


def main():
    with FeedServer(sys.argv[1]) as server:
        before = metrics(server)
        server.get("/later", b"never")
        server.cancel("later: never")
        after = metrics(server)
        ended = {status: after[f"tasks_ended_total {status}"] for status in ("succeeded", "failed", "cancelled")}
        assert ended["cancelled"] == before["tasks_ended_total cancelled"] + 1, (before, after)
        assert after["tasks_added_total"] == sum(ended.values()) + after["tasks_pending"], after
        for name, value in after.items():
            assert "_total" not in name or value >= before[name], (name, before, after)
    print(f"promtool finds no fault with {len(after)} metrics")


main()
