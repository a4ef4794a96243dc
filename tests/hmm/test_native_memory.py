"""Working memory of the native engine does not grow with the length of a sequence."""

import subprocess
import sys

import pytest

# Growth of the peak resident size in MB over one call, in a fresh process.
SCRIPT = """
import resource, sys
import numpy as np
from mlcore import _core

native, rng = _core.hmm, np.random.default_rng(0)


def grown(call):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, result


K, n = 4, 2_000_000
x = rng.integers(0, 4, n)
start, A = np.full(K, 0.25), rng.dirichlet(np.ones(K), K)
arguments = (("categorical", rng.dirichlet(np.ones(4), K)), x, np.array([0, n]), start, A)
if sys.argv[1] == "score":
    print(grown(lambda: native.score(*arguments, None, 1))[0])
elif sys.argv[1] == "estep":
    print(grown(lambda: native.estep(*arguments, None, None, 1))[0])
elif sys.argv[1] == "viterbi":  # the path is 8 MB
    print(grown(lambda: native.viterbi(*arguments, None, 1))[0])
else:
    K, D, n = 3, 60, 150_000  # posteriors of 3.6 MB; all planes would be 260 MB
    L = rng.normal(size=(n, K))
    start, A = np.full(K, 1 / K), (1 - np.eye(K)) / (K - 1)
    P = rng.dirichlet(np.ones(D), K)
    print(grown(lambda: native.duration_estep(L, np.array([0, n]), start, A, P, None, None, 1))[0])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss has another unit elsewhere")
@pytest.mark.parametrize(
    ("call", "megabytes"), [("score", 12), ("estep", 12), ("viterbi", 20), ("durations", 16)]
)
def test_memory_does_not_grow_with_the_length(call, megabytes):
    """One plane a row would be 64 MB: 2,000,000 rows of 4 states."""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", SCRIPT, call], capture_output=True, text=True, check=True)
    assert float(done.stdout) < megabytes
