import numpy as np
import pytest
import scipy.sparse as sp

from mlcore.preprocessing import ExclusiveFeatureBundler


def one_hot(rows, levels, seed=0):
    return np.eye(levels)[np.random.default_rng(seed).integers(levels, size=rows)]


def test_a_one_hot_block_is_one_bundle_and_comes_back():
    X = np.hstack([one_hot(200, 5), one_hot(200, 3, seed=1)])
    bundler = ExclusiveFeatureBundler()
    bundled = bundler.fit_transform(X)
    assert bundled.shape == (200, 2)
    assert sorted(map(sorted, bundler.bundles_)) == [[0, 1, 2, 3, 4], [5, 6, 7]]
    np.testing.assert_array_equal(bundler.inverse_transform(bundled), X)
    np.testing.assert_array_equal(bundler.transform(sp.csr_array(X)), bundled)


def test_conflict_counts_are_those_of_the_definition():
    X = (np.random.default_rng(0).random((50, 6)) < 0.3) * 2.0
    counts = ExclusiveFeatureBundler().fit(X).conflict_counts_
    for i in range(6):
        for j in range(6):
            assert counts[i, j] == np.sum((X[:, i] != 0) & (X[:, j] != 0))


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2])
def test_a_bundle_stays_within_its_budget(rate):
    X = sp.random_array((300, 40), density=0.03, rng=np.random.default_rng(3)).toarray()
    bundler = ExclusiveFeatureBundler(max_conflict_rate=rate).fit(X)
    assert sorted(np.concatenate(bundler.bundles_)) == list(range(40))
    for bundle, dropped in zip(bundler.bundles_, bundler.n_conflicts_):
        together = (X[:, bundle] != 0).sum(axis=1)
        assert dropped == np.maximum(together - 1, 0).sum() <= rate * 300
    wide = ExclusiveFeatureBundler().fit(X)
    assert len(bundler.bundles_) <= len(wide.bundles_) < 40


def test_the_last_column_of_a_bundle_wins_a_conflict():
    X = np.array([[1.0, 0], [0, 1], [1, 1], [1, 0]] + [[0, 0]] * 6)
    bundler = ExclusiveFeatureBundler(max_conflict_rate=0.1).fit(X)
    assert len(bundler.bundles_) == 1
    assert bundler.n_conflicts_.tolist() == [1]
    last = bundler.bundles_[0][-1]
    assert bundler.inverse_transform(bundler.transform(X))[2].tolist() == np.eye(2)[last].tolist()


def test_ranges_of_a_bundle_do_not_overlap():
    rng = np.random.default_rng(1)
    X = one_hot(100, 3) * rng.choice([-2.0, 0.5, 7.0], size=(100, 1))
    bundler = ExclusiveFeatureBundler().fit(X)
    (bundle,), (offsets,) = bundler.bundles_, bundler.offsets_
    assert offsets.tolist() == [0, 3, 6]
    assert [bundler.bin_edges_[j].size for j in bundle] == [3, 3, 3]
    np.testing.assert_array_equal(bundler.inverse_transform(bundler.transform(X)), X)


def test_many_values_are_cut_at_quantiles():
    X = np.random.default_rng(0).normal(size=(1000, 1))
    bundler = ExclusiveFeatureBundler(max_bins=10)
    codes, counts = np.unique(bundler.fit_transform(X), return_counts=True)
    assert codes.tolist() == list(range(1, 11))
    assert counts.min() >= 99
    for code in (1, 10):
        rows = bundler.transform(X)[:, 0] == code
        assert bundler.inverse_transform([[code]])[0, 0] == pytest.approx(X[rows].mean())


def test_wrong_number_of_bundles_is_refused():
    bundler = ExclusiveFeatureBundler().fit(np.eye(4))
    with pytest.raises(ValueError, match="X has 2 columns, but there are 1 bundles"):
        bundler.inverse_transform(np.zeros((3, 2)))
