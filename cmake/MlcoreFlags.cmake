# Flags that every target shares (interface library mlcore_flags).
add_library(mlcore_flags INTERFACE)
if(MSVC AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "mlcore's kernels use GNU vector types: build on Windows with clang++ (CC=clang CXX=clang++)")
endif()
# Named on its own so that a structure check can build at -O0 and the sanitizers at -O1.
set(MLCORE_OPTIMIZATION "-O3" CACHE STRING "Optimization flag of all targets")
# Kernels may fuse a * b + c, everything else may not. One flag chosen here: options of a target come before those of the
# libraries it links, so a second -ffp-contract there would lose against this one.
target_compile_options(mlcore_flags INTERFACE
  -ffp-contract=$<IF:$<BOOL:$<TARGET_PROPERTY:MLCORE_KERNELS>>,fast,off>)
target_compile_options(mlcore_flags INTERFACE
  ${MLCORE_OPTIMIZATION} -fno-math-errno -fno-trapping-math -Wall -Wextra -Wno-psabi)
if(MLCORE_SANITIZE)
  string(REPLACE ";" "," _sanitize "${MLCORE_SANITIZE}")
  target_compile_options(mlcore_flags INTERFACE -fsanitize=${_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(mlcore_flags INTERFACE -fsanitize=${_sanitize})
endif()
