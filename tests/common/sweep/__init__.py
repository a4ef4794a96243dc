"""The checks that every public estimator and function of mlcore must pass."""
