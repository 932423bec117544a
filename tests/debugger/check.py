# SPDX-License-Identifier: MIT
"""Checks, inside gdb, that `errand tasks` prints what a program has written of itself: see run.sh and hang.cpp."""

import difflib
import os
import re

FILE = os.environ["ERRAND_EXPECTED"]  # what hang.cpp has written, or will write
failures = 0


def expect(is_right, what):
    global failures
    if not is_right:
        failures += 1
        print(f"FAILED {what}")


def errand(arguments):
    """What the command prints, or the message of its error."""
    try:
        return gdb.execute(f"errand {arguments}", to_string=True)
    except gdb.error as error:
        return f"error: {error}"


def masked(text):
    """The text without ages, with which the width of their column changes."""
    text = re.sub(r", ages as of [^\n]*", "", text)
    text = re.sub(r" [0-9.]+ (ms|s|min|h) ", " AGE ", text)
    return re.sub(r" +", " ", text).splitlines()


def check_tables(what):
    with open(FILE, encoding="utf-8", errors="replace") as file:
        expected = masked(file.read())
    printed = masked(errand("tasks"))
    for line in difflib.unified_diff(expected, printed, "dump_tasks", "gdb", lineterm=""):
        print(line)
    expect(printed == expected, f"{what}: the tables are not those of dump_tasks")
    expect(len(expected) > 200, f"{what}: the program has written no tables")
    print(f"checked: the {len(printed)} lines of the tables of {what}")


def check_kinds():
    """A kind of wait that the tables do not have must have its name too."""
    with open(FILE + ".kinds", encoding="utf-8") as file:
        expected = file.read().splitlines()
    kinds = Type(gdb.lookup_type("errand::detail::Kind")).enumerators
    printed = [name_of_kind(kinds[value]).decode() for value in sorted(kinds)]
    expect(printed == expected, f"the names of kinds are {printed}, and not {expected}")


def check_arguments():
    first = errand("tasks 2")
    expect(first.count("Task-2 ") == 2 and first.count("\n3 ") == 0, "`errand tasks 2` prints two tasks of each App")
    expect(re.search(r"\nand \d\d more\n", first), "`errand tasks 2` counts the others")
    for argument in "x", "-1", "1 2":
        expect("N is how many tasks" in errand(f"tasks {argument}"), f"`errand tasks {argument}` says what N is")
    expect("errand tasks N" in gdb.execute("help errand tasks", to_string=True), "there is a help text")


def check_language():
    gdb.execute("set language c")
    expect("App 'busy'" in errand("tasks"), "the language of the function that the process stopped in does not matter")
    expect(gdb.parameter("language") == "c", "the language is as it was")
    gdb.execute("set language auto")


def check_ages():
    """Of what the App with a ManualClock has, the age is exact. Other ages are those of now, or of the last reading."""
    expect("12.5 s  sleep" in errand("tasks"), "the age by a ManualClock is exact")
    is_core = gdb.selected_inferior().connection.type == "core"
    expect(("ages as of" in errand("tasks")) == is_core, "the heading says so if ages are not those of now")


def check_misfit():
    """If a header no longer has a name, the command says which."""
    known = ENUMERATORS["errand::detail::Kind"]
    known.add("no_such_kind")
    expect("there is no errand::detail::Kind::no_such_kind" in errand("tasks"), "a kind that is gone is an error")
    known.remove("no_such_kind")
    for what, use in [
        ("errand::detail::Chain::no_such_member", lambda: Library().type("detail::Chain").member("no_such_member")),
        ("errand::detail::NoSuchType", lambda: Library().type("detail::NoSuchType")),
    ]:
        message = ""
        try:
            use()
        except gdb.GdbError as error:
            message = str(error)
        expect(what in message, f"{what} is gone, and that is an error")


class Damage:
    """Other bytes in memory, while this is entered."""

    def __init__(self, address, number, size=8):
        self._address = address
        self._bytes = (number % (1 << 8 * size)).to_bytes(size, "little")

    def __enter__(self):
        process = gdb.selected_inferior()
        self._before = bytes(process.read_memory(self._address, len(self._bytes)))
        process.write_memory(self._address, self._bytes)

    def __exit__(self, *_):
        gdb.selected_inferior().write_memory(self._address, self._before)


def check_damage():
    """Whatever is in memory: what can be read is printed, the command comes to an end, and raises no error."""
    whole = errand("tasks")
    with language_of_errand():
        library = Library()
        root = library.object("detail::Loops", int(gdb.lookup_global_symbol(ROOT).value().address))
        loop = next(places_of(root))["loop"].target("detail::Loop")  # that of the last worker
        links = list(library.links(loop["pending"]))
        task = next(link.derived("detail::TaskBase") for link in links if "nested" in name_of(library, link))
        wait = task["waiting"].target("detail::Suspension")
        details = library.object("detail::TaskDetails", int(task["identity"]["word_"]))
        next_place = root["first"].target("detail::Loops::Place")["next"]
    itself, before, odd, unmapped = links[5].address, links[2].address, links[5].address + 3, 0x10
    ends, cut = "the list ends here", "(cannot be read)"
    cases = [("the next task is", links[5]["next"], 8, value, ends) for value in (0, itself, before, odd, unmapped)]
    cases += [
        ("the leaf of a task is", task["leaf"], 8, 0, ""),
        ("the leaf of a task is", task["leaf"], 8, unmapped, cut),
        ("the wait of a task is", task["waiting"], 8, 0, cut),
        ("the wait of a task is", task["waiting"], 8, odd, ""),
        ("the wait of a task is", task["waiting"], 8, unmapped, cut),
        ("the state of a task is", task["state"], 1, 77, cut),
        ("the kind of a wait is", wait["kind"], 1, 177, cut),
        ("the text of a name is at", details["name"], 8, unmapped, cut),
        ("the App is at", loop["app"], 8, unmapped, cut),
        ("the number of notes is", loop["ages"]["size_"], 8, 1 << 40, cut),
        ("the next loop is", next_place, 8, unmapped, ""),
        ("the next loop is", next_place, 8, int(root["first"]), ""),
    ]
    for what, place, size, value, text in cases:
        with Damage(place.address, value, size):
            printed = errand("tasks")
        what = f"{what} {value:#x}"
        expect(re.search("worker 1, running\nid +name", printed) or text == cut, f"{what}: the others are there")
        expect(text in printed and "rror" not in printed, f"{what}: '{text}' stands in the table")
    expect(masked(errand("tasks")) == masked(whole), "all is as it was")
    print(f"checked: {len(cases)} damages, after which the command prints what can be read")


def name_of(library, link):
    return Task(library, link.derived("detail::TaskBase")).name.decode("utf-8", "replace")


def check_process(core):
    """Runs the program until it hangs, and then writes a core file."""
    gdb.execute("break hang")
    gdb.execute("run")
    check_tables("a process")
    check_ages()
    gdb.execute(f"generate-core-file {core}")


def check_everything(core):
    expect("There is no process" in errand("tasks"), "without a process there is an error")
    gdb.execute("break main")
    gdb.execute("run")
    expect("There is no App" in errand("tasks"), "without an App there is an error")
    gdb.execute("break hang")
    gdb.execute("continue")
    check_tables("a process")
    check_kinds()
    check_arguments()
    check_language()
    check_ages()
    check_misfit()
    check_damage()
    gdb.execute(f"generate-core-file {core}")


def check_core():
    check_tables("a core file")
    check_ages()


def check_snippet(expected):
    """What a page shows of examples/snippets/inside.cpp, which hangs here."""
    gdb.execute("break make_step")
    gdb.execute("run hang")
    with open(expected, encoding="utf-8") as file:
        printed = [re.sub(r"\.cpp:\d+", ".cpp:LINE", line) for line in masked(errand("tasks"))]
        expect(printed == masked(file.read()), f"the example prints {printed}")
    print("checked: the table of that page")


def check_without_debug_information():
    gdb.execute("break hang")
    gdb.execute("run")
    expect("There is no debug information" in errand("tasks"), "without debug information there is an error")
    print("checked: the error without debug information")


def run(check):
    """Called by run.sh: makes one of these checks, and ends gdb."""
    exec(check)
    gdb.execute(f"quit {1 if failures else 0}")
