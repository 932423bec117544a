# SPDX-License-Identifier: MIT
# Writes all of errand into one header:
#
#   cmake -DOUTPUT=FILE -P .cmake/single_header.cmake
cmake_minimum_required(VERSION 3.20)
get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}" DIRECTORY)
set(head "// SPDX-License-Identifier: MIT\n#pragma once\n")

# Takes the standard includes that no #if surrounds out of `text`, and notes them.
function(take_standard_includes variable)
  set(rest "${${variable}}")
  set(kept "")
  set(depth 0)
  while("${rest}" MATCHES "\n#([a-z]+)[^\n]*")
    set(line "${CMAKE_MATCH_0}")
    set(directive "${CMAKE_MATCH_1}")
    string(FIND "${rest}" "${line}" begin)
    string(SUBSTRING "${rest}" 0 ${begin} before)
    string(LENGTH "${line}" length)
    math(EXPR end "${begin} + ${length}")
    string(SUBSTRING "${rest}" ${end} -1 rest)
    string(APPEND kept "${before}")
    if(directive STREQUAL "include" AND depth EQUAL 0)
      set_property(GLOBAL APPEND_STRING PROPERTY standard_includes "${line}")
      continue()
    elseif(directive MATCHES "^if")
      math(EXPR depth "${depth} + 1")
    elseif(directive STREQUAL "endif")
      math(EXPR depth "${depth} - 1")
    endif()
    string(APPEND kept "${line}")
  endwhile()
  set(${variable} "${kept}${rest}" PARENT_SCOPE)
endfunction()

# Appends the headers of the library that `text` includes.
function(append_included text)
  string(REGEX MATCHALL "\n#include <errand/[^>\n]+>" includes "${text}")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE ".*<(.*)>" "\\1" include "${include}")
    append_header("${include}")
  endforeach()
endfunction()

# Appends what a header includes, and then the header, if that was not done before. What it includes behind its
# namespace, as app.hpp includes its implementation, comes after the header.
function(append_header name)
  get_property(headers GLOBAL PROPERTY headers)
  if(name IN_LIST headers)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY headers ${name})

  file(READ "${root}/include/${name}" text)
  string(FIND "${text}" "${head}" at)
  if(NOT at EQUAL 0)
    message(FATAL_ERROR "${name} does not begin with\n${head}")
  endif()
  string(REPLACE "${head}" "" text "${text}")

  # The prologue and the epilogue of every header: written once, around all.
  string(REGEX REPLACE "\n#include <errand/detail/(prologue|epilogue)\\.hpp>\n" "" text "${text}")

  set(behind "")
  string(FIND "${text}" "\n}  // namespace errand" end REVERSE)
  if(NOT end EQUAL -1)
    string(SUBSTRING "${text}" ${end} -1 behind)
    string(SUBSTRING "${text}" 0 ${end} before)
    append_included("${before}")
  else()
    append_included("${text}")
  endif()
  string(REGEX REPLACE "\n#include <errand/[^>\n]+>[^\n]*" "" text "${text}")
  take_standard_includes(text)

  if(NOT name STREQUAL "errand/errand.hpp")  # which has nothing but includes
    string(REGEX REPLACE "\n\n\n+" "\n\n" text "${text}")
    string(STRIP "${text}" text)
    set_property(GLOBAL APPEND_STRING PROPERTY body "\n// ---- ${name}\n\n${text}\n")
  endif()
  append_included("${behind}")
endfunction()

# Sets `variable` to a text that is no header of its own, without what it includes and its first line.
function(read_part variable name)
  file(READ "${root}/include/errand/detail/${name}" text)
  string(REGEX REPLACE "\n#include <[^>\n]+>\n" "" text "${text}")
  string(REGEX REPLACE "^// SPDX[^\n]*\n" "" text "${text}")
  string(STRIP "${text}" text)
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

append_header(errand/detail/base/compiler.hpp)  # first, as the prologue has it
append_header(errand/errand.hpp)
read_part(prologue prologue.hpp)
read_part(epilogue epilogue.hpp)

get_property(headers GLOBAL PROPERTY headers)
file(GLOB_RECURSE all RELATIVE "${root}/include" "${root}/include/*.hpp")
include(${CMAKE_CURRENT_LIST_DIR}/adapters.cmake)
list(FILTER all EXCLUDE REGEX "${ERRAND_ADAPTERS}")
list(REMOVE_ITEM all ${headers} errand/detail/prologue.hpp errand/detail/epilogue.hpp errand/compiled.hpp)
if(all)
  message(FATAL_ERROR "errand/errand.hpp does not include ${all}")
endif()

get_property(standard_includes GLOBAL PROPERTY standard_includes)
string(REGEX MATCHALL "#include <[^>\n]+>" standard_includes "${standard_includes}")
list(REMOVE_DUPLICATES standard_includes)
list(SORT standard_includes)
list(JOIN standard_includes "\n" standard_includes)

file(READ "${root}/LICENSE" license)
string(STRIP "${license}" license)
string(REGEX REPLACE "\n" "\n// " license "// ${license}")
string(REGEX REPLACE "// \n" "//\n" license "${license}")

get_property(body GLOBAL PROPERTY body)
file(WRITE "${OUTPUT}" "// SPDX-License-Identifier: MIT
// All of errand in one header, written by `cmake --build build --target single_header`.
//
${license}

#ifndef ERRAND_SINGLE_HEADER
#define ERRAND_SINGLE_HEADER

${prologue}

${standard_includes}
${body}
${epilogue}

#endif
")
