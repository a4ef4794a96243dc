"""Every instruction-set level of the native HMM engine computes the same thing."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mlcore import _core

LEVELS = [
    level
    for level in _core.isa_levels_compiled()
    if ["base", "v3", "v4"].index(level) <= ["base", "v3", "v4"].index(_core.isa_level_of_cpu())
]

SCRIPT = """
import json, sys
import numpy as np
from mlcore import _core

native = _core.hmm


def results(K):
    rng = np.random.default_rng(K)
    offsets = np.concatenate([[0], np.cumsum([2500, 3, 17, 1, 64, 65, 40, 40, 9, 700])]).astype(np.int64)
    n, d = offsets[-1], 3
    start, A = rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), K)
    X = rng.normal(size=(n, d))
    gaps = X.copy()
    gaps[rng.random(X.shape) < 0.02] = np.nan
    means, M = rng.normal(size=(K, d)), 11
    pairs = np.stack([means, means + 1], axis=1)
    cov = np.tile(np.eye(d) + 0.3, (K, 1, 1))
    counts = rng.poisson(2.0, (n, d)).astype(float)
    emissions = [
        (("gaussian", "full", means, cov), gaps),
        (("gaussian", "tied", means, cov[0]), X.astype(np.float32)),
        (("gaussian", "diag", means, np.ones((K, d))), gaps),
        (("gaussian", "spherical", means, np.ones(K)), X),
        (("gaussian_mixture", "diag", np.full((K, 2), 0.5), pairs, np.ones((K, 2, d))), X),
        (("categorical", rng.dirichlet(np.ones(M), K)), rng.integers(-1, M, n)),
        (("categorical", rng.dirichlet(np.ones(4), K)), rng.integers(-1, 4, n)),
        (("poisson", rng.uniform(1, 3, (K, d))), counts),
        (("multinomial", rng.dirichlet(np.ones(d), K)), counts),
    ]
    for emission, x in emissions:
        a = (emission, x, offsets, start, A)
        yield native.score(*a, None, 1)
        yield native.posteriors(*a, None, 1)[1].sum(axis=0)
        value, path = native.viterbi(*a, None, 1)
        yield value
        yield np.bincount(path, minlength=K)
        yield from (v for v in native.estep(*a, None, None, 1).values() if isinstance(v, np.ndarray))


print(_core.isa_level())
print(json.dumps([np.asarray(r, dtype=float).ravel().tolist() for K in (1, 3, 8, 9, 14) for r in results(K)]))
"""


def run(level):
    environment = {**os.environ, "MLCORE_ISA": level}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    used, values = done.stdout.splitlines()
    assert used == level
    return json.loads(values)


@pytest.fixture(scope="module")
def reference():
    return run(LEVELS[-1])


@pytest.mark.parametrize("level", LEVELS[:-1])
def test_levels_agree(level, reference):
    found = run(level)
    assert len(found) == len(reference) > 0
    for a, b in zip(found, reference):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)
