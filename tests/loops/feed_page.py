# SPDX-License-Identifier: MIT
"""The page of examples/asio_websocket_feed in headless Chromium: it shows the messages and the tasks.

    python3 tests/loops/feed_page.py PROGRAM [SCREENSHOT.png]
"""
import sys
import tempfile

from browser import Browser
from server import FeedServer, settles

def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, FeedServer(sys.argv[1]) as server:
        with Browser(profile) as browser:
            browser.open(server.url + "/")
            settles(lambda: browser.text("state"), "open")
            settles(lambda: "tick" in browser.text("feed"), True)
            server.dispatch("from elsewhere <b>")
            settles(lambda: "from elsewhere <b>" in browser.text("feed"), True)
            browser.submit(0, "from the form")
            settles(lambda: "from the form" in browser.text("feed"), True)
            settles(lambda: "receiver:" in browser.text("tasks"), True)
            settles(lambda: "Received: hello from the page" in server.output(), True)
            if len(sys.argv) > 2:
                browser.screenshot(sys.argv[2])
            browser.submit(1, next(name for name in server.tasks() if name.startswith("receiver:")))
            settles(lambda: browser.text("state"), "closed")
        server.check_rest()

        with Browser(profile) as browser:
            browser.open(server.url + "/")
            settles(lambda: browser.text("state"), "open")
            server.stop()
            settles(lambda: browser.text("state"), "closed")
    print("the page shows the feed and the tasks; no task and no descriptor is left")


main()
