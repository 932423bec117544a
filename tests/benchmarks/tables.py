# SPDX-License-Identifier: MIT
"""The tables and the chart that are written."""
import math
import sys
from html import escape


def markdown(header, rows, words=2):
    """A table whose first columns, as many as `words` says, are text, and the others numbers."""
    aligned = ["---" if column < words else "---:" for column in range(len(header))]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, aligned, *rows))


def write(out, name, text):
    (out / name).write_text(text, encoding="utf-8")
    print(f"\n{text}\n-> {out / name}" if name.endswith(".md") else f"-> {out / name}")


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def cell(value):
    return "" if value is None else number(value)


def gate(out, name, title, rows):
    """Rows of (name, work, floor, errand, cost): writes the table. Returns whether none is over its limit."""
    cells = [[row, work, cell(floor), number(errand), number(cost.budget), number(cost.limit), cost.verdict(errand)]
             for row, work, floor, errand, cost in rows]
    header = ["", "work", "floor", "errand", "budget", "limit", ""]
    write(out, name, f"{title}:\n\n{markdown(header, cells)}")
    over = [row for row, _, _, errand, cost in rows if cost.over(errand)]
    if over:
        print(f"over the limit: {', '.join(over)}", file=sys.stderr)
    return not over


class Chart:
    """Bars of ratios on a logarithmic axis, to the right of 1, a group a workload."""

    LEFT, WIDTH, BAR, GAP, TOP = 320, 560, 11, 14, 64

    def __init__(self, largest, smallest, colours):
        self.colours = colours
        self.low = min(1.0, smallest)
        self.high = max(largest, 2.0) * 1.1
        self.parts = []
        self.y = self.TOP

    def x(self, ratio):
        return self.LEFT + self.WIDTH * math.log(ratio / self.low) / math.log(self.high / self.low)

    def text(self, x, y, text, anchor="start", size=12):
        place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        self.parts.append(f"<text {place}>{escape(text)}</text>")

    def rectangle(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="{colour}"/>')

    def legend(self, names):
        x = self.LEFT
        for name in names:
            self.rectangle(x, 32, 10, 10, self.colours[name])
            self.text(x + 14, 41, name)
            x += 30 + 7 * len(name)

    def group(self, label, ratios):
        self.text(self.LEFT - 10, self.y + self.BAR * len(ratios) / 2 + 4, label, "end")
        for name, ratio in ratios.items():
            ends = sorted((self.x(1), self.x(ratio)))
            self.rectangle(ends[0], self.y, max(1.0, ends[1] - ends[0]), self.BAR - 1, self.colours[name])
            self.text(ends[1] + 4, self.y + 9, f"{ratio:,.1f}" if ratio < 100 else f"{ratio:,.0f}", size=9)
            self.y += self.BAR
        self.y += self.GAP

    def svg(self, title):
        marks = [m * 10**e for e in range(-1, 6) for m in (1, 2, 5) if self.low <= m * 10**e <= self.high]
        lines = [f'<path d="M{self.x(mark):.1f} {self.TOP - 6}V{self.y}" stroke="{"#444" if mark == 1 else "#ddd"}"/>'
                 for mark in marks]
        for mark in marks:
            self.text(self.x(mark), self.y + 14, f"{mark:g}×", "middle", 10)
        self.text(12, 20, title, size=14)
        size = f"{self.LEFT + self.WIDTH + 50} {self.y + 24}"
        return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif">',
                          '<rect width="100%" height="100%" fill="#fff"/>', *lines, *self.parts, "</svg>\n"])


def chart(workloads, medians, colours):
    """Draws the times as multiples of the floor's, if there is a floor. `colours` has the names of the contestants."""
    groups = {}
    for workload in workloads:
        times = medians[workload.name]
        if "floor" in times:
            groups[workload] = {name: times[name].ns / times["floor"].ns for name in colours if name in times}
    ratios = [ratio for group in groups.values() for ratio in group.values()]
    if not ratios:
        return None
    picture = Chart(max(ratios), min(ratios), colours)
    picture.legend(colours)
    for workload, group in groups.items():
        picture.group(f"{workload.name} {workload.work}", group)
    return picture.svg("Time of an operation, as a multiple of the floor's (logarithmic; shorter is better)")
