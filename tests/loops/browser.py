# SPDX-License-Identifier: MIT
"""Headless Chromium."""
import base64
import json
import re
import subprocess
import urllib.request

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
