# SPDX-License-Identifier: MIT
"""The page of examples/web in headless Chromium: its tasks run, end and are cancelled by their buttons.

    python3 tests/loops/web_page.py DIRECTORY

The directory has tasks.html, and tasks.js and tasks.wasm, which em++ made.
"""
import functools
import http.server
import json
import sys
import tempfile
import threading

from browser import Browser
from server import settles


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def table(browser):
    """Gives the text of each cell, by the name of the task."""
    rows = browser.run("""return [...document.querySelectorAll('#tasks tr')].map((row) =>
        [...row.cells].map((cell) => cell.textContent))""")
    return {row[1]: row for row in rows}


def click_cancel(browser, name):
    browser.run(f"""[...document.querySelectorAll('#tasks tr')]
        .find((row) => row.cells[1].textContent === {json.dumps(name)}).querySelector('button').click()""")


def main():
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=sys.argv[1]))
    threading.Thread(target=files.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(profile) as browser:
        browser.open(f"http://127.0.0.1:{files.server_port}/tasks.html")
        settles(lambda: list(table(browser)), ["count to 1000"])
        row = table(browser)["count to 1000"]
        assert row[2] == "pending" and row[4].startswith("sleep tasks.cpp:"), row
        settles(lambda: int(table(browser)["count to 1000"][3].split()[0]) > 3, True)

        browser.submit(0, "count to 10")
        settles(lambda: "count to 10: succeeded" in browser.text("lines"), True)
        browser.submit(0, "<b>long</b>")
        settles(lambda: "<b>long</b>" in table(browser), True)
        click_cancel(browser, "<b>long</b>")
        settles(lambda: browser.text("lines").split("\n")[1:3], ["a task cleans up", "<b>long</b>: cancelled"])
        settles(lambda: list(table(browser)), ["count to 1000"])
    files.shutdown()
    print("the page runs tasks, and cancels them by their buttons")


main()
