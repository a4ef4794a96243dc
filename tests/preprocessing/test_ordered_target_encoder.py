import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from mlcore.preprocessing import OrderedTargetEncoder


@pytest.mark.parametrize("n_permutations", [1, 3])
def test_the_formula_row_by_row(n_permutations):
    rng = np.random.default_rng(0)
    X = rng.integers(4, size=(60, 2)).astype(float)
    y = rng.normal(size=60)
    encoder = OrderedTargetEncoder(smooth=2.0, n_permutations=n_permutations, random_state=5)
    encoded = encoder.fit_transform(X, y)
    draws = np.random.RandomState(5)
    expected = np.zeros_like(X)
    for _ in range(n_permutations):
        order = draws.permutation(60)
        for place, i in enumerate(order):
            for j in range(2):
                before = [k for k in order[:place] if X[k, j] == X[i, j]]
                expected[i, j] += (y[before].sum() + 2 * y.mean()) / (len(before) + 2)
    np.testing.assert_allclose(encoded, expected / n_permutations, rtol=1e-12, atol=1e-12)


def test_no_leakage_on_random_categories():
    """A mean over all rows lets categories that mean nothing explain the target; the ordered one does not."""
    rng = np.random.default_rng(0)
    X = rng.integers(1000, size=(2000, 1)).astype(str).astype(object)
    y = rng.normal(size=2000)
    encoder = OrderedTargetEncoder(random_state=0)
    ordered = encoder.fit_transform(X, y)
    greedy = encoder.transform(X)
    assert LinearRegression().fit(greedy, y).score(greedy, y) > 0.3
    assert LinearRegression().fit(ordered, y).score(ordered, y) < 0.01


def test_strings_missing_values_and_the_unseen():
    X = pd.DataFrame({"c": ["x", "y", None, "x", None]})
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    encoder = OrderedTargetEncoder().fit(X, y)
    new = pd.DataFrame({"c": ["x", None, "z"]})
    np.testing.assert_allclose(encoder.transform(new)[:, 0], [(5 + 3) / 3, (8 + 3) / 3, 3.0])


def test_two_labels_are_encoded_as_the_share_of_the_greater():
    encoder = OrderedTargetEncoder(smooth=1.0)
    encoder.fit([["a"], ["a"], ["b"], ["b"]], ["no", "yes", "yes", "yes"])
    assert encoder.target_type_ == "binary"
    assert encoder.classes_.tolist() == ["no", "yes"]
    np.testing.assert_allclose(encoder.transform([["a"], ["b"]])[:, 0], [1.75 / 3, 2.75 / 3])


def test_labels_of_three_classes_are_refused():
    with pytest.raises(ValueError, match="Unknown label type"):
        OrderedTargetEncoder().fit([["a"]] * 3, ["x", "y", "z"])
    with pytest.raises(ValueError, match="at most 2 classes"):
        OrderedTargetEncoder(target_type="binary").fit([["a"]] * 3, ["x", "y", "z"])


def test_target_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        OrderedTargetEncoder().fit([[1], [2], [3]], [1.0, 2.5, np.nan])
