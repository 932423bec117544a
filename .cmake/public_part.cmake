# SPDX-License-Identifier: MIT
# Writes what stands in a header before its implementation, for Doxygen: a warning then has the line of the header.
math(EXPR last "${CMAKE_ARGC} - 1")
file(READ "${CMAKE_ARGV${last}}" text)
string(REGEX REPLACE "\\[([^]]*)\\]\\(#[^)]*\\)" "\\1" text "${text}")  # places in the README itself
string(REGEX REPLACE "\n// Implementation.*" "\n" text "${text}")
string(REGEX MATCHALL "{" opened "${text}")
string(REGEX MATCHALL "}" closed "${text}")
list(LENGTH opened opened)
list(LENGTH closed closed)
math(EXPR left_open "${opened} - ${closed}")
if(left_open GREATER 0)
  string(REPEAT "}" ${left_open} closed)
  string(APPEND text "${closed}\n")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E echo "${text}")
