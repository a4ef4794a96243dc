"""SciPy's BLAS and LAPACK entry points as addresses for the core."""
