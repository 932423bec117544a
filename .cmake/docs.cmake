# SPDX-License-Identifier: MIT
# The target `docs`: build/docs/html/index.html, from the README and the public part of each public header. A name that
# is not documented, or a comment that Doxygen does not understand, is an error.
find_package(Doxygen 1.9 QUIET)
if(NOT DOXYGEN_FOUND)
  add_custom_target(docs COMMAND ${CMAKE_COMMAND} -E echo "Doxygen is not installed" COMMAND ${CMAKE_COMMAND} -E false)
  return()
endif()

set(DOXYGEN_PROJECT_NAME errand)
set(DOXYGEN_OUTPUT_DIRECTORY docs)
set(DOXYGEN_HAVE_DOT NO)
set(DOXYGEN_GENERATE_LATEX NO)
set(DOXYGEN_QUIET YES)
set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
set(DOXYGEN_FILE_PATTERNS *.hpp *.md)
set(DOXYGEN_EXCLUDE_PATTERNS */detail/*/README.md)  # for who works on errand
set(DOXYGEN_EXCLUDE_SYMBOLS errand::detail errand::detail::* std)
set(DOXYGEN_INPUT_FILTER "${CMAKE_COMMAND} -P ${CMAKE_CURRENT_LIST_DIR}/public_part.cmake --")
set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
set(DOXYGEN_MACRO_EXPANSION YES)
set(DOXYGEN_EXPAND_ONLY_PREDEF YES)
set(DOXYGEN_PREDEFINED ERRAND_COLD= ERRAND_NOINLINE= ERRAND_ONCE=)
set(DOXYGEN_SORT_MEMBER_DOCS NO)
set(DOXYGEN_STRIP_FROM_PATH ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
set(DOXYGEN_STRIP_FROM_INC_PATH ${PROJECT_SOURCE_DIR}/include)
set(DOXYGEN_USE_MDFILE_AS_MAINPAGE README.md)
doxygen_add_docs(docs README.md include/errand COMMENT "The reference: docs/html/index.html")
