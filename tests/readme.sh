#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each C++ block of README.md follows a comment, <!-- snippet: file.cpp name -->, and must be what stands between the
# markers `// [name]` in examples/readme/file.cpp, without the indentation; several such places are joined by an empty
# line.
#
#   tests/readme.sh
set -euo pipefail
cd "$(dirname "$0")/.."

awk '
  function fail(line, text) {
    printf "README.md:%d: %s\n", line, text
    ++failures
  }

  # The lines from `first` to `last`, without what all of them are indented by.
  function dedented(first, last,    i, indent, text) {
    indent = 1000
    for (i = first; i <= last; ++i) {
      if (lines[i] ~ /[^ ]/ && match(lines[i], /[^ ]/) - 1 < indent) indent = RSTART - 1
    }
    for (i = first; i <= last; ++i) text = text substr(lines[i], indent + 1) "\n"
    return text
  }

  function snippet(file, name,    path, line, count, first, text) {
    path = "examples/readme/" file
    while ((getline line < path) > 0) {
      lines[++count] = line
      sub(/^ +/, "", line)
      if (line != "// [" name "]") continue
      if (first) text = text (text == "" ? "" : "\n") dedented(first, count - 1)
      first = first ? 0 : count + 1
    }
    close(path)
    return first ? "" : text
  }

  in_block && /^```$/ {
    in_block = 0
    expected = snippet(file, name)
    if (expected == "") {
      fail(start, "there is no [" name "] in examples/readme/" file)
    } else if (block != expected) {
      fail(start, "this is not [" name "] of examples/readme/" file ", which is:")
      printf "%s", expected
    }
  }
  in_block {
    block = block $0 "\n"
    next
  }
  /^```(cpp|c\+\+)/ {
    ++blocks
    start = FNR
    if (previous !~ /^<!-- snippet: [^ ]+ [^ ]+ -->$/) {
      fail(start, "no comment names the snippet of this block")
      next
    }
    split(previous, words, " ")
    file = words[3]
    name = words[4]
    block = ""
    in_block = 1
  }
  { previous = $0 }

  END {
    if (blocks == 0 || in_block) fail(FNR, "there is no C++ block, or no end of the last one")
    printf "%d snippets, %d failures\n", blocks, failures
    exit failures > 0
  }
' README.md
