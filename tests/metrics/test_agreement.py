"""align_labels and purity_score."""

import itertools

import numpy as np
import pytest

import mlcore.cluster
from mlcore.metrics import align_labels, purity_score


def best_agreement(true, pred, weight):
    """Largest weight of agreeing rows over all one-to-one renamings, by trying all of them."""
    clusters = np.unique(pred)
    names = list(np.unique(true)) + [-100 - i for i in range(len(clusters))]
    return max(
        sum(weight[(pred == cluster) & (true == name)].sum() for cluster, name in zip(clusters, chosen))
        for chosen in itertools.permutations(names, len(clusters))
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n_clusters", [2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_alignment_is_the_best_of_all_renamings(seed, n_clusters, weighted):
    rng = np.random.default_rng(seed)
    true, pred = rng.integers(0, 3, 25), rng.integers(0, n_clusters, 25)
    weight = rng.integers(0, 5, 25).astype(float) if weighted else np.ones(25)
    aligned = align_labels(true, pred, sample_weight=weight if weighted else None)
    assert weight[aligned == true].sum() == best_agreement(true, pred, weight)


@pytest.mark.parametrize("seed", range(5))
def test_a_permutation_is_undone(seed):
    # Requirement 18.26: identity after permutation.
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 7, 200)
    np.testing.assert_array_equal(align_labels(labels, rng.permutation(7)[labels]), labels)


def test_renaming_keeps_the_partition():
    rng = np.random.default_rng(3)
    true, pred = rng.integers(0, 3, 80), rng.integers(0, 6, 80)
    aligned, mapping = align_labels(true, pred, return_mapping=True)
    assert len(set(mapping.values())) == 6
    np.testing.assert_array_equal(aligned, [mapping[label] for label in pred])


def test_clusters_without_a_partner_get_new_numbers():
    true = [0, 0, 0, 5, 5, 5, 5]
    pred = [3, 3, 9, 9, 9, 9, 1]
    aligned, mapping = align_labels(true, pred, return_mapping=True)
    assert mapping == {3: 0, 9: 5, 1: 10}
    assert aligned.tolist() == [0, 0, 5, 5, 5, 5, 10]


def test_fewer_clusters_than_classes():
    assert align_labels([0, 0, 1, 1, 2, 2], [4, 4, 4, 7, 7, 7]).tolist() in (
        [0, 0, 0, 2, 2, 2],
        [0, 0, 0, 1, 1, 1],
    )


def test_names_may_be_strings_and_noise_is_a_label_like_any_other():
    aligned = align_labels(["x", "x", "y"], np.array([5, 5, -1]))
    assert aligned.tolist() == ["x", "x", "y"]
    with pytest.raises(ValueError, match="only when labels_true are integers"):
        align_labels(["x", "x", "y"], [0, 1, 2])


@pytest.mark.parametrize("function", [align_labels, purity_score])
def test_bad_arguments(function):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        function([0, 1], [0, 1, 2])
    with pytest.raises(ValueError, match="0 sample"):
        function([], [])
    with pytest.raises(ValueError, match="should be a 1d array"):
        function([[0, 1], [1, 0]], [0, 1])
    with pytest.raises(ValueError, match="Negative values"):
        function([0, 1], [0, 1], sample_weight=[1, -1])
    with pytest.raises(ValueError, match="NaN"):
        function([0, 1], [0, 1], sample_weight=[1, np.nan])


@pytest.mark.parametrize("seed", range(4))
def test_purity_counts_the_majority_of_each_cluster(seed):
    rng = np.random.default_rng(seed)
    true, pred, weight = rng.integers(0, 4, 60), rng.integers(0, 5, 60), rng.random(60)
    majority = sum(max(weight[(pred == c) & (true == j)].sum() for j in range(4)) for c in range(5))
    assert purity_score(true, pred, sample_weight=weight) == pytest.approx(majority / weight.sum(), rel=1e-14)
    assert purity_score(true, pred) == pytest.approx(
        sum(np.bincount(true[pred == c]).max() for c in range(5)) / 60, rel=1e-14
    )
    assert purity_score(rng.permutation(4)[true], rng.permutation(5)[pred]) == purity_score(true, pred)


def test_purity_needs_weight():
    with pytest.raises(ValueError, match="at least one non-zero"):
        purity_score([0, 1], [0, 1], sample_weight=[0, 0])


def test_the_public_names():
    assert mlcore.cluster.align_labels is align_labels
    import sklearn.metrics

    assert mlcore.metrics.silhouette_score is sklearn.metrics.silhouette_score
