# SPDX-License-Identifier: MIT
# What `cmake --install` copies: the headers, with the module and the commands for gdb beside them, what find_package
# and pkg-config read and, with ERRAND_BUILD_COMPILED, the library. All of it may be moved afterwards. Without the
# library, none of it depends on the machine, so that it belongs under share/.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(ERRAND_TARGETS errand)
set(ERRAND_PACKAGE_DIR ${CMAKE_INSTALL_DATADIR}/cmake/errand)
set(ERRAND_ANY_MACHINE ARCH_INDEPENDENT)
if(ERRAND_BUILD_COMPILED)
  list(APPEND ERRAND_TARGETS errand_compiled)
  set(ERRAND_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/errand)
  set(ERRAND_ANY_MACHINE "")
endif()
set(ERRAND_PC_DIR ${CMAKE_INSTALL_DATADIR}/pkgconfig)

install(DIRECTORY include/errand DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp"
        PATTERN errand.cppm PATTERN gdb.py)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/errand)

install(TARGETS ${ERRAND_TARGETS} EXPORT errand-targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT errand-targets NAMESPACE errand:: DESTINATION ${ERRAND_PACKAGE_DIR})

# Before 1.0.0 a minor version may change the API.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(ERRAND_COMPATIBILITY SameMinorVersion)
else()
  set(ERRAND_COMPATIBILITY SameMajorVersion)
endif()
configure_package_config_file(.cmake/errand-config.cmake.in errand-config.cmake
                              INSTALL_DESTINATION ${ERRAND_PACKAGE_DIR} PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(errand-config-version.cmake COMPATIBILITY ${ERRAND_COMPATIBILITY} ${ERRAND_ANY_MACHINE})
install(
  FILES ${CMAKE_CURRENT_BINARY_DIR}/errand-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/errand-config-version.cmake
  DESTINATION ${ERRAND_PACKAGE_DIR}
)
install(FILES .cmake/module.cmake DESTINATION ${ERRAND_PACKAGE_DIR} RENAME errand-module.cmake)

# Directories that were given as absolute ones stay where they are.
if(IS_ABSOLUTE "${ERRAND_PC_DIR}")
  set(ERRAND_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH ERRAND_PC_PREFIX "/${ERRAND_PC_DIR}" "/")
  string(REGEX REPLACE "/$" "" ERRAND_PC_PREFIX "\${pcfiledir}/${ERRAND_PC_PREFIX}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(ERRAND_PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
else()
  set(ERRAND_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(.cmake/errand.pc.in errand.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/errand.pc DESTINATION ${ERRAND_PC_DIR})
