"""gap_statistic against its definition, and on data whose number of clusters is known."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.datasets import make_blobs

from mlcore.cluster import BisectingKMeans, KMeans, gap_statistic

THREE = [[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]]


class Spread(BaseEstimator):
    """A "clustering" whose inertia is a simple function of its data, and which keeps what it has seen."""

    seen: list = []  # noqa: RUF012

    def __init__(self, n_clusters=2, n_jobs=None, random_state=None):
        self.n_clusters = n_clusters
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X):
        type(self).seen.append((self.n_clusters, self.n_jobs, self.random_state, X))
        self.inertia_ = float(np.square(X - X.mean(axis=0)).sum()) / self.n_clusters**2
        return self


@pytest.fixture
def seen():
    Spread.seen = []
    return Spread.seen


@pytest.mark.parametrize("reference", ["uniform", "pca"])
def test_the_numbers_are_those_of_the_definition(seen, reference):
    X = make_blobs(50, random_state=0)[0]
    result = gap_statistic(
        X, [2, 5, 3], n_references=4, reference=reference, estimator=Spread(), random_state=0, n_jobs=1
    )
    assert result.n_clusters.tolist() == [2, 3, 5]
    inertia = {}
    for k, _, _, data in seen:
        inertia.setdefault(k, []).append(np.log(np.square(data - data.mean(axis=0)).sum() / k**2))
    for i, k in enumerate([2, 3, 5]):
        own, references = inertia[k][0], np.array(inertia[k][1:])
        assert len(references) == 4
        assert result.log_inertia[i] == pytest.approx(own, rel=1e-12)
        assert result.reference_log_inertia[i] == pytest.approx(references.mean(), rel=1e-12)
        assert result.gap[i] == pytest.approx(references.mean() - own, rel=1e-9)
        deviation = np.sqrt(np.mean((references - references.mean()) ** 2))
        assert result.standard_error[i] == pytest.approx(deviation * np.sqrt(1 + 1 / 4), rel=1e-9)


def test_the_references_fill_the_box_of_the_data(seen):
    X = make_blobs(2000, centers=THREE, random_state=0)[0]
    gap_statistic(X, [2], n_references=3, estimator=Spread(), random_state=0)
    references = [data for *_, data in seen if data is not X]
    assert len(references) == 3
    for data in references:
        assert data.shape == X.shape
        np.testing.assert_allclose(data.min(axis=0), X.min(axis=0), atol=0.1)
        np.testing.assert_allclose(data.max(axis=0), X.max(axis=0), atol=0.1)
        assert (data >= X.min(axis=0)).all()
        assert (data <= X.max(axis=0)).all()
        middle = (X.min(axis=0) + X.max(axis=0)) / 2
        np.testing.assert_allclose(data.mean(axis=0), middle, atol=0.3)
    assert not np.array_equal(references[0], references[1])


def test_the_box_of_pca_is_oblique(seen):
    # A thin stripe along the diagonal: its own box is thin, the one along the features is a square.
    rng = np.random.default_rng(0)
    along, across = rng.uniform(-10, 10, 1000), rng.uniform(-0.1, 0.1, 1000)
    X = np.column_stack([along + across + 100.0, along - across - 50.0])
    gap_statistic(X, [2], n_references=2, reference="pca", estimator=Spread(), random_state=0)
    for data in [data for *_, data in seen if data is not X]:
        offset = data - [100.0, -50.0]
        assert np.abs(offset[:, 0] - offset[:, 1]).max() < 0.25
        assert np.abs(offset[:, 0] + offset[:, 1]).max() > 18


@pytest.mark.parametrize("reference", ["uniform", "pca"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_well_separated_blobs(reference, dtype):
    # Requirement 18.12.
    for seed in range(3):
        X = make_blobs(200, centers=THREE, random_state=seed)[0].astype(dtype)
        assert gap_statistic(X, 6, reference=reference, random_state=seed).best == 3


def test_one_cluster_is_an_answer():
    X = np.random.default_rng(0).uniform(size=(300, 2))
    assert gap_statistic(X, 5, random_state=0).best == 1


@pytest.mark.parametrize(
    ("gaps", "best"),
    [
        ([0.1, 0.5, 0.4, 0.9], 2),  # the first that the next does not beat, not the greatest
        ([0.1, 0.2, 0.3, 0.4], 4),  # always better: the last
        ([0.3, 0.3, 0.1, 0.0], 1),  # equal is enough
    ],
)
def test_the_rule(gaps, best):
    X = np.zeros((10, 1))

    class Given(Spread):
        def fit(self, data):
            self.inertia_ = np.exp(-gaps[self.n_clusters - 1]) if data is X else 1.0
            return self

    result = gap_statistic(X, 4, estimator=Given(), random_state=0)
    np.testing.assert_allclose(result.gap, gaps, atol=1e-12)
    np.testing.assert_array_equal(result.standard_error, 0)
    assert result.best == best


def test_the_standard_error_counts():
    X = np.zeros((10, 1))
    X[0] = 1.0

    class Noisy(Spread):
        def fit(self, data):
            # log W* of the references is +-1 for k = 2, so gap(2) = 0.5 has a standard error of about 1.
            if data is X:
                self.inertia_ = {1: 1.0, 2: np.exp(-0.5)}[self.n_clusters]
            else:
                sign = 1 if self.random_state % 2 else -1
                self.inertia_ = 1.0 if self.n_clusters == 1 else np.exp(sign)
            return self

    result = gap_statistic(X, 2, n_references=40, estimator=Noisy(), random_state=0)
    assert result.gap[1] > result.gap[0]
    assert result.gap[1] - result.standard_error[1] < result.gap[0]
    assert result.best == 1


def test_the_result_depends_on_the_seed_only():
    X = make_blobs(300, random_state=0)[0]
    results = [gap_statistic(X, 5, n_references=5, random_state=7, n_jobs=n) for n in (1, 2, 5, None)]
    for result in results[1:]:
        for one, other in zip(results[0], result):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(gap_statistic(X, 5, n_references=5, random_state=8).gap, results[0].gap)


def test_threads_are_not_multiplied(seen):
    X = make_blobs(60, random_state=0)[0]
    gap_statistic(X, [2], n_references=3, estimator=Spread(), n_jobs=2, random_state=0)
    assert {n_jobs for _, n_jobs, _, _ in seen} == {1}
    seen.clear()
    gap_statistic(X, [2], n_references=3, estimator=Spread(), n_jobs=1, random_state=0)
    assert {n_jobs for _, n_jobs, _, _ in seen} == {1}


@pytest.mark.parametrize("estimator", [KMeans(n_init=2), BisectingKMeans(n_init=2)], ids=str)
def test_the_estimator_is_cloned(estimator):
    X = make_blobs(100, centers=THREE, random_state=0)[0]
    before = estimator.get_params()
    assert gap_statistic(X, 5, estimator=estimator, random_state=0).best == 3
    assert estimator.get_params() == before
    assert not hasattr(estimator, "inertia_")


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_duplicates_have_an_infinite_gap():
    X = np.repeat([[0.0, 0.0], [1.0, 5.0]], 10, axis=0)
    result = gap_statistic(X, [1, 2, 3], random_state=0)
    assert result.best == 2
    assert result.gap[1] == np.inf
    point = gap_statistic(np.ones((10, 2)), [1, 2], random_state=0)
    assert point.best == 1
    assert not np.isnan(point.gap).any()


def test_an_error_of_the_estimator_arrives():
    class Broken(Spread):
        def fit(self, X):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        gap_statistic(np.random.default_rng(0).random((20, 2)), 3, estimator=Broken(), n_jobs=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_clusters": 20}, "n_samples=20 should be > n_clusters=20"),
        ({"n_clusters": 0}, "at least 1"),
        ({"n_clusters": [0, 1]}, "at least 1"),
        ({"n_clusters": []}, "list of ints|at least 1"),
        ({"n_clusters": [1.5]}, "list of ints"),
        ({"n_references": 0}, "n_references"),
        ({"n_references": 2.5}, "n_references"),
        ({"reference": "normal"}, "reference must be"),
        ({"n_jobs": 0}, "n_jobs == 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        gap_statistic(np.random.default_rng(0).random((20, 2)), **arguments)


def test_bad_data():
    with pytest.raises(ValueError, match="NaN"):
        gap_statistic([[1.0, np.nan], [0.0, 1.0]], 1)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        gap_statistic(sp.eye_array(5, format="csr"), 2)
