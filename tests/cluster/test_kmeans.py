"""KMeans against the slow oracle, its invariants, and what a user sees: warnings, messages, attributes."""

import pickle
import re
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from mlcore.callbacks import History
from mlcore.cluster import KMeans, k_means

ALGORITHMS = ["auto", "lloyd", "elkan", "hamerly", "exponion", "yinyang"]
EXACT = ALGORITHMS[2:]


def random_problem(n, d, k, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, d)) + 2 * rng.integers(0, 3, size=(n, 1))).astype(dtype)
    return X, X[rng.permutation(n)[:k]].copy(), rng.integers(0, 4, size=n) + (np.arange(n) < k)


def fit(X, start, **parameters):
    weights = parameters.pop("sample_weight", None)
    return KMeans(len(start), init=start, n_init=1, **parameters).fit(X, sample_weight=weights)


def assert_same_fit(a, b):
    np.testing.assert_array_equal(a.labels_, b.labels_)
    np.testing.assert_array_equal(a.cluster_centers_, b.cluster_centers_)
    assert a.inertia_ == b.inertia_
    assert a.n_iter_ == b.n_iter_


SIZES = [(1, 1, 1), (2, 1, 2), (7, 3, 2), (31, 8, 3), (32, 9, 8), (33, 5, 9), (129, 17, 7), (513, 2, 31)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d", "k"), SIZES)
def test_agrees_with_the_oracle(n, d, k, weighted, algorithm, oracle):
    if k == 1 and algorithm not in ("auto", "lloyd"):
        pytest.skip("warned about and replaced by lloyd")
    X, start, weights = random_problem(n, d, k)
    for max_iter, tol in [(1, 0.0), (3, 0.0), (300, 0.0), (300, 1e-2)]:
        tolerance = tol * X.var(axis=0).mean()
        given = weights if weighted else np.ones(n)
        labels, inertia, centers, n_iter, _, history = oracle.lloyd(X, given, start, max_iter, tolerance)
        km = fit(X, start, algorithm=algorithm, max_iter=max_iter, tol=tol,
                 sample_weight=weights if weighted else None)  # fmt: skip
        np.testing.assert_array_equal(km.labels_, labels)
        np.testing.assert_allclose(km.cluster_centers_, centers, rtol=1e-12, atol=1e-12)
        assert km.inertia_ == pytest.approx(inertia, rel=1e-10, abs=1e-12)
        # A move by rounding errors only may count as none.
        assert km.n_iter_ == n_iter or history[km.n_iter_ - 1][1] < 1e-24


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_float32_agrees_with_the_oracle_and_stays_float32(algorithm, oracle, blobs):
    X, start = (a.astype(np.float32) for a in blobs)
    km = fit(X, start, algorithm=algorithm)
    labels, inertia, centers, *_ = oracle.lloyd(
        X.astype(float), np.ones(len(X)), start, 300, 1e-4 * X.var(axis=0).mean()
    )
    np.testing.assert_array_equal(km.labels_, labels)
    np.testing.assert_allclose(km.cluster_centers_, centers, rtol=1e-5, atol=1e-5)
    assert km.inertia_ == pytest.approx(inertia, rel=1e-6)
    assert km.cluster_centers_.dtype == km.transform(X).dtype == np.float32
    assert km.labels_.dtype == np.int32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("algorithm", EXACT)
def test_every_algorithm_returns_the_labels_of_lloyd(algorithm, dtype):
    X, start, _ = random_problem(3000, 6, 40, dtype=dtype)
    lloyd, other = fit(X, start, algorithm="lloyd"), fit(X, start, algorithm=algorithm)
    np.testing.assert_array_equal(other.labels_, lloyd.labels_)
    assert other.n_iter_ == lloyd.n_iter_
    np.testing.assert_allclose(other.cluster_centers_, lloyd.cluster_centers_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_any_number_of_threads_gives_the_same_bits(algorithm, init):
    # Enough rows for several threads, and above the size at which starts are drawn from sorted rows.
    X, _, weights = random_problem(20_000, 5, 1, dtype=np.float32)
    fits = [
        KMeans(12, init=init, n_init=2, random_state=0, algorithm=algorithm, max_iter=8, n_jobs=jobs)
        .fit(X, sample_weight=weights)
        for jobs in (1, 2, 7)
    ]  # fmt: skip
    for other in fits[1:]:
        assert_same_fit(fits[0], other)
    for method in ("predict", "transform", "score"):
        first = getattr(fits[0], method)(X)
        assert all(np.array_equal(first, getattr(other, method)(X)) for other in fits[1:])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_equals_dense(algorithm, index, half_empty):
    dense, csr = half_empty
    csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
    start = dense[:6].copy()
    a, b = fit(dense, start, algorithm=algorithm), fit(csr, start, algorithm=algorithm)
    np.testing.assert_array_equal(a.labels_, b.labels_)
    np.testing.assert_allclose(a.cluster_centers_, b.cluster_centers_, rtol=1e-12, atol=1e-12)
    assert a.inertia_ == pytest.approx(b.inertia_, rel=1e-12)
    np.testing.assert_array_equal(a.predict(csr), b.predict(dense))
    np.testing.assert_allclose(a.transform(csr), b.transform(dense), rtol=1e-10, atol=1e-6)
    assert a.score(csr) == pytest.approx(b.score(dense), rel=1e-12)


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_sparse_and_dense_draw_the_same_start(init, half_empty):
    a, b = (KMeans(5, init=init, n_init=1, random_state=1).fit(X) for X in half_empty)
    np.testing.assert_array_equal(a.labels_, b.labels_)


def test_layout_does_not_matter(blobs, tmp_path):
    X, start = blobs
    reference = fit(X, start)
    wide = np.zeros((800, 8))
    wide[::2, ::2] = X
    read_only = X.copy()
    read_only.setflags(write=False)
    memmap = np.memmap(tmp_path / "X", dtype=X.dtype, mode="w+", shape=X.shape)
    memmap[:] = X
    memmap.flush()
    mapped = np.memmap(tmp_path / "X", dtype=X.dtype, mode="r", shape=X.shape)
    for other in (
        np.asfortranarray(X),
        wide[::2, ::2],
        X[::-1][::-1],
        read_only,
        mapped,
        X.tolist(),
        sp.csc_array(X),
    ):
        km = fit(other, start)
        np.testing.assert_array_equal(km.labels_, reference.labels_)
        np.testing.assert_allclose(km.cluster_centers_, reference.cluster_centers_, rtol=1e-12)
        np.testing.assert_array_equal(reference.predict(other), reference.labels_)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_inertia_never_rises(algorithm):
    X, start, weights = random_problem(2000, 4, 10)
    history = History()
    km = fit(X, start, algorithm=algorithm, tol=0.0, callbacks=[history], sample_weight=weights)
    objectives = [info.objective for info in history.records]
    assert len(objectives) == km.n_iter_ > 3
    assert all(b <= a * (1 + 1e-12) for a, b in pairwise(objectives))
    assert km.inertia_ <= objectives[-1] * (1 + 1e-12)
    assert [info.iteration for info in history.records] == list(range(1, km.n_iter_ + 1))


def test_result_is_a_fixed_point(blobs, oracle):
    X, start = blobs
    km = fit(X, start, tol=0.0)
    np.testing.assert_array_equal(km.predict(X), km.labels_)
    means = np.stack([X[km.labels_ == j].mean(axis=0) for j in range(5)])
    np.testing.assert_allclose(km.cluster_centers_, means, rtol=1e-12)
    assert km.inertia_ == pytest.approx(oracle.inertia(X, None, means, km.labels_), rel=1e-12)
    assert km.score(X) == pytest.approx(-km.inertia_, rel=1e-12)
    np.testing.assert_allclose(km.transform(X), oracle.transform(X, means), rtol=1e-7)
    np.testing.assert_array_equal(km.transform(X).argmin(axis=1), km.labels_)


def test_relabelling_the_start_relabels_the_result(blobs):
    X, start = blobs
    order = np.array([3, 0, 4, 1, 2])
    a, b = fit(X, start), fit(X, start[order])
    np.testing.assert_array_equal(order[b.labels_], a.labels_)


def test_empty_clusters_go_to_the_farthest_rows(oracle):
    X = np.array([[-10.0], [-9.5], [-9], [-8.5], [-8], [-1], [1], [9], [9.5], [10]])
    start = np.array([[-10.0], [-100.0], [-200.0]])
    # One iteration: all rows belong to the first centre; the two others take the rows at 10 and 9.5.
    labels, _, centers, *_ = oracle.lloyd(X, np.ones(10), start, 1, 0.0)
    for algorithm in ALGORITHMS:
        km = fit(X, start, algorithm=algorithm, max_iter=1)
        np.testing.assert_allclose(km.cluster_centers_, [[-4.5], [10], [9.5]])
        np.testing.assert_allclose(km.cluster_centers_, centers)
        np.testing.assert_array_equal(km.labels_, labels)


def test_weights_equal_repetitions(blobs):
    X, start = blobs
    weights = np.random.default_rng(0).integers(0, 4, size=len(X))
    weighted = fit(X, start, sample_weight=weights, tol=0.0)
    repeated = fit(np.repeat(X, weights, axis=0), start, tol=0.0)
    np.testing.assert_array_equal(np.repeat(weighted.labels_, weights), repeated.labels_)
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-12)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-12)


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_small_data_start_from_values_not_from_rows(init, blobs):
    X, _ = blobs
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 3, size=len(X))
    order = rng.permutation(len(X))
    km = KMeans(5, init=init, n_init=2, random_state=0)
    one = clone(km).fit(X, sample_weight=weights)
    other = clone(km).fit(np.repeat(X, weights, axis=0))
    shuffled = clone(km).fit(X[order], sample_weight=weights[order])
    for again in (other, shuffled):
        np.testing.assert_array_equal(again.predict(X), one.labels_)
        np.testing.assert_allclose(again.cluster_centers_, one.cluster_centers_, rtol=1e-12)


@pytest.mark.parametrize("n", [400, 3000])
def test_no_weights_are_weights_of_one(n):
    X, _, _ = random_problem(n, 3, 4)
    km = KMeans(4, random_state=0)
    assert_same_fit(clone(km).fit(X), clone(km).fit(X, sample_weight=np.ones(n)))


@pytest.mark.parametrize("n", [400, 3000])
@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_same_seed_same_result(init, n):
    X, _, _ = random_problem(n, 3, 4)
    a, b = (KMeans(9, init=init, n_init=1, max_iter=1, random_state=5).fit(X) for _ in range(2))
    assert_same_fit(a, b)
    other = KMeans(9, init=init, n_init=1, max_iter=1, random_state=6).fit(X)
    assert not np.array_equal(a.cluster_centers_, other.cluster_centers_)
    generator = np.random.RandomState(5)
    first, second = (
        KMeans(9, init=init, n_init=1, max_iter=1, random_state=generator).fit(X) for _ in range(2)
    )
    assert not np.array_equal(first.cluster_centers_, second.cluster_centers_)


@pytest.mark.parametrize("n", [400, 3000])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_more_runs_are_never_worse(init, n):
    X, _, _ = random_problem(n, 4, 1)
    inertias = [
        KMeans(15, init=init, n_init=runs, max_iter=2, random_state=3).fit(X).inertia_ for runs in (1, 3, 9)
    ]
    assert inertias[0] >= inertias[1] >= inertias[2]
    assert inertias[0] > inertias[2]


@pytest.mark.parametrize(
    ("init", "runs"), [("k-means++", 1), ("k-means||", 1), ("random", 10), ("array", 1), ("callable", 10)]
)
def test_automatic_number_of_runs(init, runs, blobs):
    X, start = blobs
    calls = []

    def choose(data, n_clusters, random_state):
        calls.append(n_clusters)
        return data[random_state.choice(len(data), n_clusters, replace=False)]

    KMeans(5, init={"array": start, "callable": choose}.get(init, init), random_state=0).fit(X)
    assert len(calls) == (runs if init == "callable" else 0)
    history = History()
    KMeans(
        5, init={"array": start, "callable": choose}.get(init, init), random_state=0, callbacks=[history]
    ).fit(X)
    assert {info.restart for info in history.records} == set(range(runs))


def test_given_centers_and_data_are_not_changed(blobs):
    X, start = blobs
    kept = X.copy(), start.copy()
    weights = np.arange(1.0, len(X) + 1)
    for copy_x in (True, False):
        km = fit(X, start, copy_x=copy_x, sample_weight=weights)
        assert not np.shares_memory(km.cluster_centers_, start)
    np.testing.assert_array_equal(X, kept[0])
    np.testing.assert_array_equal(start, kept[1])
    np.testing.assert_array_equal(weights, np.arange(1.0, len(X) + 1))


def test_warning_too_few_different_rows():
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 0]])
    words = (
        r"Number of distinct clusters \(3\) found smaller than n_clusters \(4\)\. Possibly due to duplicate"
    )
    for init in ("k-means++", "k-means||", "random"):
        with pytest.warns(ConvergenceWarning, match=words):
            km = KMeans(4, init=init, n_init=1, random_state=0).fit(X)
        assert set(km.labels_) == {0, 1, 2}
        assert km.inertia_ == 0


def test_warning_runs_from_explicit_centers(blobs):
    X, start = blobs
    words = "Explicit initial center position passed: performing only one init in KMeans instead of n_init=3."
    with pytest.warns(RuntimeWarning, match=words):
        KMeans(5, init=start, n_init=3).fit(X)


def test_warning_single_cluster(blobs):
    X, _ = blobs
    for algorithm in EXACT:
        words = f"algorithm='{algorithm}' doesn't make sense for a single cluster. Using 'lloyd' instead."
        with pytest.warns(RuntimeWarning, match=words):
            km = KMeans(1, algorithm=algorithm).fit(X)
        np.testing.assert_allclose(km.cluster_centers_, X.mean(axis=0, keepdims=True), rtol=1e-12)


def test_warnings_point_to_the_caller(blobs):
    X, start = blobs
    with pytest.warns(RuntimeWarning) as caught:
        KMeans(5, init=start, n_init=3).fit(X)
    assert caught[0].filename == __file__
    with pytest.warns(ConvergenceWarning) as caught:
        KMeans(2, n_init=1).fit(np.ones((3, 1)))
    assert caught[0].filename == __file__
    with pytest.warns(RuntimeWarning) as caught:
        KMeans(1, algorithm="elkan").fit(X)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {"n_clusters": 0},
            "The 'n_clusters' parameter of KMeans must be an int in the range [1, inf). Got 0 instead.",
        ),
        (
            {"n_clusters": 2.5},
            "The 'n_clusters' parameter of KMeans must be an int in the range [1, inf). Got 2.5",
        ),
        (
            {"max_iter": 0},
            "The 'max_iter' parameter of KMeans must be an int in the range [1, inf). Got 0 instead.",
        ),
        (
            {"tol": -1},
            "The 'tol' parameter of KMeans must be a float in the range [0.0, inf). Got -1 instead.",
        ),
        (
            {"tol": np.nan},
            "The 'tol' parameter of KMeans must be a float in the range [0.0, inf). Got nan instead.",
        ),
        ({"n_init": 0}, "The 'n_init' parameter of KMeans must be"),
        ({"init": "best"}, "The 'init' parameter of KMeans must be a str among"),
        ({"algorithm": "full"}, "The 'algorithm' parameter of KMeans must be a str among"),
        ({"random_state": "a"}, "The 'random_state' parameter of KMeans must be"),
        ({"verbose": -1}, "The 'verbose' parameter of KMeans must be"),
        ({"copy_x": "yes"}, "The 'copy_x' parameter of KMeans must be"),
        ({"n_jobs": 0}, "n_jobs == 0 has no meaning"),
        ({"n_jobs": 1.5}, "The 'n_jobs' parameter of KMeans must be"),
        ({"callbacks": 3}, "The 'callbacks' parameter of KMeans must be"),
        ({"n_clusters": 401}, "n_samples=400 should be >= n_clusters=401."),
        (
            {"init": np.zeros((4, 4))},
            "The shape of the initial centers (4, 4) does not match the number of clusters 5.",
        ),
        (
            {"init": np.zeros((5, 3))},
            "The shape of the initial centers (5, 3) does not match the number of features",
        ),
        (
            {"init": lambda X, k, random_state: X[:2]},
            "The shape of the initial centers (2, 4) does not match",
        ),
        ({"init": np.full((5, 4), np.nan)}, "Input contains NaN."),
        ({"init": np.full((5, 4), np.inf)}, "Input contains infinity"),
    ],
)
def test_bad_parameters_in_the_words_of_scikit_learn(parameters, words, blobs):
    X, _ = blobs
    km = KMeans(**{"n_clusters": 5, "n_init": 1, **parameters})
    before = vars(km).copy()
    with pytest.raises(ValueError, match=re.escape(words)):
        km.fit(X)
    assert vars(km) == before


def test_predict_checks_its_input(blobs):
    X, start = blobs
    with pytest.raises(NotFittedError, match="This KMeans instance is not fitted yet"):
        KMeans().predict(X)
    km = fit(X, start)
    for method in (km.predict, km.transform, km.score):
        with pytest.raises(ValueError, match="X has 3 features, but KMeans is expecting 4 features as input"):
            method(X[:, :3])
        with pytest.raises(ValueError, match="Input X contains NaN"):
            method(np.full((2, 4), np.nan))
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
            method(X[0])
    with pytest.raises(ValueError, match=r"sample_weight\.shape"):
        km.score(X, sample_weight=np.ones(3))


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_failed_fit_leaves_the_estimator_as_it_was(failure, blobs):
    X, start = blobs

    class Fail:
        def on_iteration(self, info):
            raise failure("in the middle")

    km = fit(X, start).set_params(callbacks=[Fail()])
    before = vars(km).copy()
    with pytest.raises(failure, match="in the middle"):
        km.fit(X)
    assert vars(km) == before
    with pytest.raises(ValueError, match="should be >= n_clusters"):
        km.fit(X[:2, :3])
    assert vars(km) == before


def test_refit_starts_afresh(blobs):
    X, _ = blobs
    km = KMeans(5, random_state=0).fit(X)
    again = km.fit(X[:50, :2]).fit(X)
    assert_same_fit(again, KMeans(5, random_state=0).fit(X))


def test_callback_stops_the_fit_and_the_result_is_consistent(oracle):
    X, start, _ = random_problem(2000, 4, 10)

    class Stop:
        def on_iteration(self, info):
            return info.iteration == 2

    km = fit(X, start, callbacks=[Stop()])
    assert km.n_iter_ == 2
    labels, inertia, centers, *_ = oracle.lloyd(X, np.ones(len(X)), start, 2, 0.0)
    np.testing.assert_array_equal(km.labels_, labels)
    np.testing.assert_allclose(km.cluster_centers_, centers, rtol=1e-10)
    assert km.inertia_ == pytest.approx(inertia)


@pytest.mark.parametrize("tol", [1e-2, 0])
@pytest.mark.parametrize("algorithm", ["lloyd", "hamerly"])
def test_verbose_text(algorithm, tol, capsys, oracle):
    X, start, _ = random_problem(1000, 6, 3)
    km = fit(X, start, algorithm=algorithm, tol=tol, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Initialization complete"
    *_, history = oracle.lloyd(X, np.ones(len(X)), start, 300, tol * X.var(axis=0).mean())
    printed = [re.fullmatch(r"Iteration (\d+), inertia (.*)\.", line) for line in lines[1:-1]]
    assert [int(match[1]) for match in printed] == list(range(km.n_iter_))
    np.testing.assert_allclose([float(match[2]) for match in printed], [h[0] for h in history], rtol=1e-9)
    if tol == 0:
        assert lines[-1] == f"Converged at iteration {km.n_iter_ - 1}: strict convergence."
    else:
        match = re.fullmatch(
            r"Converged at iteration (\d+): center shift (.*) within tolerance (.*)\.", lines[-1]
        )
        assert float(match[2]) == pytest.approx(history[-1][1])
        assert float(match[3]) == pytest.approx(tol * X.var(axis=0).mean())


def test_pickle_and_clone(blobs):
    X, start = blobs
    km = fit(X, start, algorithm="yinyang", n_jobs=2)
    copy = pickle.loads(pickle.dumps(km))
    assert_same_fit(copy, km)
    np.testing.assert_array_equal(copy.predict(X), km.labels_)
    assert clone(km).get_params().keys() == km.get_params().keys()
    assert not hasattr(clone(km), "labels_")


def test_names_of_columns_and_pandas_output(blobs):
    pd = pytest.importorskip("pandas")
    X, _ = blobs
    frame = pd.DataFrame(X, columns=list("abcd"))
    km = KMeans(3, random_state=0).set_output(transform="pandas").fit(frame)
    assert list(km.feature_names_in_) == list("abcd")
    assert list(km.get_feature_names_out()) == ["kmeans0", "kmeans1", "kmeans2"]
    assert list(km.transform(frame).columns) == ["kmeans0", "kmeans1", "kmeans2"]
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        km.predict(X)


@pytest.mark.parametrize("fitted_on", [np.float32, np.float64])
@pytest.mark.parametrize("asked_with", [np.float32, np.float64])
def test_predict_in_another_precision(fitted_on, asked_with, blobs):
    X, start = blobs
    km = fit(X.astype(fitted_on), start)
    np.testing.assert_array_equal(km.predict(X.astype(asked_with)), km.labels_)
    assert km.transform(X.astype(asked_with)).dtype == asked_with


def test_large_offset_does_not_hurt(blobs):
    # The distance formula |x|^2 - 2 x.c + |c|^2 cancels; the fit must not.
    X, start = blobs
    reference = fit(X, start)
    moved = fit(X + 1e7, start + 1e7)
    np.testing.assert_array_equal(moved.labels_, reference.labels_)
    np.testing.assert_array_equal(moved.predict(X + 1e7), reference.labels_)
    assert moved.inertia_ == pytest.approx(reference.inertia_, rel=1e-6)


def test_function(blobs):
    X, start = blobs
    km = fit(X, start)
    centers, labels, inertia, n_iter = k_means(X, 5, init=start, n_init=1, return_n_iter=True)
    np.testing.assert_array_equal(centers, km.cluster_centers_)
    np.testing.assert_array_equal(labels, km.labels_)
    assert (inertia, n_iter) == (km.inertia_, km.n_iter_)
    assert len(k_means(X, 5, init=start)) == 3
    with pytest.raises(ValueError, match="The 'n_clusters' parameter of k_means must be an int"):
        k_means(X, 0)


@pytest.mark.peer
def test_same_parameters_and_attributes_as_scikit_learn(blobs):
    from sklearn.cluster import KMeans as Peer

    X, start = blobs
    ours, theirs = KMeans().get_params(), Peer().get_params()
    extra = {"n_jobs": None, "callbacks": None}
    assert {**ours, "algorithm": "lloyd"} == {**theirs, **extra}
    km, peer = fit(X, start), Peer(5, init=start, n_init=1).fit(X)
    public = {name for name in vars(peer) if name.endswith("_") and not name.startswith("_")}
    assert public <= set(vars(km))
    np.testing.assert_array_equal(km.labels_, peer.labels_)
    np.testing.assert_allclose(km.cluster_centers_, peer.cluster_centers_, rtol=1e-10)
    assert km.n_iter_ == peer.n_iter_
