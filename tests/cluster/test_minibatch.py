"""MiniBatchKMeans: Sculley's step against the oracle, the stopping rules, streams, reassignment."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore import _core
from mlcore.callbacks import History
from mlcore.cluster import KMeans, MiniBatchKMeans


def rows(n, d=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) + 4 * rng.integers(0, 4, size=(n, 1))).astype(dtype)


def as_native(X):
    return (X.data, X.indices, X.indptr, X.shape[1]) if sp.issparse(X) else X


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sp.csr_array])
@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (2, 1, 2), (31, 3, 4), (513, 9, 8)])
def test_one_step_agrees_with_the_oracle(n, d, k, container, weighted, oracle):
    X = rows(n, d)
    rng = np.random.default_rng(1)
    centers, counts = X[rng.permutation(n)[:k]].copy(), rng.integers(0, 5, size=k).astype(float)
    weights = rng.integers(0, 3, size=n) + 0.5 if weighted else None
    step = _core.cluster.minibatch_step(as_native(container(X)), weights, centers, counts, 7, 0.0, 1, 0, 1)
    want = oracle.minibatch_update(X, oracle.ones_or(weights, n), centers, counts)
    np.testing.assert_allclose(step[0], want[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(step[1], want[1], rtol=1e-12)
    assert step[3] == pytest.approx(want[2], rel=1e-10)
    assert step[4] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_stream_ends_at_the_mean_of_all_rows_per_centre(dtype, oracle):
    # Without reassignment a centre is the mean of all rows it was ever given.
    X = rows(600, dtype=dtype)
    start = X[:4].copy()
    stream = MiniBatchKMeans(4, init=start, n_init=1, reassignment_ratio=0)
    centers, counts = start.astype(float), np.zeros(4)
    for batch in np.split(X, 6):
        stream.partial_fit(batch)
        centers, counts, _ = oracle.minibatch_update(batch, np.ones(100), centers, counts)
    np.testing.assert_allclose(stream.cluster_centers_, centers, rtol=1e-5 if dtype == np.float32 else 1e-12)
    assert stream.cluster_centers_.dtype == dtype
    assert stream.n_steps_ == 6
    np.testing.assert_array_equal(stream.labels_, stream.predict(X[500:]))
    assert stream.inertia_ == pytest.approx(-stream.score(X[500:]), rel=1e-6)


def test_starved_centres_are_put_on_rows_of_the_batch():
    X = rows(200)
    far = np.array([[0.0, 0, 0], [1e3, 0, 0], [0, 1e3, 0]])
    kept = MiniBatchKMeans(3, init=far, n_init=1, reassignment_ratio=0).partial_fit(X)
    np.testing.assert_array_equal(kept.cluster_centers_[1:], far[1:])
    moved = MiniBatchKMeans(3, init=far, n_init=1, reassignment_ratio=0.01, random_state=0).partial_fit(X)
    for center in moved.cluster_centers_[1:]:
        assert (center == X).all(axis=1).any()
    # Their weight is the least of the others, so that they are not moved again at once.
    np.testing.assert_array_equal(moved._counts, [200, 200, 200])


def test_at_most_half_a_batch_is_reassigned_and_the_lightest_first(oracle):
    X = rows(6)
    centers = np.concatenate([X[:1], np.full((7, 3), 1e3) + np.arange(7)[:, None]])
    counts = np.array([100.0, 0.7, 0.1, 0.6, 0.2, 0.5, 0.3, 0.4])
    step = _core.cluster.minibatch_step(X, None, centers, counts, 10**6, 0.5, 3, 0, 1)
    assert step[4] == 3
    changed = ~(step[0] == centers).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(changed), [0, 2, 4, 6])
    np.testing.assert_array_equal(oracle.to_reassign(counts, 0.5, 6), np.isin(np.arange(8), [2, 4, 6]))
    np.testing.assert_allclose(step[1][[2, 4, 6]], 0.4)
    assert step[2] == 0


def test_no_look_for_starved_centres_before_it_is_due():
    X = rows(6)
    centers, counts = np.array([[0.0, 0, 0], [1e3, 0, 0]]), np.array([100.0, 0.1])
    assert _core.cluster.minibatch_step(X, None, centers, counts, 13, 0.5, 3, 0, 1)[2:5:2] == (19, 0)
    assert _core.cluster.minibatch_step(X, None, centers, counts, 14, 0.5, 3, 0, 1)[2:5:2] == (0, 1)


def test_rows_without_weight_are_never_a_new_centre():
    X = rows(50)
    weights = np.zeros(50)
    weights[:5] = 1
    far = np.concatenate([X[:1], np.full((2, 3), 1e3)])
    for seed in range(10):
        moved = MiniBatchKMeans(3, init=far, n_init=1, random_state=seed).partial_fit(
            X, sample_weight=weights
        )
        for center in moved.cluster_centers_[1:]:
            assert (X[:5] == center).all(axis=1).any()


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_any_number_of_threads_gives_the_same_bits(init):
    X = rows(20_000, 8, dtype=np.float32)
    weights = np.random.default_rng(0).uniform(size=len(X))
    fits = [
        MiniBatchKMeans(12, init=init, n_init=2, random_state=0, max_iter=2, n_jobs=jobs)
        .fit(X, sample_weight=weights)
        for jobs in (1, 2, 7)
    ]  # fmt: skip
    for other in fits[1:]:
        np.testing.assert_array_equal(other.cluster_centers_, fits[0].cluster_centers_)
        np.testing.assert_array_equal(other.labels_, fits[0].labels_)
        assert (other.inertia_, other.n_steps_) == (fits[0].inertia_, fits[0].n_steps_)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("batch_size", [64, 10_000])
def test_sparse_equals_dense(batch_size, index, half_empty):
    dense, csr = half_empty
    csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
    a, b = (MiniBatchKMeans(5, batch_size=batch_size, random_state=1).fit(X) for X in (dense, csr))
    np.testing.assert_array_equal(a.labels_, b.labels_)
    np.testing.assert_allclose(a.cluster_centers_, b.cluster_centers_, rtol=1e-10, atol=1e-12)
    a.partial_fit(dense[:50])
    b.partial_fit(csr[:50])
    np.testing.assert_allclose(a.cluster_centers_, b.cluster_centers_, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("batch_size", [100, 5000])
def test_inertia_comes_near_that_of_kmeans(batch_size):
    X = rows(3000)
    best = KMeans(4, n_init=5, random_state=0).fit(X).inertia_
    found = MiniBatchKMeans(4, batch_size=batch_size, n_init=5, random_state=0).fit(X)
    assert best <= found.inertia_ * (1 + 1e-9)
    assert found.inertia_ < 1.1 * best
    np.testing.assert_array_equal(found.labels_, found.predict(X))


def test_steps_and_passes():
    X = rows(100)
    stopped = MiniBatchKMeans(3, batch_size=30, random_state=0).fit(X)
    assert stopped.n_iter_ == np.ceil(stopped.n_steps_ * 30 / 100)
    ran = MiniBatchKMeans(3, batch_size=30, tol=0, max_no_improvement=None, max_iter=10, random_state=0).fit(
        X
    )
    assert (ran.n_iter_, ran.n_steps_) == (10, 33)
    assert type(ran.n_iter_) is type(ran.n_steps_) is int
    single = MiniBatchKMeans(3, batch_size=1, max_iter=1, max_no_improvement=None, random_state=0).fit(X)
    assert single.n_steps_ == 100


def test_stops_by_its_two_rules(capsys):
    X = rows(2000)
    common = {"n_clusters": 4, "batch_size": 100, "random_state": 0, "verbose": 1}
    still = MiniBatchKMeans(tol=1e-3, max_no_improvement=None, **common).fit(X)
    text = capsys.readouterr().out
    assert f"Converged (small centers change) at step {still.n_steps_}/2000" in text
    history = History()
    stalled = MiniBatchKMeans(tol=0, max_no_improvement=5, callbacks=[history], **common).fit(X)
    text = capsys.readouterr().out
    assert f"Converged (lack of improvement in inertia) at step {stalled.n_steps_}/2000" in text
    smoothed = [info.objective for info in history.records]
    assert np.isnan(smoothed[0])
    assert min(smoothed[1:-5]) <= min(smoothed[-5:])
    assert smoothed[-6] == min(smoothed[1:])
    first, second = re.findall(r"Minibatch step [12]/2000: mean batch inertia: .*", text)
    assert "ewa inertia" not in first
    assert "ewa inertia" in second
    # The change that the tolerance is compared with shrinks with the weight of the centres.
    changes = [info.change for info in history.records]
    assert np.mean(changes[-5:]) < 0.1 * np.mean(changes[:5])


def test_smoothed_inertia_is_an_exponential_average(capsys):
    X = rows(1000)
    MiniBatchKMeans(4, batch_size=100, max_iter=1, max_no_improvement=None, random_state=0, verbose=1).fit(X)
    found = re.findall(r"mean batch inertia: (\S+), ewa inertia: (\S+)", capsys.readouterr().out)
    means, smoothed = np.array(found, dtype=float).T
    assert len(means) == 9
    expected, newest = means[0], 2 * 100 / 1001
    for mean, given in zip(means, smoothed):
        expected = (1 - newest) * expected + newest * mean if mean != means[0] else expected
        assert given == pytest.approx(expected, rel=1e-12)


def test_without_labels():
    X = rows(3000)
    fitted = MiniBatchKMeans(4, compute_labels=False, random_state=0).fit(X)
    assert not hasattr(fitted, "labels_")
    assert fitted.inertia_ == pytest.approx(-fitted.score(X), rel=0.2)
    stream = MiniBatchKMeans(4, compute_labels=False, random_state=0).partial_fit(X[:100])
    assert not hasattr(stream, "labels_")


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"batch_size": 1}, 30),  # 3 * batch_size is below the number of clusters
        ({"batch_size": 20}, 60),
        ({"init_size": 40}, 40),
        ({"init_size": 1000}, 100),
        ({}, 100),
    ],
)
def test_size_of_the_sample_for_the_start(parameters, size):
    seen = []

    def choose(X, n_clusters, random_state):
        seen.append(len(X))
        return X[:n_clusters]

    X = rows(100)
    assert MiniBatchKMeans(10, n_init=1, random_state=0, **parameters).fit(X)._init_size == size
    MiniBatchKMeans(10, n_init=1, init=choose, **parameters).fit(X)
    assert seen == [100]


def test_warnings():
    X = rows(100)
    with pytest.warns(RuntimeWarning, match="init_size=10 should be larger than n_clusters=20") as caught:
        MiniBatchKMeans(20, init_size=10).fit(X)
    assert caught[0].filename == __file__
    with pytest.warns(
        RuntimeWarning, match="performing only one init in MiniBatchKMeans instead of n_init=2"
    ):
        MiniBatchKMeans(3, init=X[:3], n_init=2).fit(X)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"batch_size": 0}, "The 'batch_size' parameter of MiniBatchKMeans must be"),
        ({"init_size": 0}, "The 'init_size' parameter of MiniBatchKMeans must be"),
        ({"max_no_improvement": -1}, "The 'max_no_improvement' parameter of MiniBatchKMeans must be"),
        ({"reassignment_ratio": -0.1}, "The 'reassignment_ratio' parameter of MiniBatchKMeans must be"),
        ({"n_clusters": 101}, "n_samples=100 should be >= n_clusters=101"),
        ({"n_jobs": 0}, "n_jobs == 0 has no meaning"),
        (
            {"init": np.zeros((2, 3))},
            r"The shape of the initial centers \(2, 3\) does not match the number of",
        ),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_parameters(method, parameters, words):
    estimator = MiniBatchKMeans(**{"n_clusters": 3, "n_init": 1, **parameters})
    before = vars(estimator).copy()
    with pytest.raises(ValueError, match=words):
        getattr(estimator, method)(rows(100))
    assert vars(estimator) == before


def test_failed_step_leaves_the_stream_as_it_was():
    X = rows(100)
    stream = MiniBatchKMeans(3, random_state=0).partial_fit(X)
    before = {name: np.copy(value) for name, value in vars(stream).items() if name != "init"}
    for bad, weights in [(X[:, :2], None), (np.full((5, 3), np.nan), None), (X, np.ones(3))]:
        with pytest.raises(ValueError, match=r"features|NaN|sample_weight"):
            stream.partial_fit(bad, sample_weight=weights)
    assert vars(stream).keys() - {"init"} == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(stream, name), value)


def test_interrupted_fit_leaves_the_estimator_as_it_was():
    class Fail:
        def on_iteration(self, info):
            raise KeyboardInterrupt

    estimator = MiniBatchKMeans(3, batch_size=10, callbacks=[Fail()])
    before = vars(estimator).copy()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(rows(100))
    assert vars(estimator) == before


def test_callback_stops_the_fit():
    class Stop:
        def on_iteration(self, info):
            return info.iteration == 3

    assert MiniBatchKMeans(3, batch_size=10, callbacks=[Stop()]).fit(rows(100)).n_steps_ == 3


def test_stream_is_reproducible_and_survives_pickling():
    X = rows(400)
    a = MiniBatchKMeans(12, random_state=4)
    b = MiniBatchKMeans(12, random_state=4)
    for batch in np.split(X, 8):
        a.partial_fit(batch)
        b = pickle.loads(pickle.dumps(b)).partial_fit(batch)
    np.testing.assert_array_equal(a.cluster_centers_, b.cluster_centers_)


def test_fit_then_partial_fit_goes_on():
    X = rows(500)
    fitted = MiniBatchKMeans(4, batch_size=50, random_state=0).fit(X)
    steps, weight = fitted.n_steps_, fitted._counts.sum()
    fitted.partial_fit(X[:20])
    assert fitted.n_steps_ == steps + 1
    assert fitted._counts.sum() == pytest.approx(weight + 20)


def test_nothing_given_is_changed():
    X, start, weights = rows(100), rows(4, seed=2), np.arange(1.0, 101)
    kept = X.copy(), start.copy(), weights.copy()
    stream = MiniBatchKMeans(4, init=start, n_init=1).partial_fit(X, sample_weight=weights)
    held = stream.cluster_centers_
    values = held.copy()
    stream.partial_fit(X).fit(X, sample_weight=weights)
    for given, before in zip((X, start, weights, held), (*kept, values)):
        np.testing.assert_array_equal(given, before)


@pytest.mark.peer
def test_same_parameters_and_attributes_as_scikit_learn():
    from sklearn.cluster import MiniBatchKMeans as Peer

    assert MiniBatchKMeans().get_params() == {**Peer().get_params(), "n_jobs": None, "callbacks": None}
    X = rows(100)
    for method in ("fit", "partial_fit"):
        ours, peer = (getattr(C(3, n_init=1, random_state=0), method)(X) for C in (MiniBatchKMeans, Peer))
        public = {name for name in vars(peer) if name.endswith("_") and not name.startswith("_")}
        assert public <= set(vars(ours))


@pytest.mark.parametrize(("first", "then"), [(np.float32, np.float64), (np.float64, np.float32)])
def test_a_stream_keeps_its_precision(first, then):
    X = rows(100)
    stream = MiniBatchKMeans(3, random_state=0).partial_fit(X.astype(first)).partial_fit(X.astype(then))
    assert stream.cluster_centers_.dtype == first


def test_best_of_several_starts_is_taken():
    X = rows(400)
    good = KMeans(4, random_state=0).fit(X).cluster_centers_
    starts = [good + 50, good, good - 50]

    def choose(X, n_clusters, random_state):
        return starts.pop()

    fitted = MiniBatchKMeans(4, init=choose, n_init=3, max_iter=1, reassignment_ratio=0, random_state=0).fit(
        X
    )
    assert not starts
    np.testing.assert_allclose(fitted.cluster_centers_, good, atol=0.5)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_every_step_draws_its_own_rows_with_their_weights(container):
    # Row i is the i-th unit vector: the only centre shows how often every row was drawn.
    weights = np.random.default_rng(0).uniform(1, 3, size=200)
    common = {"n_init": 1, "max_no_improvement": None, "reassignment_ratio": 0, "random_state": 0}
    fitted = MiniBatchKMeans(1, init=np.zeros((1, 200)), batch_size=20, max_iter=1, **common)
    fitted.fit(container(np.eye(200)), sample_weight=weights)
    drawn = fitted.cluster_centers_[0] * fitted._counts[0] / weights
    np.testing.assert_allclose(drawn, drawn.round(), atol=1e-9)
    assert drawn.sum() == pytest.approx(200)
    assert 100 < np.count_nonzero(drawn.round()) < 160  # 126 expected; ten times the same 20 rows: 20 at most


def test_a_batch_as_large_as_the_data_is_the_data():
    X = rows(70)
    fitted = MiniBatchKMeans(1, init=X[:1], n_init=1, batch_size=70, max_iter=1).fit(X)
    assert fitted.n_steps_ == 1
    np.testing.assert_allclose(fitted.cluster_centers_[0], X.mean(axis=0), rtol=1e-13)


@pytest.mark.parametrize("parameters", [{"tol": 1e-3}, {"tol": 0.0, "max_no_improvement": 5}], ids=str)
def test_the_first_batch_is_no_reason_to_stop(parameters):
    # Every row lies on a centre: no move, no inertia, from the first step on.
    centers = np.array([[0.0, 0], [8, 0]])
    X = np.repeat(centers, 50, axis=0)
    limits = {"max_no_improvement": None, "max_iter": 100, "batch_size": 10, "n_init": 1}
    fitted = MiniBatchKMeans(2, init=centers, **limits | parameters).fit(X)
    # by the tolerance at once; else the second step sets the minimum, and five more do not lower it
    assert fitted.n_steps_ == (2 if parameters["tol"] else 7)


def test_a_centre_at_the_limit_is_not_starved():
    X = np.zeros((6, 1))
    centers = np.array([[0.0], [1e3]])
    for weight, moved in ((50.0, 0), (49.0, 1)):  # the batch makes 94 into 100
        step = _core.cluster.minibatch_step(X, None, centers, np.array([94, weight]), 10**6, 0.5, 3, 0, 1)
        assert step[4] == moved


def test_no_more_centres_move_than_there_are_rows_with_weight():
    X = rows(50)
    weights = np.zeros(50)
    weights[[4, 9]] = 1
    centers = np.concatenate([X[4:5], np.full((5, 3), 1e3) + np.arange(5)[:, None]])
    step = _core.cluster.minibatch_step(X, weights, centers, np.zeros(6), 0, 0.5, 3, 0, 1)
    assert step[4] == 2


def test_another_step_moves_starved_centres_to_other_rows():
    X = rows(50)
    centers, counts = np.array([[0.0, 0, 0], [1e3, 0, 0]]), np.array([100.0, 0.1])
    found = [_core.cluster.minibatch_step(X, None, centers, counts, 10**6, 0.5, 3, n, 1)[0] for n in range(8)]
    assert len({tuple(after[1]) for after in found}) > 3
