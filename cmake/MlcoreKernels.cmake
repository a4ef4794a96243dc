# mlcore_add_kernels(<core> <file.kernel.cpp>...)
#
# Compiles each kernel file once per instruction-set level into the namespace mlcore::isa_<level> and links the
# objects into <core>. Levels: base (what the ABI guarantees), v3 (AVX2, FMA), v4 (AVX-512). The core target sees
# MLCORE_HAVE_V3 / MLCORE_HAVE_V4, so that tables exist exactly for what was compiled.
set(MLCORE_ISA_LEVELS base)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND MLCORE_ISA_LEVELS v3 v4)
endif()
set(MLCORE_ISA_FLAGS_base "")
set(MLCORE_ISA_FLAGS_v3 -march=x86-64-v3)
set(MLCORE_ISA_FLAGS_v4 -march=x86-64-v4 -mprefer-vector-width=512)
set(MLCORE_ISA_NUMBER_base 1)
set(MLCORE_ISA_NUMBER_v3 3)
set(MLCORE_ISA_NUMBER_v4 4)

add_custom_target(mlcore_kernels)  # the kernel objects of all levels, nothing else: what check_symbols.py builds

function(mlcore_add_kernels core)
  foreach(level IN LISTS MLCORE_ISA_LEVELS)
    set(objects mlcore_kernels_${level})
    add_library(${objects} OBJECT ${ARGN})
    set_target_properties(${objects} PROPERTIES MLCORE_KERNELS TRUE)
    target_include_directories(${objects} PRIVATE cpp/include cpp/src)
    target_link_libraries(${objects} PRIVATE mlcore_flags)
    target_compile_options(${objects} PRIVATE
      -fopenmp-simd -fno-exceptions -fno-rtti -fno-lto ${MLCORE_ISA_FLAGS_${level}})
    target_compile_definitions(${objects} PRIVATE
      MLCORE_ISA_NAMESPACE=isa_${level} MLCORE_ISA_LEVEL=${MLCORE_ISA_NUMBER_${level}})
    add_dependencies(mlcore_kernels ${objects})
    target_sources(${core} PRIVATE $<TARGET_OBJECTS:${objects}>)
    string(TOUPPER ${level} upper)
    target_compile_definitions(${core} PUBLIC MLCORE_HAVE_${upper}=1)
  endforeach()
endfunction()
