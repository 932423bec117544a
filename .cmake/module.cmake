# SPDX-License-Identifier: MIT
# The target errand::module, for `import errand;`. A compiled module is of use only to the compiler and the flags that
# made it, so each project compiles it for itself, also if errand is installed. ERRAND_MODULE_DIR is the directory of
# the headers.
if(NOT TARGET errand::module)
  add_library(errand_module STATIC EXCLUDE_FROM_ALL)
  add_library(errand::module ALIAS errand_module)
  target_sources(errand_module PUBLIC FILE_SET CXX_MODULES BASE_DIRS ${ERRAND_MODULE_DIR}
                 FILES ${ERRAND_MODULE_DIR}/errand/errand.cppm)
  target_link_libraries(errand_module PUBLIC errand::errand)
endif()
