"""The shared input checks: what may pass untouched, and that a failed fit leaves no trace."""

from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError, StrOptions

from mlcore._validation import (
    atomic_fit,
    check_data,
    check_weights,
    draw_seed,
    native_matrix,
    native_threads,
    validate_parameters,
)


class Toy(BaseEstimator):
    _parameter_constraints: ClassVar = {"kind": [StrOptions({"a", "b"})], "size": [int]}

    def __init__(self, kind="a", size=1):
        self.kind = kind
        self.size = size

    @atomic_fit
    def fit(self, X, fail=None):
        validate_parameters(self)
        X = check_data(self, X, reset=True)
        self.fitted_ = True
        if fail is not None:
            raise fail
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_of_any_layout_are_not_copied(dtype, tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 6)).astype(dtype)
    read_only = X.copy()
    read_only.setflags(write=False)
    memmap = np.memmap(tmp_path / "X", dtype=dtype, mode="w+", shape=X.shape)
    memmap[:] = X
    for given in (X, np.asfortranarray(X), X[::2], X[:, ::2], X[::-1], read_only, memmap, X.T):
        assert check_data(Toy(), given, reset=True) is given


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_csr_is_not_copied(dtype, index):
    X = sp.random_array((30, 10), density=0.3, format="csr", dtype=dtype, rng=0)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    data, indices, indptr, n_features = native_matrix(check_data(Toy(), X, reset=True))
    assert np.shares_memory(data, X.data)
    assert np.shares_memory(indices, X.indices)
    assert np.shares_memory(indptr, X.indptr)
    assert indices.dtype == indptr.dtype == index
    assert n_features == 10


def test_duplicate_entries_are_summed_in_a_copy():
    X = sp.csr_array((np.array([1.0, 2.0, 4.0]), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    checked = check_data(Toy(), X, reset=True)
    np.testing.assert_array_equal(checked.data, [3.0, 4.0])
    np.testing.assert_array_equal(X.data, [1.0, 2.0, 4.0])


@pytest.mark.parametrize("given", [[[1, 2], [3, 4]], np.ones((2, 2), dtype=object), np.eye(2, dtype="f2")])
def test_other_types_become_float64(given):
    assert check_data(Toy(), given, reset=True).dtype == np.float64


def test_big_endian_is_cast():
    assert check_data(Toy(), np.eye(2, dtype=">f8"), reset=True).dtype == np.dtype("f8")


def test_unaligned_is_copied():
    raw = np.zeros(8 * 4 + 1, dtype=np.uint8)
    X = raw[1:].view(np.float64).reshape(2, 2)
    assert not X.flags.aligned
    assert check_data(Toy(), X, reset=True).flags.aligned


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.array([[1.0, np.nan]]), "Input X contains NaN"),
        (np.array([[1.0, np.inf]], dtype=np.float32), "Input X contains infinity"),
        (np.array([[1j, 1]]), "Complex data not supported"),
        (np.array([["a", "b"]]), "could not convert string to float"),
        (np.empty((0, 3)), "0 sample"),
        (np.empty((3, 0)), "0 feature"),
        (np.ones(3), "Expected 2D array, got 1D array instead"),
        (np.ones((2, 2, 2)), "Found array with dim 3"),
    ],
)
def test_bad_data_in_the_words_of_scikit_learn(given, words):
    with pytest.raises(ValueError, match=words):
        check_data(Toy(), given, reset=True)


def test_assume_finite_is_respected():
    X = np.array([[1.0, np.nan]])
    with sklearn.config_context(assume_finite=True):
        assert check_data(Toy(), X, reset=True) is X


def test_number_of_features_is_set_and_compared():
    toy = Toy().fit(np.ones((2, 3)))
    assert toy.n_features_in_ == 3
    with pytest.raises(ValueError, match="X has 2 features, but Toy is expecting 3 features as input"):
        check_data(toy, np.ones((2, 2)), reset=False)


def test_feature_names_are_kept_compared_and_forgotten():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(np.ones((2, 2)), columns=["u", "v"])
    toy = Toy().fit(frame)
    assert list(toy.feature_names_in_) == ["u", "v"]
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        check_data(toy, np.ones((2, 2)), reset=False)
    with pytest.raises(ValueError, match="feature names"):
        check_data(toy, frame.rename(columns={"u": "w"}), reset=False)
    toy.fit(np.ones((2, 2)))
    assert not hasattr(toy, "feature_names_in_")


def test_parameters_are_checked_also_after_good_ones():
    validate_parameters(Toy("a", 2))
    validate_parameters(Toy("a", 2))
    for bad in (Toy("c", 2), Toy("a", 2.0), Toy("a", None)):
        with pytest.raises(InvalidParameterError, match="parameter of Toy must be"):
            validate_parameters(bad)
        with sklearn.config_context(skip_parameter_validation=True):
            validate_parameters(bad)
        with pytest.raises(InvalidParameterError):
            validate_parameters(bad)


def test_equal_values_of_another_type_are_checked_for_themselves():
    validate_parameters(Toy("a", 1))
    with pytest.raises(InvalidParameterError):
        validate_parameters(Toy("a", 1.0))


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt()])
def test_failed_fit_leaves_the_estimator_as_it_was(failure):
    fresh = Toy()
    with pytest.raises(type(failure)):
        fresh.fit(np.ones((2, 3)), fail=failure)
    assert vars(fresh) == {"kind": "a", "size": 1}
    fitted = Toy().fit(np.ones((2, 3)))
    before = vars(fitted).copy()
    with pytest.raises(type(failure)):
        fitted.fit(np.ones((2, 4)), fail=failure)
    assert vars(fitted) == before


def test_weights():
    X = np.ones((3, 2), dtype=np.float32)
    assert check_weights(None, X) is None
    assert check_weights([1, 2, 3], X).dtype == np.float32
    np.testing.assert_array_equal(check_weights(2.0, X), [2, 2, 2])
    assert check_weights(np.ones(3), X) is None
    given = np.array([1, 0, 2], dtype=np.float32)
    assert check_weights(given, X) is given
    for bad, kind, words in [
        ([1, -1, 2], ValueError, "Negative values in data passed to `sample_weight`"),
        ([0, 0, 0], ValueError, "Sample weights must contain at least one non-zero number."),
        ([1, 2], ValueError, r"sample_weight.shape == \(2,\), expected \(3,\)!"),
        ([[1], [2], [3]], ValueError, "Sample weights must be 1D array or scalar"),
        ([1, np.nan, 1], ValueError, "Input sample_weight contains NaN"),
        (np.array(1.0), TypeError, "at least 1 dimension"),
    ]:
        with pytest.raises(kind, match=words):
            check_weights(bad, X)


def test_threads():
    assert native_threads(None) == 0
    assert native_threads(3) == 3
    assert native_threads(-1) == -1
    with pytest.raises(ValueError, match="n_jobs == 0"):
        native_threads(0)


def test_seeds():
    assert draw_seed(5) == draw_seed(5) == draw_seed(np.random.RandomState(5)) == draw_seed(np.int64(5))
    assert draw_seed(5) != draw_seed(6)
    generator = np.random.RandomState(5)
    assert draw_seed(generator) != draw_seed(generator)
    assert 0 <= draw_seed(None) < 2**63
