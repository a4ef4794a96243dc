"""Single kernels and estimators by pytest-benchmark: ``python -m pytest bench/micro --benchmark-only``."""
