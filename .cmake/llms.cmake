# SPDX-License-Identifier: MIT
# Writes all pages for users and the public part of each public header into one text, in the order in which to read them:
#
#   cmake -DOUTPUT=FILE -P .cmake/llms.cmake
cmake_minimum_required(VERSION 3.20)
get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}" DIRECTORY)

file(GLOB steps RELATIVE "${root}" "${root}/examples/tour/*/README.md")
list(SORT steps)
set(pages README.md examples/tour/README.md ${steps})
foreach(page two_words lifetimes cancellation order_and_fairness shutdown differences compilers_traps promises performance)
  list(APPEND pages examples/explained/${page}.md)
endforeach()
file(GLOB_RECURSE others RELATIVE "${root}" "${root}/examples/*.md")
list(SORT others)
list(APPEND pages ${others})
list(REMOVE_DUPLICATES pages)

file(STRINGS "${root}/include/errand/errand.hpp" headers REGEX "^#include <errand/")
list(TRANSFORM headers REPLACE "#include <(.*)>" "include/\\1")
file(GLOB others RELATIVE "${root}" "${root}/include/errand/*.hpp")
list(APPEND headers ${others})
list(REMOVE_DUPLICATES headers)

file(WRITE "${OUTPUT}" "# errand, a C++20 library for background tasks: all of its pages, and the public part of each header

")
foreach(page IN LISTS pages)
  if(EXISTS "${root}/${page}")
    file(READ "${root}/${page}" text)
    file(APPEND "${OUTPUT}" "\n<!-- page: ${page} -->\n\n${text}")
  endif()
endforeach()
foreach(header IN LISTS headers)
  file(READ "${root}/${header}" text)
  string(REGEX REPLACE "\n// Implementation.*" "\n" text "${text}")
  string(REGEX REPLACE "\n#(include|pragma)[^\n]*" "" text "${text}")
  string(REGEX REPLACE "\n\n\n+" "\n\n" text "${text}")
  file(APPEND "${OUTPUT}" "\n<!-- header: ${header} -->\n\n```cpp\n${text}```\n")
endforeach()
