# SPDX-License-Identifier: MIT
# The target `docs`, from all pages for users and the public part of each public header: build/docs/html/index.html, and
# build/docs/llms.txt, which is one text. A name that is not documented, or a comment that Doxygen does not understand,
# is an error.
find_package(Doxygen 1.9 QUIET)
if(NOT DOXYGEN_FOUND)
  add_custom_target(docs COMMAND ${CMAKE_COMMAND} -E echo "Doxygen is not installed" COMMAND ${CMAKE_COMMAND} -E false)
  return()
endif()

file(GLOB_RECURSE ERRAND_PAGES RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS examples/*.md)

# A page for each example. The documentation of what an example uses then has a link to that page.
file(GLOB_RECURSE examples RELATIVE ${PROJECT_SOURCE_DIR}/examples CONFIGURE_DEPENDS examples/*.cpp)
set(example_pages "")
foreach(example IN LISTS examples)
  file(READ examples/${example} text)
  string(REGEX MATCH "^// SPDX[^\n]*\n(//[^\n]*\n)*" head "${text}")
  string(REGEX REPLACE "^// SPDX[^\n]*\n|// \\[[a-z_]*\\]\n" "" head "${head}")
  string(REGEX REPLACE "// ?([^\n]*\n)" "\\1" head "${head}")
  string(APPEND example_pages "/** @example ${example}\n${head} */\n\n")
endforeach()
set(ERRAND_EXAMPLE_PAGES ${CMAKE_CURRENT_BINARY_DIR}/examples.dox)
file(CONFIGURE OUTPUT ${ERRAND_EXAMPLE_PAGES} CONTENT "${example_pages}" @ONLY)

set(DOXYGEN_PROJECT_NAME errand)
set(DOXYGEN_OUTPUT_DIRECTORY docs)
set(DOXYGEN_HAVE_DOT NO)
set(DOXYGEN_GENERATE_LATEX NO)
set(DOXYGEN_QUIET YES)
set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
set(DOXYGEN_FILE_PATTERNS *.hpp *.md *.dox)
set(DOXYGEN_EXCLUDE_PATTERNS */detail/*/README.md)  # for who works on errand
set(DOXYGEN_EXCLUDE_SYMBOLS errand::detail errand::detail::* std)
set(DOXYGEN_INPUT_FILTER "${CMAKE_COMMAND} -P ${CMAKE_CURRENT_LIST_DIR}/public_part.cmake --")
set(DOXYGEN_EXAMPLE_PATH ${PROJECT_SOURCE_DIR}/examples)
set(DOXYGEN_EXAMPLE_RECURSIVE YES)
set(DOXYGEN_IMAGE_PATH ${PROJECT_SOURCE_DIR}/examples/explained ${PROJECT_SOURCE_DIR}/tests/loops
                       ${PROJECT_SOURCE_DIR}/tests/benchmarks)
set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
set(DOXYGEN_MACRO_EXPANSION YES)
set(DOXYGEN_EXPAND_ONLY_PREDEF YES)
set(DOXYGEN_PREDEFINED ERRAND_COLD= ERRAND_NOINLINE= ERRAND_ONCE=)
set(DOXYGEN_SORT_MEMBER_DOCS NO)
set(DOXYGEN_SORT_GROUP_NAMES NO)
set(DOXYGEN_STRIP_FROM_PATH ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
set(DOXYGEN_STRIP_FROM_INC_PATH ${PROJECT_SOURCE_DIR}/include)
set(DOXYGEN_USE_MDFILE_AS_MAINPAGE ${PROJECT_SOURCE_DIR}/README.md)
doxygen_add_docs(docs README.md ${ERRAND_PAGES} .cmake/groups.dox ${ERRAND_EXAMPLE_PAGES} include/errand
                 COMMENT "The reference: docs/html/index.html")
add_custom_command(
  TARGET docs POST_BUILD
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${CMAKE_CURRENT_BINARY_DIR}/docs/llms.txt
          -P ${CMAKE_CURRENT_LIST_DIR}/llms.cmake
  VERBATIM
)
