"""DBSCAN against a double loop, against scikit-learn, and on data made to break it."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import DBSCAN as Peer
from sklearn.datasets import make_moons
from sklearn.metrics import pairwise_distances

from mlcore import _core
from mlcore.cluster import DBSCAN, dbscan


def reduced(x, y, metric, p):
    """r(x, y) as the rule has it: one rounded operation after the other."""
    total = 0.0
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        difference = abs(a - b)
        if metric == "chebyshev":
            total = max(total, difference)
        elif metric == "manhattan":
            total += difference
        elif metric == "minkowski":
            total += difference**p
        else:
            total += difference * difference
    return total


def oracle(X, eps, min_samples, weights=None, metric="euclidean", p=3.0):
    """Core rows and labels by a double loop and a search from each core row in turn."""
    X = np.asarray(X, dtype=np.float64)
    n = len(X)
    bound = {"euclidean": eps * eps, "minkowski": eps**p}.get(metric, eps)
    near = [[j for j in range(n) if reduced(X[i], X[j], metric, p) <= bound] for i in range(n)]
    weights = np.ones(n) if weights is None else weights
    core = np.array([weights[near[i]].sum() >= min_samples for i in range(n)])
    labels = np.full(n, -1)
    number = 0
    for start in range(n):
        if not core[start] or labels[start] >= 0:
            continue
        labels[start] = number
        waiting = [start]
        while waiting:
            i = waiting.pop()
            for j in near[i]:
                if labels[j] < 0:
                    labels[j] = number
                    if core[j]:
                        waiting.append(j)
        number += 1
    return np.flatnonzero(core), labels


def lattice_or_noise(rng, trial):
    """Few distinct values (duplicates, distances exactly eps), or none alike; odd sizes around the leaf."""
    n = int(rng.choice([1, 2, 3, 31, 32, 33, 63, 64, 65, 100]))
    d = int(rng.choice([1, 2, 3, 5, 17]))
    if trial % 3 == 0:
        return rng.normal(size=(n, d))
    return rng.integers(0, rng.integers(1, 6), size=(n, d)).astype(float)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "minkowski"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_double_loop_gives_the_same(metric, weighted):
    rng = np.random.default_rng(len(metric) + 100 * weighted)
    for trial in range(25):
        X = lattice_or_noise(rng, trial)
        weights = None
        if weighted:
            weights = rng.integers(0 if trial % 2 else -2, 4, size=len(X)).astype(float)
            weights[0] = 1.0
        eps = float(rng.choice([0.5, 1.0, np.sqrt(2), 2.0, 3.0]))
        min_samples = int(rng.integers(1, 9))
        model = DBSCAN(eps, min_samples=min_samples, metric=metric, p=3.0).fit(X, sample_weight=weights)
        core, labels = oracle(X, eps, min_samples, weights, metric)
        assert np.array_equal(model.core_sample_indices_, core), trial
        assert np.array_equal(model.labels_, labels), trial
        assert np.array_equal(model.components_, X[core])


@pytest.mark.parametrize("d", [1, 2, 3, 4, 8, 20])
def test_scikit_learn_gives_the_same_labels(d):
    rng = np.random.default_rng(d)
    X = np.vstack([rng.normal(c, 0.7, size=(700, d)) for c in (0, 3, 7)] + [rng.uniform(-4, 11, (600, d))])
    X = X[rng.permutation(len(X))]
    for eps, min_samples in ((0.2 * d, 4), (0.35 * d, 10), (0.6 * d, 25)):
        ours = DBSCAN(eps, min_samples=min_samples).fit(X)
        peer = Peer(eps=eps, min_samples=min_samples, algorithm="kd_tree").fit(X)
        assert np.array_equal(ours.labels_, peer.labels_)
        assert np.array_equal(ours.core_sample_indices_, peer.core_sample_indices_)


def near_matrix(X, eps):
    """0 where the rule says "within eps", else 1; the sum has two or three terms, added from the left."""
    total = 0.0
    for column in X.T:
        total = total + np.square(column[:, None] - column[None])
    return np.where(total <= eps * eps, 0.0, 1.0)


def test_distances_exactly_eps_count():
    side = np.arange(30.0)
    lattice = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2) * 0.1  # 0.1 is rounded: not all alike
    for eps in (0.1, 0.2, 0.1 * np.sqrt(2), 0.30000000000000004):
        distances = near_matrix(lattice, eps)
        for min_samples in (3, 4, 5, 9):
            ours = DBSCAN(eps, min_samples=min_samples).fit(lattice)
            peer = Peer(eps=0.5, min_samples=min_samples, metric="precomputed").fit(distances)
            assert np.array_equal(ours.labels_, peer.labels_)
            assert np.array_equal(ours.core_sample_indices_, peer.core_sample_indices_)
    exact = lattice * 10
    assert DBSCAN(1.0, min_samples=5).fit(np.round(exact)).core_sample_indices_.size == 28 * 28
    assert DBSCAN(np.nextafter(1.0, 0), min_samples=2).fit(np.round(exact)).core_sample_indices_.size == 0


def lattice_in_space():
    X = np.random.default_rng(3).integers(0, 12, size=(2500, 3)) * 0.1
    squares = np.unique(np.square(X[:60, None] - X[None, :60]).sum(axis=-1))
    return X, np.sqrt(squares[(squares > 0.05) & (squares < 0.4)][:8])


@pytest.mark.parametrize("level", ["base", "v3", "v4"])
def test_every_isa_level_decides_ties_alike(level):
    """Products must be rounded before they are added: a fused operation decides some of these otherwise."""
    levels = list(_core.isa_levels_compiled())
    if level not in levels[: levels.index(_core.isa_level_of_cpu()) + 1]:
        pytest.skip("not for this CPU")
    program = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1]); import test_dbscan as t;"
        "X, radii = t.lattice_in_space();"
        "[print(*t.DBSCAN(e, min_samples=60).fit(X).core_sample_indices_) for e in radii.tolist()]"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    done = subprocess.run(
        command, env=os.environ | {"MLCORE_ISA": level}, capture_output=True, text=True, check=True
    )
    X, radii = lattice_in_space()
    lines = done.stdout.split("\n")
    assert len(lines) == len(radii) + 1
    for eps, line in zip(radii.tolist(), lines[:-1], strict=True):
        core = np.flatnonzero((near_matrix(X, eps) == 0).sum(axis=1) >= 60)
        assert np.array_equal(np.array(line.split(), dtype=int), core)


def test_a_border_row_goes_to_the_lowest_cluster_number():
    X = np.array([[2.0], [0.0], [0.1], [0.2], [4.0], [4.1], [4.2]])  # the first row touches both groups
    model = DBSCAN(2.0, min_samples=4).fit(X)
    assert model.labels_.tolist() == [0, 0, 0, 0, 1, 1, 1] or model.labels_.tolist() == [0] * 7
    left_first = DBSCAN(1.9, min_samples=3).fit(np.array([[1.9], [0.0], [0.0], [0.0], [3.8], [3.8], [3.8]]))
    assert left_first.labels_.tolist() == [0] * 7  # row 0 has seven neighbours: core, and a bridge
    border = np.array([[1.9], [0.0], [0.0], [0.0], [3.8], [3.8], [3.8], [3.8]])
    weights = np.array([-5.0, 3, 3, 3, 3, 3, 3, 3])
    swapped = border[[0, 4, 5, 6, 7, 1, 2, 3]]
    for rows in (border, swapped):
        core, labels = oracle(rows, 1.9, 4, weights)
        model = DBSCAN(1.9, min_samples=4).fit(rows, sample_weight=weights)
        assert np.array_equal(model.labels_, labels)
        assert np.array_equal(model.core_sample_indices_, core)


def test_the_partition_does_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(8)
    X = rng.uniform(size=(3000, 3))
    model = DBSCAN(0.07, min_samples=5).fit(X)
    order = rng.permutation(len(X))
    other = DBSCAN(0.07, min_samples=5).fit(X[order])
    assert set(order[other.core_sample_indices_]) == set(model.core_sample_indices_)
    back = np.empty(len(X), dtype=int)
    back[order] = other.labels_
    core = model.core_sample_indices_
    assert model.labels_.max() > 3
    pairs = np.unique(np.stack([model.labels_[core], back[core]]), axis=1)
    assert pairs.shape[1] == model.labels_.max() + 1  # the core rows: a renaming
    assert np.array_equal(model.labels_ < 0, back < 0)


def test_the_moons_of_chapter_18():
    X, _ = make_moons(260, noise=0.08, random_state=3)
    X = np.vstack([X, np.random.default_rng(0).uniform(X.min(axis=0) - 0.5, X.max(axis=0) + 0.5, (25, 2))])
    ours, peer = DBSCAN(0.2, min_samples=5).fit(X), Peer(eps=0.2, min_samples=5).fit(X)
    assert np.array_equal(ours.labels_, peer.labels_)
    assert ours.labels_.max() == 1


# ---- weights ----


def test_whole_weights_are_repetition():
    rng = np.random.default_rng(2)
    X = rng.integers(0, 15, size=(150, 2)).astype(float)
    counts = rng.integers(1, 5, size=150)
    weighted = DBSCAN(1.0, min_samples=9).fit(X, sample_weight=counts)
    repeated = DBSCAN(1.0, min_samples=9).fit(np.repeat(X, counts, axis=0))
    assert np.array_equal(np.repeat(weighted.labels_, counts), repeated.labels_)
    assert 0 < weighted.core_sample_indices_.size < 150


def test_a_row_of_weight_zero_makes_nobody_core():
    X = np.array([[0.0], [0.1], [0.2], [9.0]])
    assert DBSCAN(0.5, min_samples=3).fit(X).labels_.tolist() == [0, 0, 0, -1]
    weights = [1.0, 0.0, 1.0, 1.0]
    assert DBSCAN(0.5, min_samples=3).fit(X, sample_weight=weights).labels_.tolist() == [-1] * 4
    without = DBSCAN(0.5, min_samples=2).fit(X[[0, 2, 3]])
    assert without.labels_.tolist() == [0, 0, -1]


def test_a_subtree_within_reach_counts_with_its_weight():
    X = np.repeat([[0.0, 0.0], [1.0, 0.0], [50.0, 0.0]], 500, axis=0)
    weights = np.full(1500, 0.25)
    assert DBSCAN(2.0, min_samples=250).fit(X, sample_weight=weights).core_sample_indices_.size == 1000
    assert DBSCAN(2.0, min_samples=251).fit(X, sample_weight=weights).core_sample_indices_.size == 0
    weights[0] = -1.0
    assert DBSCAN(2.0, min_samples=250).fit(X, sample_weight=weights).core_sample_indices_.size == 0


# ---- other metrics, given distances ----


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_given_distances(kind, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, size=(120, 2)).astype(float)
    distances = pairwise_distances(X, metric="manhattan").astype(dtype)
    given = distances.copy()
    if kind in (sp.csr_array, sp.csc_matrix):
        given[given > 3] = 0  # not stored: no neighbours, and duplicates are lost unless their zero is stored
        distances[(distances > 3) | ((distances == 0) & ~np.eye(120, dtype=bool))] = 100
    model = DBSCAN(1.0, min_samples=6, metric="precomputed").fit(kind(given))
    peer = Peer(eps=1.0, min_samples=6, metric="precomputed").fit(distances)
    assert np.array_equal(model.labels_, peer.labels_)
    assert model.labels_.max() >= 0
    assert np.array_equal(
        model.predict(kind(given) if kind is not np.asarray else given)[model.labels_ < 0],
        model.labels_[model.labels_ < 0],
    )


def test_given_distances_are_compared_in_their_own_precision():
    distances = np.array([[0.0, 0.1], [0.1, 0.0]], dtype=np.float32)  # a little more than 0.1
    assert DBSCAN(0.1, min_samples=2, metric="precomputed").fit(distances).labels_.tolist() == [0, 0]


def test_rows_of_an_asymmetric_matrix_are_taken_as_they_stand():
    rng = np.random.default_rng(4)
    distances = rng.uniform(size=(80, 80))
    np.fill_diagonal(distances, 0)
    for min_samples in (3, 8, 12):
        ours = DBSCAN(0.1, min_samples=min_samples, metric="precomputed").fit(distances)
        peer = Peer(eps=0.1, min_samples=min_samples, metric="precomputed").fit(distances)
        assert np.array_equal(ours.labels_, peer.labels_)


@pytest.mark.parametrize(
    ("metric", "more"),
    [
        ("canberra", {}),
        ("seuclidean", {"metric_params": {"V": np.array([1.0, 4.0, 9.0])}}),
        ("minkowski", {"p": 3, "metric_params": {"w": np.array([1.0, 2.0, 0.5])}}),
        (lambda x, y: np.abs(x - y).max(), {}),
    ],
)
def test_metrics_of_scikit_learn(metric, more):
    X = np.random.default_rng(1).uniform(size=(150, 3))
    eps = {"canberra": 0.4, "seuclidean": 0.2}.get(metric, 0.2) if isinstance(metric, str) else 0.2
    ours = DBSCAN(eps, min_samples=3, metric=metric, **more).fit(X)
    peer = Peer(eps=eps, min_samples=3, metric=metric, **more).fit(X)
    assert np.array_equal(ours.labels_, peer.labels_)
    assert np.array_equal(ours.predict(X), ours.labels_)


def test_cosine():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(400, 3)) * rng.uniform(0.01, 100, size=(400, 1))
    ours = DBSCAN(0.01, min_samples=4, metric="cosine").fit(X)
    peer = Peer(eps=0.01, min_samples=4, metric="cosine").fit(X)
    assert np.array_equal(ours.labels_, peer.labels_)
    assert ours.labels_.max() > 3
    assert np.array_equal(ours.predict(3 * X), ours.labels_)
    X[5] = 0  # no direction: scikit-learn's distance of 1 from everything
    ours = DBSCAN(0.01, min_samples=4, metric="cosine").fit(X)
    assert np.array_equal(ours.labels_, Peer(eps=0.01, min_samples=4, metric="cosine").fit(X).labels_)


def test_sparse_rows():
    X = sp.random_array((200, 30), density=0.1, rng=np.random.default_rng(0), format="csr")
    dense = DBSCAN(0.9, min_samples=4).fit(X.toarray())
    assert np.array_equal(DBSCAN(0.9, min_samples=4).fit(X).labels_, dense.labels_)
    assert dense.labels_.max() >= 0
    assert np.array_equal(DBSCAN(0.9, min_samples=4).fit(X).predict(X.toarray()), dense.labels_)


def test_wide_sparse_rows_are_not_unpacked():
    n, wide = 300, 2_000_000  # 5 GB when unpacked
    columns = np.random.default_rng(0).choice([5, 10**6, wide - 1], size=n)
    X = sp.csr_array((np.ones(n), columns, np.arange(n + 1)), shape=(n, wide))
    labels = DBSCAN(0.5, min_samples=3).fit(X).labels_
    assert labels.max() == 2
    assert len(set(zip(labels.tolist(), columns.tolist(), strict=True))) == 3


def test_minkowski_below_one():
    X = np.random.default_rng(1).uniform(size=(150, 3))
    core, labels = oracle(X, 0.4, 3, metric="minkowski", p=0.5)
    model = DBSCAN(0.4, min_samples=3, metric="minkowski", p=0.5).fit(X)
    assert np.array_equal(model.labels_, labels)
    assert core.size > 10
    with pytest.raises(ValueError, match="kd_tree"):
        DBSCAN(0.3, metric="minkowski", p=0.5, algorithm="kd_tree").fit(X)


# ---- predict ----


def test_predict_gives_the_labels_of_the_fit():
    rng = np.random.default_rng(5)
    X = rng.integers(0, 14, size=(500, 2)).astype(float)
    for min_samples in (5, 12, 20):
        model = DBSCAN(1.0, min_samples=min_samples).fit(X)
        assert np.array_equal(model.predict(X), model.labels_)
    assert (model.labels_ < 0).sum() > 0


def test_predict_of_new_rows():
    rng = np.random.default_rng(5)
    X, new = rng.uniform(size=(600, 3)), rng.uniform(size=(333, 3))
    model = DBSCAN(0.1, min_samples=4).fit(X)
    core, of_core = X[model.core_sample_indices_], model.labels_[model.core_sample_indices_]
    near = ((new[:, None] - core[None]) ** 2).sum(axis=-1) <= 0.1 * 0.1
    expected = np.where(near, of_core, 10**6).min(axis=1)
    expected[expected == 10**6] = -1
    assert np.array_equal(model.predict(new), expected)
    assert DBSCAN(1e-9, min_samples=2).fit(X).predict(new).tolist() == [-1] * 333


# ---- data made to break it ----


def hard_cases():
    n = 30_000
    rng = np.random.default_rng(0)
    line = np.zeros((n, 3))
    line[:, 0] = np.arange(n)
    yield "all rows equal, few wanted", np.ones((n, 3)), 0.5, 5, [n]
    yield "all rows equal, more wanted than there are", np.ones((n, 3)), 0.5, n + 1, [0]
    yield "all in one cell, half of them wanted", rng.uniform(size=(n, 2)) * 1e-3, 1.0, n // 2, [n]
    yield "a line", line, 1.0, 3, [n - 2]
    yield "a line without neighbours", line, 0.9, 2, [0]
    yield "everything within reach", rng.uniform(size=(n, 4)), 1e200, n, [n]
    yield "nothing within reach", rng.uniform(size=(n, 4)), 1e-200, 2, [0]
    yield "1e300", rng.integers(0, 3, size=(n, 2)) * 1e300, 1.0, 10, [n]
    yield "two far values", np.repeat([[0.0], [1e308]], n // 2, axis=0), 1e154, n // 2, [n]
    yield "many duplicates of few", rng.integers(0, 4, size=(n, 3)).astype(float), 1.0, 10, [n]


@pytest.mark.parametrize(
    ("what", "X", "eps", "min_samples", "core"), list(hard_cases()), ids=lambda v: str(v)[:20]
)
def test_hard_data_need_little_memory(what, X, eps, min_samples, core):
    tracemalloc.start()
    model = DBSCAN(eps, min_samples=min_samples).fit(X)
    assert [model.core_sample_indices_.size] == core, what
    # A list of neighbours would need gigabytes.
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_native_eps_of_zero_and_infinity():
    """The estimator refuses them; the native search must not depend on that."""
    X = np.repeat(np.arange(50.0)[:, None], 3, axis=0)
    core, labels = _core.cluster.dbscan_fit(X, None, "euclidean", 2.0, 0.0, 3.0, 0)
    assert core.size == 150
    assert np.array_equal(labels, np.repeat(np.arange(50), 3))
    core, labels = _core.cluster.dbscan_fit(X, None, "euclidean", 2.0, np.inf, 150.0, 0)
    assert core.size == 150
    assert not labels.any()


@pytest.mark.parametrize("n_jobs", [1, 2, 3, 7])
def test_threads_do_not_matter(n_jobs):
    X = np.random.default_rng(0).uniform(size=(40_000, 3))
    weights = np.random.default_rng(1).uniform(size=40_000)
    one = DBSCAN(0.03, min_samples=6, n_jobs=1).fit(X)
    many = DBSCAN(0.03, min_samples=6, n_jobs=n_jobs).fit(X)
    assert np.array_equal(one.labels_, many.labels_)
    assert np.array_equal(one.core_sample_indices_, many.core_sample_indices_)
    one = DBSCAN(0.03, min_samples=3, n_jobs=1).fit(X, sample_weight=weights)
    many = DBSCAN(0.03, min_samples=3, n_jobs=n_jobs).fit(X, sample_weight=weights)
    assert np.array_equal(one.labels_, many.labels_)


def test_float32_rows_are_compared_as_they_are():
    X = np.random.default_rng(0).uniform(size=(2000, 2)).astype(np.float32)
    single, double = DBSCAN(0.02, min_samples=4).fit(X), DBSCAN(0.02, min_samples=4).fit(X.astype(float))
    assert np.array_equal(single.labels_, double.labels_)
    assert single.components_.dtype == np.float32


def test_native_side_refuses_what_does_not_fit():
    X = np.zeros((4, 2))
    for call, words in (
        (lambda: _core.cluster.dbscan_fit(X, np.ones(3), "euclidean", 2.0, 1.0, 1.0, 1), "one value per row"),
        (lambda: _core.cluster.dbscan_fit(X, None, "nonsense", 2.0, 1.0, 1.0, 1), "unknown metric"),
        (lambda: _core.cluster.dbscan_predict(X, np.zeros(3, int), X, "euclidean", 2.0, 1.0, 1), "one label"),
        (
            lambda: _core.cluster.dbscan_predict(X, np.zeros(4, int), X[:, :1], "euclidean", 2.0, 1.0, 1),
            "columns",
        ),
        (lambda: _core.cluster.dbscan_matrix(X, None, 1.0, 1.0, 1), "square"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_the_function_is_the_class():
    X = np.random.default_rng(0).uniform(size=(200, 2))
    weights = np.random.default_rng(1).uniform(size=200)
    core, labels = dbscan(X, 0.1, min_samples=2, sample_weight=weights)
    model = DBSCAN(0.1, min_samples=2).fit(X, sample_weight=weights)
    assert np.array_equal(core, model.core_sample_indices_)
    assert np.array_equal(labels, model.labels_)
