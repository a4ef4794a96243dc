// How this binary was built, and which OpenMP runtime it has got.
#include "arrays.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#endif
#ifdef _OPENMP
extern "C" int omp_get_max_threads();
#endif

#ifndef MLCORE_BUILD_TYPE
#define MLCORE_BUILD_TYPE "unknown"
#endif
#ifndef MLCORE_BUILD_FLAGS
#define MLCORE_BUILD_FLAGS "unknown"
#endif

namespace mlcore::python {

namespace {

std::string compiler() {
#if defined(__clang__)
  return std::string("Clang ") + __clang_version__;
#elif defined(__GNUC__)
  return std::string("GCC ") + __VERSION__;
#else
  return "unknown";
#endif
}

// The library file that has served the OpenMP calls of this module; empty where it cannot be asked.
std::string openmp_library() {
#if defined(_OPENMP) && (defined(__unix__) || defined(__APPLE__))
  Dl_info found;
  if (dladdr(reinterpret_cast<void*>(&omp_get_max_threads), &found) != 0 && found.dli_fname != nullptr)
    return found.dli_fname;
#endif
  return {};
}

int openmp_date() {
#ifdef _OPENMP
  return _OPENMP;
#else
  return 0;
#endif
}

}  // namespace

void register_build_info(py::module_& module) {
  module.def("build_info", [] {
    py::dict info;
    info["compiler"] = compiler();
    info["build_type"] = MLCORE_BUILD_TYPE;
    info["flags"] = MLCORE_BUILD_FLAGS;
    info["openmp_date"] = openmp_date();
    info["openmp_library"] = openmp_library();
    return info;
  });
}

}  // namespace mlcore::python
