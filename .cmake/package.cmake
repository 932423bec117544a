# SPDX-License-Identifier: MIT
# `cpack -G DEB`, in the build directory, makes a package for Debian and Ubuntu of what `cmake --install` copies. The
# headers alone are a package for every machine. With a shared library there is no package, because Debian wants such a
# library in a package of its own.
if(ERRAND_BUILD_COMPILED AND BUILD_SHARED_LIBS)
  return()
endif()
set(CPACK_PACKAGE_NAME liberrand-dev)
set(CPACK_PACKAGE_CONTACT "errand contributors <contributors@errand.invalid>" CACHE STRING "Who makes the package")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "background tasks for C++20 (development files)")
set(CPACK_PACKAGE_DESCRIPTION "An App runs coroutines as tasks on one thread. Tasks have names, by
which they are found, awaited, looked at and cancelled. There are time
limits, groups, queues, locks, signals and threads. The library is
header-only, and needs C++20.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "g++ (>= 4:12) | clang (>= 1:14)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "gdb, pkg-config")
if(NOT ERRAND_BUILD_COMPILED)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
  set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # there is nothing to build
endif()

# Debian wants the licence and a list of changes in this directory.
set(ERRAND_DEBIAN_DOC_DIR ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_PACKAGE_NAME})
install(FILES LICENSE DESTINATION ${ERRAND_DEBIAN_DOC_DIR} RENAME copyright COMPONENT debian EXCLUDE_FROM_ALL)
find_program(ERRAND_GZIP gzip)
if(ERRAND_GZIP)
  string(TIMESTAMP ERRAND_DEBIAN_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
  set(ERRAND_DEBIAN_CHANGELOG ${CMAKE_CURRENT_BINARY_DIR}/changelog)
  file(WRITE ${ERRAND_DEBIAN_CHANGELOG} "liberrand (${PROJECT_VERSION}) unstable; urgency=medium

  * Version ${PROJECT_VERSION}. Its changes are listed in examples/how_to/install.md.

 -- ${CPACK_PACKAGE_CONTACT}  ${ERRAND_DEBIAN_DATE}
")
  execute_process(COMMAND ${ERRAND_GZIP} -9nf ${ERRAND_DEBIAN_CHANGELOG})
  install(FILES ${ERRAND_DEBIAN_CHANGELOG}.gz DESTINATION ${ERRAND_DEBIAN_DOC_DIR} COMPONENT debian EXCLUDE_FROM_ALL)
endif()
set(CPACK_INSTALL_CMAKE_PROJECTS
    "${CMAKE_CURRENT_BINARY_DIR};errand;Unspecified;/;${CMAKE_CURRENT_BINARY_DIR};errand;debian;/")
include(CPack)
