#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that no header includes a header of a higher floor. A header in a room of detail/ stands on the floor of its
# room. The floors of the public headers are listed in this file.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 - <<'END'
import pathlib
import re
import sys

ROOMS = {"base": 0, "loop": 1, "coro": 2, "task": 3, "app": 6, "posix": 7}
PUBLIC = {
    0: "clock errors name_taken once phase reactor signal task_status version",
    1: "",
    2: "coro generator outcome",
    3: "cancel_task create_task scoped_task task",
    4: "barrier broadcast condition event future interval lock queue semaphore task_local thread time timeout watch",
    5: "finally gather gather_each race retry task_group task_scope wait",
    6: "app config context failure keep_alive observer signals snapshot stats trace",
    7: "asio compiled descriptor errand posix",
}
# The includes of a header of a higher floor that are allowed, and the reasons.
EXCEPTIONS = {
    ("errand/task_scope.hpp", "errand/app.hpp"): "a scope registers the names of its tasks, which only the App can do",
}
IN_NO_ROOM = {"errand/detail/prologue.hpp", "errand/detail/epilogue.hpp"}  # every header includes them, first and last

include = pathlib.Path("include")
floors = {f"errand/{name}.hpp": floor for floor, names in PUBLIC.items() for name in names.split()}
faults = []
seen = set()
headers = sorted(path.relative_to(include).as_posix() for path in include.rglob("*.hpp"))


def floor_of(header):
    if room := re.fullmatch(r"errand/detail/(\w+)/\w+\.hpp", header):
        return ROOMS.get(room[1])
    return floors.get(header)


for header in headers:
    if header in IN_NO_ROOM:
        continue
    floor = floor_of(header)
    if floor is None:
        faults.append(f"{header} stands on no floor: put it into a room, or into the list of tests/rooms.sh")
        continue
    for other in re.findall(r"^#include <(errand/[^>]+)>", (include / header).read_text(), re.M):
        above = floor_of(other)
        if other in IN_NO_ROOM or above is None or above <= floor:
            continue
        if (header, other) in EXCEPTIONS:
            seen.add((header, other))
            continue
        faults.append(f"{header} (floor {floor}) includes {other} (floor {above})")
faults += [f"{name} is in the list of tests/rooms.sh, but there is no such header" for name in floors if name not in headers]
faults += [f"{a} no longer includes {b}: take the exception out of tests/rooms.sh" for a, b in EXCEPTIONS if (a, b) not in seen]

for fault in faults:
    print("FAILED", fault)
if faults:
    sys.exit(1)
print(f"{len(headers) - len(IN_NO_ROOM)} headers, and none includes one of a higher floor", end="")
print(f", but for {len(EXCEPTIONS)}:" if EXCEPTIONS else "")
for (header, other), reason in EXCEPTIONS.items():
    print(f"  {header} includes {other}: {reason}")
END
