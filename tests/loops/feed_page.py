# SPDX-License-Identifier: MIT
"""The page of examples/asio_websocket_feed in headless Chromium: it shows the messages and the tasks.

    python3 tests/loops/feed_page.py PROGRAM [SCREENSHOT.png]
"""
import base64
import json
import re
import subprocess
import sys
import tempfile
import urllib.request

from server import FeedServer, settles

OPTIONS = """--headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run --no-proxy-server
    --disable-background-networking --disable-component-update --disable-sync --window-size=1000,900""".split()


class Browser:
    """Chromium, by as much of WebDriver as is needed."""

    def __init__(self, profile):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if found := re.search(r"successfully on port (\d+)", line):
                break
        self.url = f"http://127.0.0.1:{found.group(1)}/session"
        options = {"args": [*OPTIONS, f"--user-data-dir={profile}"]}
        self.url += "/" + self.send("", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.send("", method="DELETE")
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()

    def send(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["value"]

    def open(self, url):
        self.send("/url", {"url": url})

    def run(self, script):
        """Gives what the script returns."""
        return self.send("/execute/sync", {"script": script, "args": []})

    def submit(self, form, value):
        self.run(f"const form = document.forms[{form}]; form.querySelector('input').value = {json.dumps(value)};"
                 "form.querySelector('button').click()")

    def text(self, element):
        return self.run(f"return document.getElementById('{element}').innerText")

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.send("/screenshot")))


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
