"""Benchmarks: `micro` times kernels and estimators, `compare` sets them beside other libraries."""
