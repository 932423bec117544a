#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks the blocks of code and output in README.md.
#
# Each C++ block follows a comment, <!-- snippet: file.cpp name -->. The block must be the text between the markers
# `// [name]` in examples/readme/file.cpp, without the indentation. If the file has several pairs of these markers, the
# texts between them are joined by an empty line. Each CMake block follows such a comment too, and a shell block may.
# The text of these blocks stands between the markers `# [name]` in a file of tests/consumer.
#
# A block after <!-- expected: file.txt --> must stand in examples/expected/file.txt. Only ages, line numbers and the
# width of columns may differ. If the block names a line of a program, this line must have an await.
#
#   tests/readme.sh
set -euo pipefail
cd "$(dirname "$0")/.."

awk '
  function fail(line, text) {
    printf "README.md:%d: %s\n", line, text
    ++failures
  }

  # Returns the lines from `first` to `last`, without the indentation that all of them have.
  function dedented(first, last,    i, indent, text) {
    indent = 1000
    for (i = first; i <= last; ++i) {
      if (lines[i] ~ /[^ ]/ && match(lines[i], /[^ ]/) - 1 < indent) indent = RSTART - 1
    }
    for (i = first; i <= last; ++i) text = text substr(lines[i], indent + 1) "\n"
    return text
  }

  function snippet(path, name,    line, count, first, text) {
    while ((getline line < path) > 0) {
      lines[++count] = line
      sub(/^ +/, "", line)
      if (line != "// [" name "]" && line != "# [" name "]") continue
      if (first) text = text (text == "" ? "" : "\n") dedented(first, count - 1)
      first = first ? 0 : count + 1
    }
    close(path)
    return first ? "" : text
  }

  function masked(text) {
    gsub(/pp:[0-9]+/, "pp:LINE", text)
    gsub(/ +/, " ", text)
    gsub(/ [0-9.]+ m?s /, " AGE ", text)
    return text
  }
  function content(path,    line, text) {
    while ((getline line < path) > 0) text = text line "\n"
    close(path)
    return text
  }

  # Checks that each line of a program that the text names has an await. A program stands in examples/readme or examples.
  function check_places(text,    place, path, line, i) {
    while (match(text, /[a-z_]+\.[ch]pp:[0-9]+/)) {
      split(substr(text, RSTART, RLENGTH), place, ":")
      text = substr(text, RSTART + RLENGTH)
      path = "examples/readme/" place[1]
      if ((getline line < path) < 0) path = "examples/" place[1]
      close(path)
      line = ""
      for (i = 0; i < place[2] && (getline line < path) > 0; ++i) continue
      close(path)
      if (i < place[2] || line !~ /co_await/) fail(start, "nothing is awaited at " place[1] ":" place[2])
    }
  }

  in_output && /^```$/ {
    in_output = 0
    check_places(block)
    if (!index(masked(content(path)), masked(block))) fail(start, "this does not stand in " path)
    previous = $0
    next
  }
  in_output {
    block = block $0 "\n"
    next
  }
  /^```$/ && previous ~ /^<!-- expected: [^ ]+ -->$/ {
    ++blocks
    split(previous, words, " ")
    path = "examples/expected/" words[3]
    start = FNR
    block = ""
    in_output = 1
    next
  }

  in_block && /^```$/ {
    in_block = 0
    expected = snippet(path, name)
    if (expected == "") {
      fail(start, "there is no [" name "] in " path)
    } else if (block != expected) {
      fail(start, "this is not [" name "] of " path ", which is:")
      printf "%s", expected
    }
  }
  in_block {
    block = block $0 "\n"
    next
  }
  /^```(cpp|c\+\+|cmake|sh)/ {
    start = FNR
    if (previous !~ /^<!-- snippet: [^ ]+ [^ ]+ -->$/) {
      if ($0 !~ /^```sh/) fail(start, "no comment names the snippet of this block")
      next
    }
    ++blocks
    split(previous, words, " ")
    path = ($0 ~ /^```c(pp|\+\+)/ ? "examples/readme/" : "tests/consumer/") words[3]
    name = words[4]
    block = ""
    in_block = 1
  }
  { previous = $0 }

  END {
    if (blocks == 0 || in_block || in_output) fail(FNR, "there is no block to check, or no end of the last one")
    printf "%d snippets, %d failures\n", blocks, failures
    exit failures > 0
  }
' README.md
