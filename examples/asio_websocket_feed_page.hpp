// SPDX-License-Identifier: MIT
// The page of asio_websocket_feed.cpp. It needs no library, and asks only the server that it comes from. Names and
// notes of tasks may come from anyone: the page shows them as text, and never as HTML.
#pragma once

inline constexpr const char* page = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'self' 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>errand: a feed</title>
<style>
  :root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2330; --soft: #5f6b7e; --line: #cfd5de;
          --accent: #2f6fde; --good: #1c7c43; --bad: #b3261e }
  @media (prefers-color-scheme: dark) {
    :root { --page: #12161d; --card: #1b212b; --text: #e4e8ef; --soft: #98a4b6; --line: #3b4656;
            --accent: #78a9ff; --good: #6fd394; --bad: #ff8a80 }
  }
  * { box-sizing: border-box }
  body { font: 15px/1.45 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem;
         background: var(--page); color: var(--text) }
  h1 { font-size: 1.4rem; margin: .25rem 0 1rem }
  h2 { font-size: 1rem; margin: 0 0 .5rem }
  small, .soft { color: var(--soft); font-size: .85rem; font-weight: normal }
  #state::before { content: "● "; color: var(--good) }
  #state.closed::before { color: var(--bad) }
  section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem;
            margin-bottom: 1rem }
  .stats { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem }
  .stats > div { min-width: 0 }
  .stats b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums }
  .stats svg { display: block; width: 100%; height: 2.5rem }
  polyline { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke }
  button, input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line);
                  border-radius: 6px; padding: .2rem .6rem }
  button { cursor: pointer }
  button:hover { border-color: var(--accent) }
  form { display: flex; gap: .5rem }
  input { flex: 1; min-width: 0 }
  #feed { list-style: none; margin: .5rem 0 0; padding: 0; min-height: 6rem; font-variant-numeric: tabular-nums }
  table { width: 100%; border-collapse: collapse }
  th { text-align: left; color: var(--soft); font-weight: normal; font-size: .85rem }
  th:nth-child(2) { width: 18% }
  th:nth-child(6) { width: 40% }
  th, td { padding: .4rem .75rem .4rem 0; vertical-align: top }
  td { border-top: 1px solid var(--line); font-variant-numeric: tabular-nums }
  td:nth-child(4) { white-space: nowrap }
  td:nth-child(2), td:nth-child(5), td:nth-child(6), #feed, #answer { overflow-wrap: anywhere }
  td:nth-child(7) { padding-right: 0; text-align: right }
  .cancelling { color: var(--bad) }
  ul.waits, .waits ul { list-style: none; margin: 0; padding: 0; line-height: 1.35 }
  .waits ul { padding-left: 1.2rem }
  .waits .around { margin-left: -.5rem; color: var(--soft) }
  .waits .branch { position: relative }
  .waits .branch::before, .waits .branch:has(+ .branch)::after {
    content: ""; position: absolute; left: -.9rem; top: -.2rem; width: .65rem; height: .9rem; border: solid var(--line);
    border-width: 0 0 1px 1px }
  .waits .branch:has(+ .branch)::after { width: 0; height: auto; bottom: 0; border-width: 0 0 0 1px }
  footer a { color: var(--accent); margin-right: 1rem }
  @media (max-width: 640px) {
    thead { display: none }
    tr { display: grid; grid-template-columns: 2rem 1fr auto; column-gap: .5rem; padding: .5rem 0;
         border-top: 1px solid var(--line) }
    td { border: 0; padding: .1rem 0 }
    td:nth-child(7) { grid-area: 1 / 3 }
    td:nth-child(3) { grid-area: 2 / 2 }
    td:nth-child(4) { grid-area: 2 / 3; text-align: right }
    td:nth-child(5), td:nth-child(6) { grid-column: 2 / 4 }
  }
</style>
<h1>A feed <small id="state">connecting</small></h1>
<section class="stats">
  <div><span class="soft">pending</span><b id="pending">–</b></div>
  <div><span class="soft">steps/s</span><b id="steps">–</b></div>
  <div><span class="soft">busy</span><b id="busy">–</b></div>
</section>
<section>
  <h2>my.custom.event</h2>
  <form><input value="hello" aria-label="message">
    <button value="/dispatch">dispatch</button> <button value="/later">in a minute</button></form>
  <ul id="feed"></ul>
</section>
<section>
  <h2>Tasks <small id="answer" role="status"></small></h2>
  <table>
    <thead><tr><th>id<th>name<th>status<th>age<th>note<th>waits for<th></thead>
    <tbody id="tasks"></tbody>
  </table>
  <div id="more" class="soft"></div>
</section>
<footer><a href="/tasks.txt">table</a><a href="/tasks">JSON</a><a href="/metrics">metrics</a></footer>
<script>
  const find = (id) => document.getElementById(id);
  const make = (name, ...children) => {  // strings become text
    const element = document.createElement(name);
    element.append(...children);
    return element;
  };
  const post = async (path, body) => {
    const answer = await fetch(path, {method: 'POST', body});
    find('answer').textContent = `${await answer.text()} (${body})`;
  };

  // The feed

  const show = (state, isOpen) => {
    find('state').textContent = state;
    find('state').classList.toggle('closed', !isOpen);
  };
  const ws = new WebSocket(`${location.origin.replace('http', 'ws')}/feed`);
  ws.onopen = () => { show('open', true); ws.send('hello from the page'); };
  ws.onclose = () => show('closed', false);
  ws.onmessage = (message) => {
    find('feed').prepend(make('li', make('small', new Date().toLocaleTimeString(), ' '), message.data));
    while (find('feed').children.length > 5) find('feed').lastChild.remove();
  };
  document.forms[0].onsubmit = (event) => {
    event.preventDefault();
    post(event.submitter.value, document.forms[0].querySelector('input').value);
  };

  // The tasks

  // A line belongs to the nearest line above it whose `inside` is smaller: as an await around it, or as a branch of it,
  // which is two levels deeper.
  const tree = (waits) => {
    const root = make('ul');
    const open = [{inside: -1, list: root}];
    for (const {what, file, line, inside} of waits) {
      while (open.at(-1).inside >= inside) open.pop();
      const above = open.at(-1);
      if (!above.list) above.item.append(above.list = make('ul'));
      const item = make('li', what, make('small', file && ` ${file}:${line}`));
      if (above.item) item.className = inside > above.inside + 1 ? 'branch' : 'around';
      above.list.append(item);
      open.push({inside, item});
    }
    root.className = 'waits';
    return root;
  };

  const age = (seconds) => {
    if (seconds < 100) return `${seconds.toFixed(1)} s`;
    return seconds < 6000 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
  };

  // A row stays as long as its task, so that a click is not lost. Cells change only if the text does.
  const rows = new Map();
  const rowOf = (task) => {
    const cancel = make('button', 'cancel');
    cancel.onclick = () => post('/cancel', task.name);
    const cells = [task.id, task.name, '', '', '', '', task.is_registered ? cancel : ''];
    const row = make('tr', ...cells.map((cell) => make('td', cell)));
    find('tasks').append(row);
    return row;
  };
  const showTasks = (tasks) => {
    const shown = tasks.slice(0, 200);
    const ids = new Set(shown.map((task) => task.id));
    for (const [id, row] of rows) {
      if (!ids.has(id)) { row.remove(); rows.delete(id); }
    }
    for (const task of shown) {
      if (!rows.has(task.id)) rows.set(task.id, rowOf(task));
      const [, , status, time, note, waits] = rows.get(task.id).children;
      [status.textContent, time.textContent, note.textContent] = [task.status, age(task.age), task.note];
      status.className = task.status;
      waits.replaceChildren(tree(task.waits));
    }
    find('more').textContent = tasks.length > shown.length ? `and ${tasks.length - shown.length} more` : '';
  };

  // The counts

  const lines = new Map();
  const draw = (id, value, text) => {
    if (!lines.has(id)) {
      const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
      const line = svg.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'polyline'));
      svg.setAttribute('viewBox', '0 -2 60 24');
      svg.setAttribute('preserveAspectRatio', 'none');
      svg.setAttribute('aria-hidden', 'true');
      find(id).after(svg);
      lines.set(id, {line, values: []});
    }
    const {line, values} = lines.get(id);
    values.push(value);
    if (values.length > 60) values.shift();
    const most = Math.max(...values) || 1;
    const points = values.map((value, i) => `${60 - values.length + i},${(20 - 20 * value / most).toFixed(2)}`);
    line.setAttribute('points', points.join(' '));
    find(id).textContent = text;
  };
  let last;
  const showStats = (stats) => {
    draw('pending', stats.pending, stats.pending);
    if (last) {
      const busy = stats.busy - last.busy, time = busy + stats.asleep - last.asleep;  // in nanoseconds
      draw('steps', (stats.steps - last.steps) / time * 1e9, Math.round((stats.steps - last.steps) / time * 1e9));
      draw('busy', busy / time, `${(busy / time * 100).toFixed(1)} %`);
    }
    last = stats;
  };

  const refresh = async () => {
    try {
      const [tasks, stats] = await Promise.all(['/tasks', '/stats'].map(async (path) => (await fetch(path)).json()));
      showTasks(tasks);
      showStats(stats);
    } catch (error) {
      find('answer').textContent = `no answer from the server (${error.message})`;
    } finally {
      setTimeout(refresh, 1000);
    }
  };
  refresh();
</script>
</html>
)html";
