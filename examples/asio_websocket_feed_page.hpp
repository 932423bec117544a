// SPDX-License-Identifier: MIT
// The page of asio_websocket_feed.cpp.
#pragma once

inline constexpr const char* page = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>errand: a feed</title>
<style>
  body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #223 }
  h1 small { font-size: 1rem; font-weight: normal; color: #282 }
  h1 small.closed { color: #a22 }
  pre, ul { margin: .5rem 0 2rem; background: #f4f5f8; border-radius: 6px; padding: 1rem; min-height: 3rem; overflow: auto }
  ul { list-style: none }
</style>
<h1>A feed <small id="state">connecting</small></h1>
<h2>my.custom.event</h2>
<form data-path="/dispatch"><input value="hello"> <button>dispatch</button></form>
<ul id="feed"></ul>
<h2>Tasks</h2>
<form data-path="/cancel"><input value="tick"> <button>cancel</button></form>
<pre id="tasks"></pre>
<script>
  const [state, feed, tasks] = ['state', 'feed', 'tasks'].map((id) => document.getElementById(id));

  const ws = new WebSocket(`ws://${location.host}/feed`);
  ws.onopen = () => { state.textContent = 'open'; ws.send('hello from the page'); };
  ws.onclose = () => { state.textContent = 'closed'; state.className = 'closed'; };
  ws.onmessage = (message) => {
    const item = document.createElement('li');
    item.textContent = `${new Date().toLocaleTimeString()}  ${message.data}`;
    feed.prepend(item);
    while (feed.children.length > 8) feed.lastChild.remove();
  };

  for (const form of document.forms) {
    form.onsubmit = (event) => {
      event.preventDefault();
      fetch(form.dataset.path, {method: 'POST', body: form.querySelector('input').value});
    };
  }

  const showTasks = async () => { tasks.textContent = await (await fetch('/tasks')).text(); };
  showTasks();
  setInterval(showTasks, 500);
</script>
</html>
)html";
