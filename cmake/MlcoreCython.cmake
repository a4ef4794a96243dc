# mlcore_add_cython(<module> <file.pyx>): one Cython file to one extension module.
function(mlcore_add_cython module source)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${module}.cxx)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND Python::Interpreter -m cython -3 --cplus --module-name mlcore.${module}
            ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${generated}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    VERBATIM)
  python_add_library(${module} MODULE WITH_SOABI ${generated})
  target_compile_options(${module} PRIVATE -O2)
endfunction()
