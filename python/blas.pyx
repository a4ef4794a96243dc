# cython: language_level=3
"""Addresses of SciPy's BLAS and LAPACK functions.

SciPy's cython_blas and cython_lapack offer their functions to other Cython modules as capsules in ``__pyx_capi__``,
whose names are the C signatures. A ``cimport`` compares these names with those of the SciPy at build time and refuses
any difference, but SciPy comes with 32-bit integers (LP64, every wheel) and with 64-bit ones (ILP64, a build option
since 1.18). Reading the capsules serves both with one binary: the name is checked here, part by part, and says how
wide the integers are.
"""

import re

from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer

# Result and arguments: v nothing, c characters, i integers, r real numbers; all arguments are pointers.
cdef dict SIGNATURES = {
    "gemm": "v cciiirririrri",
    "gemv": "v ciirririrri",
    "syrk": "v cciirrirri",
    "trsm": "v cccciirriri",
    "potrf": "v cirii",
    "dot": "r iriri",
    "axpy": "v irriri",
    "nrm2": "r iri",
}
cdef dict INT_BITS = {
    "int": 8 * sizeof(int),
    "long": 8 * sizeof(long),
    "long long": 8 * sizeof(long long),
    "int32_t": 32,
    "int64_t": 64,
}
# SciPy's own names for its real types end in _s and _d.
REAL = {"s": re.compile(r"float|__pyx_t_\w+_s"), "d": re.compile(r"double|__pyx_t_\w+_d")}


def integer_bits(str text, str function):
    """Width of the integers in a C signature of the BLAS function (with precision letter); ValueError if it differs."""
    wanted = SIGNATURES[function[1:]]
    real = REAL[function[:1]]
    match = re.fullmatch(r"(.+?)\s*\((.*)\)(\s*noexcept)?(\s*nogil)?", text)
    types = [match[1], *match[2].split(",")] if match else []
    bits = set()
    matches = len(types) == len(wanted.replace(" ", ""))
    for i, (kind, name) in enumerate(zip(wanted.replace(" ", ""), types)):
        name = name.strip()
        if i > 0:
            matches = matches and name.endswith("*")
            name = name.rstrip("*").strip()
        if kind == "v":
            matches = matches and name == "void"
        elif kind == "c":
            matches = matches and name == "char"
        elif kind == "i":
            bits.add(INT_BITS.get(name))
        else:
            matches = matches and real.fullmatch(name) is not None
    if not matches or len(bits) != 1 or None in bits:
        raise ValueError(f"{function} has the unexpected signature {text!r}")
    return bits.pop()


def entry_points(blas, lapack):
    """Addresses of all functions and the width of their integers.

    Parameters
    ----------
    blas, lapack : dict
        ``__pyx_capi__`` of scipy.linalg.cython_blas and cython_lapack: capsules by name of the function.

    Returns
    -------
    (addresses, int_bits) : (dict of int, int)

    Raises
    ------
    ValueError
        If a function is missing or is not what BLAS defines.
    """
    addresses = {}
    widths = set()
    cdef const char* signature
    for letter in "sd":
        for name in SIGNATURES:
            function = letter + name
            table = lapack if name == "potrf" else blas
            if function not in table:
                raise ValueError(f"{function} is missing")
            signature = PyCapsule_GetName(table[function])
            widths.add(integer_bits(signature.decode(), function))
            addresses[function] = <size_t>PyCapsule_GetPointer(table[function], signature)
    if len(widths) != 1:
        raise ValueError(f"integers of different widths: {sorted(widths)} bits")
    return addresses, widths.pop()
