#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What of include/ the tests have run: see coverage.sh.

coverage.py BUILD_DIRECTORY LIST PERCENT
"""
import collections
import json
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
build, left_out, least = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]), float(sys.argv[3])


def reports():
    for data in sorted(build.rglob("*.gcda")):
        made = subprocess.run(
            ["gcov", "--json-format", "--branch-probabilities", "--stdout", str(data)],
            cwd=build, check=True, capture_output=True, text=True)
        for line in made.stdout.splitlines():
            yield json.loads(line)


# A line of a template counts as run if any instance of the template runs it, and a branch counts as taken if any
# instance takes it.
lines = collections.defaultdict(collections.Counter)
branches = collections.defaultdict(lambda: collections.defaultdict(list))
for report in reports():
    for file in report["files"]:
        path = pathlib.Path(report["current_working_directory"], file["file"]).resolve()
        if not path.is_relative_to(root / "include"):
            continue
        name = str(path.relative_to(root / "include"))
        for line in file["lines"]:
            number = line["line_number"]
            lines[name][number] += line["count"]
            of = branches[name][number]
            # The branches that gcov marks with "throw" do not count: the compiler adds them for exceptions.
            for i, branch in enumerate(b for b in line["branches"] if not b["throw"]):
                if i == len(of):
                    of.append(0)
                of[i] += branch["count"]

if not lines:
    sys.exit("nothing was measured")

# The lines that are left out, and the reasons: `header: text of the line  # reason`, for each line with this text in
# this header.
excused = {}
for entry in left_out.read_text().splitlines():
    if entry and not entry.startswith("#"):
        place, _, reason = entry.rpartition("  # ")
        header, _, text = place.partition(": ")
        if not reason or not text:
            sys.exit(f"{left_out}: no reason, or no line: {entry}")
        excused[header, text.strip()] = False

total = collections.Counter()
not_run = []
print(f"{'header':36}{'lines':>8}{'run':>8}{'branches':>10}{'taken':>8}")
for name in sorted(lines):
    text = (root / "include" / name).read_text().splitlines()
    count = collections.Counter()
    for number, runs in sorted(lines[name].items()):
        key = name, text[number - 1].strip()
        if key in excused:
            excused[key] = True  # the header still has such a line
        if runs == 0 and key in excused:
            count["excused"] += 1
            continue
        count["lines"] += 1
        count["run"] += runs > 0
        if runs == 0:
            not_run.append((name, number, key[1]))
        count["branches"] += len(branches[name][number])
        count["taken"] += sum(taken > 0 for taken in branches[name][number])
    total += count
    row = f"{name:36}{count['lines']:8}{100 * count['run'] / max(1, count['lines']):7.1f}%{count['branches']:10}"
    print(row + (f"{100 * count['taken'] / count['branches']:7.1f}%" if count["branches"] else ""))

percent = 100 * total["run"] / total["lines"]
for name, number, text in not_run:
    print(f"not run: {name}:{number}: {text}")
for (name, text), used in excused.items():
    if not used:
        print(f"there is no such line to leave out: {name}: {text}")
print(f"coverage: {percent:.1f} % of {total['lines']} lines, {100 * total['taken'] / total['branches']:.1f} % of "
      f"{total['branches']} branches; {total['excused']} lines left out")
if percent < least or not all(excused.values()):
    sys.exit(f"less than {least:g} % of the lines, or a list that is out of date")
