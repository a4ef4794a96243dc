"""k-means: one call at a time over dtype, shape, algorithm, threads and instruction-set level."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning

from bench.compare.data import sparse_topics
from bench.micro.cases import DTYPES, SHAPES, Worker, dense_case, thread_counts
from mlcore import _core
from mlcore.cluster import BisectingKMeans, KMeans, MiniBatchKMeans, kmeans_plusplus

ALGORITHMS = ("lloyd", "hamerly", "exponion", "yinyang", "elkan", "auto")
STEPS = 10


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def measure(benchmark: Any, call: Any, size: int) -> Any:
    """Many rounds where a call is short, few where it is long."""
    rounds = int(np.clip(2e7 / max(size, 1), 5, 200))
    return benchmark.pedantic(call, rounds=rounds, iterations=1, warmup_rounds=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_fit(benchmark, shape, dtype):
    n, d, k = SHAPES[shape]
    X, init = dense_case(n, d, k, dtype)
    model = KMeans(k, init=init, n_init=1, max_iter=STEPS, tol=0.0)
    measure(benchmark, lambda: model.fit(X), n * d * k * STEPS)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("shape", ["L2", "L3"])
def test_whole_fit_of_an_algorithm(benchmark, shape, algorithm):
    n, d, k = SHAPES[shape]
    X, init = dense_case(n, d, k, "float32")
    model = KMeans(k, init=init, n_init=1, algorithm=algorithm)
    measure(benchmark, lambda: model.fit(X), n * d * k * 50)
    benchmark.extra_info["n_iter"] = model.n_iter_


@pytest.mark.parametrize("threads", thread_counts())
@pytest.mark.parametrize("shape", SHAPES)
def test_threads(benchmark, shape, threads):
    n, d, k = SHAPES[shape]
    X, init = dense_case(n, d, k, "float32")
    model = KMeans(k, init=init, n_init=1, max_iter=STEPS, tol=0.0, n_jobs=threads)
    measure(benchmark, lambda: model.fit(X), n * d * k * STEPS)


PROGRAM = """
from bench.micro.cases import SHAPES, dense_case
from mlcore import _core
n, d, k = SHAPES[{shape!r}]
X, centers = dense_case(n, d, k, {dtype!r})
def call():
    _core.cluster.assign(X, centers, 1)
"""


@pytest.mark.parametrize("level", _core.isa_levels_compiled())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", ["L1", "L2", "L3"])
def test_assignment_at_a_level(benchmark, shape, dtype, level):
    levels = _core.isa_levels_compiled()
    if levels.index(level) > levels.index(_core.isa_level_of_cpu()):
        pytest.skip("this processor does not have the level")
    n, d, k = SHAPES[shape]
    repeat = max(1, 100_000_000 // (n * d * k))
    with Worker(PROGRAM.format(shape=shape, dtype=dtype), repeat, MLCORE_ISA=level) as worker:
        benchmark.pedantic(worker, rounds=7, iterations=1)
    benchmark.extra_info["calls in a round"] = repeat


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_assignment_in_memory_order(benchmark, dtype, order):
    n, d, k = SHAPES["L3"]
    X, centers = dense_case(n, d, k, dtype)
    X = np.asarray(X, order=order)
    measure(benchmark, lambda: _core.cluster.assign(X, centers, 0), n * d * k)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_predict(benchmark, shape, dtype):
    n, d, k = SHAPES[shape]
    X, init = dense_case(n, d, k, dtype)
    model = KMeans(k, init=init, n_init=1, max_iter=1).fit(X[: max(2 * k, 100)])
    measure(benchmark, lambda: model.predict(X), n * d * k)


@pytest.mark.parametrize("shape", SHAPES)
def test_seeding(benchmark, shape):
    n, d, k = SHAPES[shape]
    X, _ = dense_case(n, d, k, "float32")
    measure(benchmark, lambda: kmeans_plusplus(X, k, random_state=0), n * d * k)


@pytest.mark.parametrize("shape", ["L1", "L2", "L3"])
def test_partial_sums(benchmark, shape):
    n, d, k = SHAPES[shape]
    X, centers = dense_case(n, d, k, "float32")
    measure(benchmark, lambda: _core.cluster.partial(X, None, centers, 0), n * d * k)


@pytest.mark.parametrize("index", ["int32", "int64"])
def test_sparse_fit(benchmark, index):
    parts = sparse_topics(10_000, 2_000, 20)
    X = csr_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=tuple(parts["shape"]))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    model = KMeans(20, init=X[:20].toarray(), n_init=1, max_iter=STEPS, tol=0.0)
    measure(benchmark, lambda: model.fit(X), X.nnz * 20 * STEPS)


@pytest.mark.parametrize("shape", ["L1", "L2", "L3"])
def test_minibatch_step(benchmark, shape):
    n, d, k = SHAPES[shape]
    X, init = dense_case(n, d, k, "float32")
    model = MiniBatchKMeans(k, init=init, n_init=1, random_state=0).partial_fit(X[: max(k, 1024)])
    batch = X[:1024]
    measure(benchmark, lambda: model.partial_fit(batch), len(batch) * d * k)


def test_bisecting(benchmark):
    n, d, k = SHAPES["L2"]
    X, _ = dense_case(n, d, k, "float32")
    measure(benchmark, lambda: BisectingKMeans(k, random_state=0).fit(X), n * d * k * STEPS)
