"""Data that several of the clustering tests use."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest
import scipy.sparse as sp

# Tests are imported by path, not as a package: this makes `import cluster_oracle` work in them.
_spec = importlib.util.spec_from_file_location(
    "cluster_oracle", pathlib.Path(__file__).with_name("oracle.py")
)
_module = importlib.util.module_from_spec(_spec)
sys.modules["cluster_oracle"] = _module
_spec.loader.exec_module(_module)


@pytest.fixture
def oracle():
    return _module


@pytest.fixture
def blobs():
    """400 rows around 5 centres that overlap a little, and 5 of the rows as a start."""
    rng = np.random.default_rng(7)
    means = rng.uniform(-6, 6, size=(5, 4))
    X = means[rng.integers(5, size=400)] + rng.normal(size=(400, 4))
    return X, X[:5].copy()


@pytest.fixture
def half_empty():
    """The same rows dense and as CSR, half of the entries zero."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 12)) * (rng.random((300, 12)) < 0.5) + 3 * rng.integers(3, size=(300, 1))
    X[rng.random(X.shape) < 0.4] = 0
    return X, sp.csr_array(X)
