# SPDX-License-Identifier: MIT
"""Commands of gdb that show the tasks of errand, in a process that hangs or in a core file:

    (gdb) source /usr/local/include/errand/gdb.py
    (gdb) errand tasks

prints, for every App of the process, the table that `App::dump_tasks` would write. No function of the process is
called, because in a core file none can run: all is read from memory, as the debug information describes it. So the
program has to be built with -g, not -g1. The level of optimisation does not matter.

From the top to the bottom: the memory of a process; the objects in it; the classes of errand that are read; the table;
the commands. If a header no longer has a name that is read here, the commands say which.
"""

import bisect
import contextlib
import functools
import itertools
import re
import sys
import time
import typing

import gdb

# The variable from which every loop can be reached, and the end of the path of its header.
ROOT = "errand::detail::all_loops"
HEADER_OF_ROOT = b"detail/loop/loops.hpp"

# The kinds of waits whose text is not the name of the enumerator.
NAMES_OF_KINDS = {
    "follower": b"",
    "task_cancel": b"task",
    "task_end": b"task",
    "queue_next": b"queue",
    "task_group": b"TaskGroup",
}
KINDS_OF_TASK_WAITS = {"task", "task_cancel", "task_end"}

# The states of a chain that waits for nothing, and those in which it waits.
NAMES_OF_STATES = {
    "created": b"not started",
    "running": b"running",
    "yielding": b"yield",
    "ready": b"ready",
    "ended": b"ready",
}
WAITING_STATES = {"waiting", "halted", "branching"}

# All enumerators that are known here, by their types.
ENUMERATORS = {
    "errand::detail::Kind": {*NAMES_OF_KINDS, *KINDS_OF_TASK_WAITS},
    "errand::detail::Chain::State": {*NAMES_OF_STATES, *WAITING_STATES},
}


class Unreadable(Exception):
    """What is in memory makes no sense: the process stopped in the middle of a change, or memory was overwritten."""


UNREADABLE = b"(cannot be read)"
UNREADABLE_ERRORS = (Unreadable, gdb.MemoryError)


def readable(read, otherwise=UNREADABLE):
    """What `read` returns, or this text if it cannot be read."""
    try:
        return read()
    except UNREADABLE_ERRORS:
        return otherwise


def misfit(what):
    """The error if a header and this file do not fit each other."""
    return gdb.GdbError(f"This gdb.py is not the one of the program's errand: {what}.")


class Memory:
    """The memory of the process."""

    MOST = 1 << 20  # no text is longer

    def __init__(self):
        self._process = gdb.selected_inferior()
        self.pointer_size = gdb.lookup_type("void").pointer().sizeof
        self.is_little = "little" in gdb.execute("show endian", to_string=True)

    def read(self, address, size):
        if size > self.MOST or not 0 <= address < 1 << 8 * self.pointer_size:
            raise Unreadable()
        return bytes(self._process.read_memory(address, size)) if size > 0 else b""

    def number(self, address, size, signed=False):
        return int.from_bytes(self.read(address, size), "little" if self.is_little else "big", signed=signed)

    def pointer(self, address):
        return self.number(address, self.pointer_size)

    def text(self, address):
        """The bytes of a text that ends with a zero."""
        step = 64  # so that no piece reaches into the next page, which perhaps cannot be read
        text = b""
        while len(text) < self.MOST:
            text += self.read(address, step - address % step)
            if b"\0" in text:
                return text[: text.index(b"\0")]
            address += step - address % step
        raise Unreadable()


class Type:
    """A type of the program, of which the parts that were looked up are kept."""

    def __init__(self, its_type):
        self._type = its_type.strip_typedefs()
        self.name = self._type.name
        self.size = self._type.sizeof
        self.member = functools.lru_cache(None)(self._member)
        self.offset_of_base = functools.lru_cache(None)(self._offset_of_base)

    @functools.cached_property
    def target(self):
        """The type to which this pointer or reference points, or the one of the items of this array."""
        return Type(self._type.target())

    @functools.cached_property
    def enumerators(self):
        """The names of the enumerators by their values."""
        names = {field.enumval: field.name.rpartition("::")[2] for field in self._type.fields()}
        for name in ENUMERATORS[self.name].difference(names.values()):
            raise misfit(f"there is no {self.name}::{name}")
        return names

    def _member(self, name):
        """The offset and the type of a member, also if it is one of a base or of an anonymous union."""
        is_class = self._type.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)
        found = self._find_member(self._type, name) if is_class else None
        if not found:
            raise misfit(f"there is no {self.name}::{name}")
        return found

    def _find_member(self, of, name):
        for field in of.fields():
            if not hasattr(field, "bitpos"):  # static
                continue
            if field.name == name and not field.is_base_class:
                return field.bitpos // 8, Type(field.type)
            if field.is_base_class or not field.name:
                found = self._find_member(field.type.strip_typedefs(), name)
                if found:
                    return field.bitpos // 8 + found[0], found[1]
        return None

    def _offset_of_base(self, name):
        offsets = list(self._find_bases(self._type, name))
        if len(offsets) != 1:
            raise misfit(f"{self.name} has {len(offsets)} bases {name}")
        return offsets[0]

    def _find_bases(self, of, name):
        if of.name == name:
            yield 0
        for field in of.fields():
            if field.is_base_class:
                for offset in self._find_bases(field.type.strip_typedefs(), name):
                    yield field.bitpos // 8 + offset


class Object:
    """An object in memory: a type and an address."""

    def __init__(self, library, its_type, address):
        if address == 0:
            raise Unreadable()
        self._library = library
        self._memory = library.memory
        self.type = its_type
        self.address = address

    def __getitem__(self, member):
        """A member, also of a base or of an anonymous union."""
        offset, its_type = self.type.member(member)
        return Object(self._library, its_type, self.address + offset)

    def __int__(self):
        """The value of a number, an enumerator or a pointer, also of one that is all that an object consists of: a
        reference, an Owner, an atomic, a handle of a coroutine."""
        return self._memory.number(self.address, self.type.size)

    def time(self):
        """The nanoseconds of a std::chrono::time_point."""
        return self._memory.number(self.address, 8, signed=True)

    def string(self):
        """The bytes of a std::string. Clang writes no members of it into the debug information, but the ABI of each
        standard library fixes them."""
        memory, size = self._memory, self._memory.pointer_size
        if "std::__cxx11::" in self.type.name:  # libstdc++
            return memory.read(memory.pointer(self.address), memory.pointer(self.address + size))
        if "std::__" not in self.type.name:  # libstdc++ with the older ABI
            text = memory.pointer(self.address)
            return memory.read(text, memory.pointer(text - 3 * size))
        first = memory.number(self.address, 1)  # libc++
        if first & (1 if memory.is_little else 0x80):
            return memory.read(memory.pointer(self.address + 2 * size), memory.pointer(self.address + size))
        return memory.read(self.address + 1, first >> 1 if memory.is_little else first)

    def enumerator(self):
        """The name of the enumerator that this is."""
        names = self.type.enumerators
        if int(self) not in names:
            raise Unreadable()
        return names[int(self)]

    def items(self, count):
        """The first objects of an array."""
        item = self.type.target
        if count * item.size > self.type.size:
            raise Unreadable()
        return [Object(self._library, item, self.address + i * item.size) for i in range(count)]

    def target(self, name):
        """The object of this class of errand to which this pointer points."""
        return self._library.object(name, int(self))

    def base(self, name):
        """The base of this class of errand, as static_cast gives it."""
        base = self._library.type(name)
        return Object(self._library, base, self.address + self.type.offset_of_base(base.name))

    def derived(self, name):
        """The object of this class of errand whose base this is, as static_cast gives it."""
        derived = self._library.type(name)
        return Object(self._library, derived, self.address - derived.offset_of_base(self.type.name))


class Library:
    """The types of errand, as this program has them. They are looked up anew for each command, because the program may
    have been built anew."""

    def __init__(self):
        self.memory = Memory()
        self.headers = ()  # how the paths of errand's own headers begin
        self.type = functools.lru_cache(None)(self._type)
        self.text = functools.lru_cache(None)(self.memory.text)

    def object(self, name, address):
        return Object(self, self.type(name), address)

    def links(self, places):
        """The links of a list. Each is given once, so that this comes to an end, whatever is in memory."""
        end = places["end_"].address
        address = int(places["end_"]["next"])
        seen = set()
        while address != end:
            if address in seen:
                raise Unreadable()
            seen.add(address)
            link = self.object("detail::Link", address)
            address = int(link["next"])
            yield link

    def _type(self, name):
        try:
            found = gdb.lookup_type("errand::" + name)
            if found.strip_typedefs().fields():
                return Type(found)
        except (gdb.error, TypeError):
            pass
        raise gdb.GdbError(
            f"There is no debug information for errand::{name}. Build all files of the program with -g, not -g1, "
            "also the one that includes errand/compiled.hpp if there is one."
        )


class Clock(typing.NamedTuple):
    """The time of an App, in nanoseconds."""

    now: int
    is_exact: bool


class Loop:
    """The loop of an App."""

    def __init__(self, library, loop):
        self._library = library
        self._loop = loop

    def is_of_app(self):
        """False if the App has ended, and only handles keep the loop."""
        return int(self._loop["app"]) != 0

    def heading(self):
        """The name of the App, its worker if a run has several, and whether a thread is inside the App."""
        app = self._loop["app"].target("App")
        driver = app["engine_"].target("detail::Engine")["driver"]
        worker = int(driver["worker"])
        yield b"App '%s'" % app["name_"].string()
        if worker > 0 or int(driver["options"]["workers"]) > 1:
            yield b"worker %d" % worker
        yield b"running" if int(self._loop["thread_inside_"]) else b"not running"
        if not self._clock.is_exact:
            yield b"ages as of the last time that the loop has read its clock"

    def tasks(self):
        """The pending tasks, in the order in which they were added."""
        for link in self._library.links(self._loop["pending"]):
            yield Task(self._library, link.derived("detail::TaskBase"))

    def age(self, task):
        """The nanoseconds since a task was added."""
        ids, times = self._notes
        place = bisect.bisect_left(ids, task.id)
        return self._clock.now - times[place] if place < len(ids) else 0

    @functools.cached_property
    def _notes(self):
        """The ids and the times that the loop has noted."""
        ages = self._loop["ages"]
        notes = ages["notes_"].items(int(ages["size_"]))
        return [int(note["id"]) for note in notes], [note["time"].time() for note in notes]

    @functools.cached_property
    def _clock(self):
        """In a core file, and if the App has a clock of the user's, the time is the last one that the loop has read:
        for its timers, or to note how old its tasks are."""
        if int(self._loop["manual_"]):
            return Clock(self._loop["manual_"].target("ManualClock")["now_"].time(), True)
        last = max([self._loop["time_seen_"].time(), *self._notes[1]])
        now = None if int(self._loop["clock_"]) else steady_time()
        return Clock(last, False) if now is None or now < last else Clock(now, True)


class Task:
    """A pending task."""

    def __init__(self, library, task):
        self._library = library
        self._task = task

    @property
    def id(self):
        return self._word >> 1 if self._details is None else int(self._details["id"])

    @property
    def name(self):
        name = b"" if self._details is None else self._details["name"].string()
        return name or b"Task-%d" % self.id

    @property
    def status(self):
        return b"cancelling" if int(self._task["requests"]) > 0 else b"pending"

    @property
    def note(self):
        if self._details is None or not int(self._details["extras"]):
            return b""
        note = self._details["extras"].target("detail::TaskExtras")["note"]["object_"]
        return Object(self._library, note.type.target, int(note)).string() if int(note) else b""

    @property
    def waits(self):
        """What the task waits for, in lines."""
        return Waits(self._library, self._task.base("detail::Chain")).lines

    @functools.cached_property
    def _word(self):
        """The id, above a bit that is set, or the address of the details."""
        return int(self._task["identity"]["word_"])

    @functools.cached_property
    def _details(self):
        return None if self._word & 1 else self._library.object("detail::TaskDetails", self._word)


class Coroutine:
    """A coroutine of a chain."""

    def __init__(self, library, handle):
        self._library = library
        # A handle is the address of two functions, which stand in front of the promise.
        self._promise = library.object("detail::PromiseBase", handle + 2 * library.memory.pointer_size)

    @property
    def parent(self):
        """The handle of the coroutine that awaits this one; 0 for the outermost."""
        return int(self._promise["parent"])

    @property
    def has_awaited(self):
        return int(self._promise["line"]) > 0

    @property
    def has_place(self):
        """True if this is a coroutine of the user's that has awaited something."""
        return self.has_awaited and not self._file.startswith(self._library.headers)

    @property
    def place(self):
        """The file, without its folders, and the line of the last await."""
        return b"%s:%d" % (re.split(rb"[/\\]", self._file)[-1], int(self._promise["line"]))

    @functools.cached_property
    def _file(self):
        of = self._promise
        if int(of["is_skewed"]):
            of = of["skewed"].target("detail::SkewedFrame")
        return self._library.text(int(of["file"]))


class Waits:
    """What a chain waits for, in lines: those of the class `WaitCollector` in errand/detail/app/collector.hpp."""

    MOST = 8  # how many awaits or branches are shown
    DEEPEST = 16  # the largest indentation of a branch
    COUNTED = 1000  # how many of the others are counted
    ROOM = 40  # how many lines there may be

    def __init__(self, library, chain):
        self._library = library
        self.lines = []
        try:
            self._add(chain, 0)
        except UNREADABLE_ERRORS:
            self._line(2, UNREADABLE)
        if len(self.lines) == self.ROOM:
            self.lines.append(b"  ...")

    def _line(self, indent, *parts):
        if len(self.lines) < self.ROOM:
            self.lines.append(b" " * indent + b"".join(parts))

    def _rest(self, indent, count):
        if count > self.COUNTED:
            self._line(indent, b"and over %d more" % self.COUNTED)
        elif count > 0:
            self._line(indent, b"and %d more" % count)

    def _add(self, chain, indent):
        state = chain["state"].enumerator()
        what = readable(lambda: self._what(chain, state))
        handle = int(chain["leaf"])
        innermost = self._innermost(handle)
        if innermost:
            self._line(indent, what, b" after " if state == "running" else b" at ", innermost.place)
            handle = innermost.parent
        else:
            self._line(indent, what)
        if state == "branching":
            self._add_branches(self._suspension(chain).derived("detail::Branches"), indent + 4)
        self._add_awaits(handle, indent + 2)

    def _innermost(self, handle):
        """The innermost coroutine that is the user's; None if there is none, or if one inside it has not awaited."""
        for _ in range(self.COUNTED):
            if not handle:
                break
            coroutine = Coroutine(self._library, handle)
            if coroutine.has_place or not coroutine.has_awaited:
                return coroutine if coroutine.has_place else None
            handle = coroutine.parent
        return None

    def _add_awaits(self, handle, indent):
        """Adds the awaits of a coroutine and of those around it."""
        shown = left = visited = 0
        while handle and visited < self.COUNTED + self.MOST:
            coroutine = Coroutine(self._library, handle)
            if coroutine.has_place and shown < self.MOST:
                self._line(indent, b"from ", coroutine.place)
                shown += 1
            elif coroutine.has_place:
                left += 1
            handle = coroutine.parent
            visited += 1
        self._rest(indent, self.COUNTED + 1 if handle else left)

    def _add_branches(self, branches, indent):
        """Adds the branches of a combinator, and the members if it is a group."""
        shown = left = 0
        for add in itertools.chain(self._branches(branches, indent), self._members(branches, indent)):
            if shown < self.MOST and indent <= self.DEEPEST:
                add()
                shown += 1
            else:
                left += 1
            if left > self.COUNTED:
                break
        self._rest(indent, left)

    def _branches(self, branches, indent):
        """Gives a function for each branch, which adds its lines."""
        for link in self._library.links(branches["live"]):
            branch = link.derived("detail::BranchBase::Sibling")["branch"].target("detail::BranchBase")
            yield functools.partial(self._add, branch.base("detail::Chain"), indent)

    def _members(self, branches, indent):
        """Gives a function for each member, which adds its line."""
        if branches["kind"].enumerator() != "task_group":
            return
        for link in self._library.links(branches.derived("TaskGroup")["members_"]):
            member = link.derived("TaskGroup::Member::Entry")["member"].target("TaskGroup::Member")
            yield functools.partial(self._line, indent, self._name(member["task_"]))

    def _what(self, chain, state):
        if state not in WAITING_STATES:
            return NAMES_OF_STATES[state]
        suspension = self._suspension(chain)
        kind = suspension["kind"].enumerator()
        if kind in KINDS_OF_TASK_WAITS:
            return self._name(suspension.derived("detail::WaitForTask")["task_"])
        return name_of_kind(kind)

    def _suspension(self, chain):
        return chain["waiting"].target("detail::Suspension")

    def _name(self, pointer):
        return b"task '%s'" % Task(self._library, pointer.target("detail::TaskBase")).name


class Table:
    """The table of the tasks of an App, as `table_of` in errand/detail/app/table.hpp writes it."""

    HEADINGS = (b"id", b"name", b"status", b"age", b"note", b"waits for")
    NOTE = 4

    def __init__(self, loop, most):
        self._rows = [self.HEADINGS]
        self._left = 0
        self._is_whole = True
        try:
            for count, task in enumerate(loop.tasks(), 1):
                if count <= most:
                    self._add(loop, task)
                else:
                    self._left += 1
        except UNREADABLE_ERRORS:
            self._is_whole = False

    def _add(self, loop, task):
        cells = [lambda: b"%d" % task.id, lambda: task.name, lambda: task.status]
        cells += [lambda: duration(loop.age(task)), lambda: task.note]
        waits = readable(lambda: task.waits, [UNREADABLE])
        self._rows.append([printable(text) for text in [*map(readable, cells), waits[0]]])
        self._rows += [[b""] * len(cells) + [printable(line)] for line in waits[1:]]

    def __str__(self):
        columns = list(zip(*self._rows))
        if not any(columns[self.NOTE][1:]):
            del columns[self.NOTE]
        widths = [max(map(width, column)) for column in columns[:-1]] + [0]
        lines = []
        for row in zip(*columns):
            lines.append(b"  ".join(cell + b" " * (size - width(cell)) for cell, size in zip(row, widths)))
        if self._left > 0:
            lines.append(b"and %d more" % self._left)
        if not self._is_whole:
            lines.append(b"(the list ends here: the process stopped while it changed, or it is damaged)")
        return shown(b"".join(line + b"\n" for line in lines))


def name_of_kind(kind):
    return NAMES_OF_KINDS.get(kind, kind.encode())


def printable(text):
    """The text with a space in place of each control character: C0, DEL or C1."""
    return re.sub(rb"[\x00-\x1f\x7f]|\xc2[\x80-\x9f]", b" ", text)


def shown(text):
    return text.decode("utf-8", "replace")


def width(text):
    """How many columns a text takes on a terminal: one for each character of UTF-8."""
    return sum(byte & 0xC0 != 0x80 for byte in text)


def duration(nanoseconds):
    """A duration for people: "350 ms", "12.5 s", "3 h"."""
    milliseconds = max(nanoseconds, 0) // 1_000_000
    if milliseconds < 1000:
        return b"%d ms" % milliseconds
    tenths, unit = milliseconds // 100, b"s"
    for larger in (b"min", b"h"):
        if tenths >= 600:
            tenths, unit = tenths // 60, larger
    return b"%d%s %s" % (tenths // 10, b".%d" % (tenths % 10) if tenths % 10 else b"", unit)


def steady_time():
    """The time of std::chrono::steady_clock now, in nanoseconds; None if only the process could tell it."""
    connection = getattr(gdb.selected_inferior(), "connection", None)
    is_here = connection is not None and connection.type == "native" and sys.platform == "linux"
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) if is_here else None


def loops():
    """The loops of all Apps, in the order in which they were made. Raises gdb.GdbError if there are none."""
    if gdb.selected_inferior().pid == 0:
        raise gdb.GdbError("There is no process: start one, attach to one, or open a core file.")
    roots = addresses_of_roots()
    if not roots and is_in_program(ROOT):
        raise gdb.GdbError("There is no debug information for errand: build the program with -g, not -g1.")
    library = Library() if roots else None
    found = []
    for root in (library.object("detail::Loops", address) for address in sorted(roots)):
        places = list(places_of(root))
        if places:
            header = library.text(int(root["header"]))
            is_apart = header.endswith(HEADER_OF_ROOT)  # not so if all of errand is in one header
            library.headers += (header[: -len(HEADER_OF_ROOT)] if is_apart else header,)
        found += [Loop(library, place["loop"].target("detail::Loop")) for place in reversed(places)]
    apps = [loop for loop in found if readable(loop.is_of_app, False)]
    if not apps:
        raise gdb.GdbError("There is no App in this process.")
    return apps


def addresses_of_roots():
    """The addresses of the lists of loops. There are several if a plug-in was loaded so that it shares no variables
    with the program. (Those that are not used are empty.) gdb takes them for one variable, and gives the address of the
    program's, but its list of the symbols of the linker has the others."""
    files = [file for file in gdb.objfiles() if file.lookup_global_symbol(ROOT)]
    addresses = {int(file.lookup_global_symbol(ROOT).value().address) for file in files}
    for file in files[1:]:
        with contextlib.suppress(gdb.error):
            symbols = gdb.execute(f"maintenance print msymbols -objfile {file.filename}", to_string=True)
            addresses.update(int(line[1], 16) for line in re.finditer(rf"(0x\w+) \w+ section .*\b{ROOT}\b", symbols))
    return addresses


def places_of(root):
    """The places of a list of loops, that of the loop which was made last first."""
    seen = set()
    place = root["first"]
    with contextlib.suppress(*UNREADABLE_ERRORS):
        while int(place) and int(place) not in seen:
            seen.add(int(place))
            place = place.target("detail::Loops::Place")
            if int(place["loop"]):
                yield place
            place = place["next"]


def is_in_program(variable):
    """True if there is such a variable, even without debug information."""
    try:
        gdb.parse_and_eval(f"&'{variable}'")
        return True
    except gdb.error:
        return False


@contextlib.contextmanager
def language_of_errand():
    """Names are looked up as in C++, whatever the function is written in at which the process stopped."""
    before = gdb.parameter("language")
    gdb.execute("set language c++", to_string=True)
    try:
        yield
    finally:
        gdb.execute(f"set language {before}", to_string=True)


class Errand(gdb.Command):
    """Commands that look into a program that uses errand."""

    def __init__(self):
        super().__init__("errand", gdb.COMMAND_STATUS, prefix=True)

    def invoke(self, argument, from_tty):
        gdb.execute("help errand")


class Tasks(gdb.Command):
    """Show what the tasks of each App wait for, and where.

errand tasks      all tasks that have not ended
errand tasks N    the first N of each App

The table is that of App::dump_tasks. Below the innermost await of a task stand the awaits around it
("from ...") and, further in, what each branch of a gather, race, wait_for or TaskGroup waits for. Long
lists are cut short. A task that is "running" is the one in whose step the App is: the backtrace of the
thread shows the step.

Each App has a heading: its name, its worker if there are several, and whether a thread is inside its
run or poll. Ages are those of now if the process runs on this machine. In a core file they are as of
the last time that the loop has read its clock, for its timers or after tasks were added."""

    def __init__(self):
        super().__init__("errand tasks", gdb.COMMAND_STATUS, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        if argument and not argument.isdigit():
            raise gdb.GdbError("errand tasks [N]: N is how many tasks of each App are shown.")
        most = int(argument) if argument else sys.maxsize
        try:
            with language_of_errand():
                texts = [f"{self._heading(loop)}\n{Table(loop, most)}" for loop in loops()]
        except UNREADABLE_ERRORS as error:
            raise gdb.GdbError("The list of Apps cannot be read: the memory of the process is damaged.") from error
        gdb.write("\n".join(texts))

    def _heading(self, loop):
        return shown(printable(readable(lambda: b", ".join(loop.heading()))))


Errand()
Tasks()
