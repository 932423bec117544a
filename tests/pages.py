#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the pages for users, README.md and those under examples/ and tests/benchmarks/, and says each fault in a line.

Blocks: One of C++, CMake or Meson follows a comment, <!-- snippet: PATH NAME -->; a shell block may. PATH begins at the
top of the repository. The block is the text between the lines `// [NAME]`, or `# [NAME]`, of that file, without the
indentation. If the file has several pairs of these lines, the texts between them are joined by an empty line. The gate
builds or runs the file: examples/CMakeLists.txt makes a program of it, or a script of the gate names its path, or it is
a part of tests/consumer.

Outputs: A block after <!-- expected: PATH --> stands in that file. Only ages, line numbers and the width of columns may
differ. If the block names a line of a program, such as inside.cpp:66, this line has an await.

Links: Each link leads to a file, or to a heading, that is there; in the pages for people who work on errand too. Every
page is at most two links away from the README.

Language: No page has more than three sentences of over 30 words. The README has at most 12 KB.

  tests/pages.py
"""
import re
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
MOST_BYTES = 12 * 1024  # of the README
MOST_WORDS = 30  # of a sentence
MOST_LONG_SENTENCES = 3  # of a page
MOST_STEPS = 2  # from the README to a page
LANGUAGES = {"cpp", "c++", "cmake", "meson"}  # whose blocks are cut from files

faults = []


def fault(path, line, text):
    faults.append(f"{path.relative_to(ROOT)}:{line}: {text}")


class Block:
    """A block of code or of output. `comment` is the line before it."""

    def __init__(self, line, language, comment):
        self.line, self.language, self.comment = line, language, comment
        self.lines = []


class Page:
    """The blocks of a page, and its other lines: `prose` has a line for each one of the page, empty in blocks."""

    def __init__(self, path):
        self.path = path
        self.blocks = []
        self.prose = []
        block, indentation, previous = None, "", ""
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            fence = re.match(r"( *)```(\S*)\s*$", line)
            self.prose.append("" if block or fence else line)
            if block and fence:
                self.blocks.append(block)
                block = None
            elif block:
                block.lines.append(line.removeprefix(indentation))
            elif fence:
                block, indentation = Block(number, fence[2], previous), fence[1]
            previous = line.strip()
        if block:
            fault(path, block.line, "this block has no end")

    def links(self):
        """Each link with its line; the words of inline code are none."""
        for number, line in enumerate(self.prose, 1):
            line = re.sub(r"`[^`]*`", "", line)
            for match in re.finditer(r'\]\(([^)\s]+)\)|\b(?:src|href)="([^"]+)"', line):
                yield number, match[1] or match[2]

    def sentences(self):
        """Each sentence of the text with the line at which its paragraph begins. Headings and tables have none."""
        paragraphs = [(1, "")]
        for number, line in enumerate(self.prose, 1):
            line = line.strip()
            is_text = line and not re.match(r"#|\||<", line)
            if not is_text or re.match(r"([-*>]|\d+\.) ", line):
                paragraphs.append((number, ""))
            if is_text:
                begin, text = paragraphs[-1]
                paragraphs[-1] = (begin if text else number, f"{text} {line}")
        for number, text in paragraphs:
            text = re.sub(r"`[^`]*`", "Code", text)
            text = re.sub(r"\]\([^)]*\)", "]", text)
            for sentence in re.split(r"(?<=[.!?])[)\"*]*\s+", text):
                yield number, sentence


@cache
def anchors(path):
    """The names that GitHub gives to the headings of a page."""
    found = set()
    for line in Page(path).prose:
        if heading := re.match(r"#+ +(.*)", line):
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1])
            name = slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            count = 0
            while name in found:
                count += 1
                name = f"{slug}-{count}"
            found.add(name)
        found.update(re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return found


# ---- Blocks ---------------------------------------------------------------------------------------------------------


def without_indentation(lines):
    indentation = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[indentation:] for line in lines]


def snippet(path, name):
    """The lines of the snippet in a file; empty if it is not there."""
    parts, begin = [], None
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.strip() not in (f"// [{name}]", f"# [{name}]"):
            continue
        if begin is None:
            begin = number + 1
        else:
            parts.append(without_indentation(lines[begin:number]))
            begin = None
    if begin is not None:
        return []
    return [line for part in parts for line in ["", *part]][1:]


def without_comments(path):
    return re.sub(r"(?m)(^|\s)#.*", "", path.read_text("utf-8"))


@cache
def sources():
    """The files of which examples/CMakeLists.txt makes programs."""
    directory = ROOT / "examples"
    text = without_comments(directory / "CMakeLists.txt").replace("${PROJECT_SOURCE_DIR}", str(ROOT))
    lists = defaultdict(list)
    for name, words in re.findall(r"(?:set\(|list\(APPEND )(ERRAND_\w+)\s+([\w\s]+)\)", text):
        lists[name] += words.split()
    names = re.findall(r"errand_add_(?:example|asio_program)\(\S+ ([^\s$)]+)\)", text)
    for name, source in re.findall(r"foreach\(\w+ IN LISTS (\w+)\)\s+errand_add_example\(\S+ (\S+)\)", text):
        names += [re.sub(r"\$\{\w+\}", element, source) for element in lists[name]]
    frameworks = re.findall(r"errand_add_example_tests\((\w+) \w+::", text)
    names += [f"testing/{framework}_test.cpp" for framework in frameworks]
    return {directory / name for name in names}


@cache
def words_of_scripts():
    """What stands in the scripts of the gate, without their comments."""
    scripts = [ROOT / ".ci/run", *sorted((ROOT / "tests").rglob("*.sh"))]
    return {word for script in scripts for word in without_comments(script).split()}


def is_built(path):
    """Whether the gate builds or runs a file, or a program that includes it."""
    if path.is_relative_to(ROOT / "tests/consumer") or str(path.relative_to(ROOT)) in words_of_scripts():
        return True
    if path.suffix in (".hpp", ".h"):
        including = f'#include "{path.name}"'
        return any(including in other.read_text("utf-8") and is_built(other)
                   for other in path.parent.glob("*.?pp") if other != path)
    return path in sources()


def check_snippet(page, block, path, name):
    file = ROOT / path
    if not file.is_file():
        return fault(page.path, block.line, f"there is no {path}")
    expected = snippet(file, name)
    if not expected:
        return fault(page.path, block.line, f"there is no [{name}] in {path}")
    if not is_built(file):
        fault(page.path, block.line, f"neither examples/CMakeLists.txt nor a script of the gate builds {path}")
    lines = block.lines + [None] * (len(expected) - len(block.lines))
    for number, line in enumerate(lines):
        right = expected[number] if number < len(expected) else None
        if line != right:
            end = "the end of the block"
            return fault(page.path, block.line + 1 + number,
                         f"[{name}] of {path} has {end if right is None else repr(right)} here, "
                         f"not {end if line is None else repr(line)}")
    return None


def masked(text):
    """The text without ages, line numbers and the width of columns."""
    text = re.sub(r"pp:\w+", "pp:LINE", text)
    text = re.sub(r" +", " ", text)
    return re.sub(r" [0-9.]+ (m?s|min|h) ", " AGE ", text)


def check_output(page, block, path):
    file = ROOT / path
    if not file.is_file():
        return fault(page.path, block.line, f"there is no {path}")
    if masked("\n".join(block.lines)) not in masked(file.read_text("utf-8")):
        fault(page.path, block.line, f"this does not stand in {path}")
    for name, number in re.findall(r"(\w+\.[ch]pp):(\d+)", "\n".join(block.lines)):
        programs = [program.read_text("utf-8").splitlines() for program in (ROOT / "examples").rglob(name)]
        if not any("co_await" in "".join(lines[int(number) - 1:int(number)]) for lines in programs):
            fault(page.path, block.line, f"nothing is awaited at {name}:{number}")
    return None


def check_blocks(page):
    for block in page.blocks:
        if cut := re.fullmatch(r"<!-- snippet: (\S+) (\S+) -->", block.comment):
            check_snippet(page, block, *cut.groups())
        elif printed := re.fullmatch(r"<!-- expected: (\S+) -->", block.comment):
            check_output(page, block, printed[1])
        elif block.language in LANGUAGES:
            fault(page.path, block.line, "no comment before this block names its snippet")


# ---- Links and language ---------------------------------------------------------------------------------------------


def check_links(page):
    """Checks each link, and returns the pages to which the links lead."""
    reached = set()
    for line, link in page.links():
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        if not target.exists() or not target.is_relative_to(ROOT):
            fault(page.path, line, f"there is no {link}")
            continue
        if target.is_dir():
            target /= "README.md"
        if target.suffix == ".md" and target.exists():
            reached.add(target)
            if anchor and anchor not in anchors(target):
                fault(page.path, line, f"no heading of {target.relative_to(ROOT)} is called #{anchor}")
        elif anchor and not re.fullmatch(r"L\d+(-L\d+)?", anchor):
            fault(page.path, line, f"{link} has no headings")
    return reached


def check_language(page):
    lengths = [(line, sum(bool(re.search(r"\w", word)) for word in sentence.split()))
               for line, sentence in page.sentences()]
    long = [f"{line} ({words} words)" for line, words in lengths if words > MOST_WORDS]
    if len(long) > MOST_LONG_SENTENCES:
        fault(page.path, 1, f"more than {MOST_LONG_SENTENCES} sentences have over {MOST_WORDS} words: those in the "
              f"paragraphs at {', '.join(long)}")


def check_steps(pages, links):
    reached, last = {README}, {README}
    for _ in range(MOST_STEPS):
        last = {target for page in last for target in links.get(page, ())} - reached
        reached |= last
    for path in pages:
        if path not in reached:
            fault(path, 1, f"the README does not lead to this page in {MOST_STEPS} steps")


def main():
    for_users = [README, *sorted((ROOT / "examples").rglob("*.md")), *sorted((ROOT / "tests/benchmarks").glob("*.md"))]
    for_developers = [*sorted((ROOT / ".github").glob("*.md")), *sorted((ROOT / "include").rglob("*.md"))]
    links, blocks = {}, 0
    for page in map(Page, for_users):
        links[page.path] = check_links(page)
        check_blocks(page)
        check_language(page)
        blocks += len(page.blocks)
    for page in map(Page, for_developers):
        check_links(page)
    check_steps(for_users, links)
    if README.stat().st_size > MOST_BYTES:
        fault(README, 1, f"it has {README.stat().st_size} bytes, and may have {MOST_BYTES}")
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(for_users)} pages for users, {blocks} blocks, {len(faults)} faults")
    sys.exit(1 if faults or blocks == 0 else 0)


if __name__ == "__main__":
    main()
