"""Checks of what goes in: dtypes, layouts, sparse formats, bad values, degenerate and extreme data."""
# ruff: noqa: B023, PT017 - lambdas are called at once; the checks look at messages without pytest

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from sweep.registry import check
from sweep.subjects import Subject, assert_same, blobs, fitted_attributes, flatten, noise


def raises(function: Callable[[], Any], pattern: str, what: str) -> None:
    """function() must raise ValueError or TypeError with one of the words between the bars of `pattern`."""
    try:
        function()
    except (ValueError, TypeError) as error:
        assert any(words in str(error) for words in pattern.split("|")), (
            f"{what}: the message should say {pattern!r}: {error!r}"
        )
    else:
        raise AssertionError(f"{what}: accepted, should be refused with {pattern!r}")


def not_finite(results: dict[str, Any]) -> list[str]:
    """Names of float results with NaN or infinity."""
    found = []
    for path, value in flatten(results):
        array = np.asarray(value)
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            found.append(f"{path} = {array.ravel()[:4]}")
    return found


# -- dtypes and layouts


@check()
def check_integer_and_bool_input(subject: Subject) -> None:
    """Any integer type, bool and big-endian floats give exactly what float64 gives."""
    X = np.round(blobs())
    X = subject.given(X - X.min())
    expected = subject.run(X)
    any_dtype = not subject.case.same_dtype
    floats = np.float64 in subject.case.dtypes
    for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", *([">f8"] if floats else [])):
        assert_same(subject.run(X.astype(dtype)), expected, f"dtype {dtype}", values_only=any_dtype)
    if subject.case.reals:
        bits = X > 5
        assert_same(subject.run(bits), subject.run(bits.astype(float)), "dtype bool", values_only=any_dtype)
    if floats:
        assert_same(subject.run(X.astype("f2")), expected, "dtype float16", rtol=1e-2, values_only=True)
    assert_same(subject.run(X.tolist()), expected, "list of lists")


@check("floats")
def check_float32_input(subject: Subject) -> None:
    """float32 gives what float64 gives within its precision, and stays float32 where the tag says so."""
    X = subject.blobs()
    single = subject.run(X.astype(np.float32))
    assert_same(single, subject.run(X), "float32 against float64", rtol=1e-3, values_only=True)
    if subject.keeps_float32:
        assert single["transform()"].dtype == np.float32, "transform of float32 data is not float32"


def layouts(X: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The values of X in other places of memory."""
    n, d = X.shape
    yield "Fortran order", np.asfortranarray(X)
    wide = np.full((2 * n, 3 * d), 7.0, dtype=X.dtype)
    wide[::2, ::3] = X
    yield "every second row, every third column", wide[::2, ::3]
    wide = np.full((n + 2, d + 3), 7.0, dtype=X.dtype)
    wide[1:-1, 2:-1] = X
    yield "a window", wide[1:-1, 2:-1]
    yield "rows backwards", np.ascontiguousarray(X[::-1])[::-1]
    yield "columns backwards", np.ascontiguousarray(X[:, ::-1])[:, ::-1]
    yield "Fortran order with gaps", np.asfortranarray(np.repeat(X, 2, axis=0))[::2]
    yield "slice of three dimensions", np.repeat(X[:, :, None], 2, axis=2)[:, :, 1]
    packed = np.zeros((n, d), dtype=[("pad", "u1"), ("x", X.dtype)])
    packed["x"] = X
    assert not packed["x"].flags.aligned
    yield "unaligned field of packed records", packed["x"]


@check()
def check_memory_layouts(subject: Subject) -> None:
    for dtype in subject.case.dtypes:
        rtol = max(subject.case.rtol, 1e-4 if dtype == np.float32 else 0)
        X = subject.blobs(rows=101, dtype=dtype)
        expected = subject.run(X)
        assert_same(subject.run(X.copy()), expected, "a copy")
        for name, other in layouts(X):
            assert np.array_equal(other, X)
            assert_same(subject.run(other), expected, f"{np.dtype(dtype)}, {name}", rtol=rtol)


@check()
def check_readonly_and_memmap_input(subject: Subject) -> None:
    X = subject.blobs()
    expected = subject.run(X)
    weights = {"sample_weight": np.ones(len(X))} if subject.takes_weights else {}
    weighted = subject.run(X, **weights)
    for array in (X, *weights.values()):
        array.setflags(write=False)
    assert_same(subject.run(X), expected, "read-only array")
    assert_same(subject.run(X, **weights), weighted, "read-only weights")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        np.save(path, X)
        for mode in ("r", "c", "r+"):
            mapped = np.load(path, mmap_mode=mode)
            assert_same(subject.run(mapped), expected, f"memory-mapped file, mode {mode}")
        assert np.array_equal(np.load(path), X), "the file behind the memory map was changed"
        del mapped


@check()
def check_results_do_not_alias_the_input(subject: Subject) -> None:
    X = subject.blobs()
    expected = {path: np.array(value) for path, value in flatten(subject.run(X.copy()))}
    mine = X.copy()
    results = subject.run(mine)
    mine[:] = -1.0
    now = {path: np.array(value) for path, value in flatten(results)}
    assert_same(now, expected, "after the input was overwritten")


# -- sparse


def sparse_blobs(rows: int = 120, features: int = 12) -> np.ndarray:
    rng = np.random.default_rng(5)
    X = np.zeros((rows, features))
    for i in range(rows):
        block = i % 3
        X[i, 4 * block : 4 * block + 4] = 8 + np.round(rng.uniform(-1, 1, 4) * 16) / 16
        X[i, rng.integers(features)] += 0.5
    return X


def sparse_forms(X: np.ndarray) -> Iterator[tuple[str, Any]]:
    for kind in ("csr", "csc", "coo"):
        for container in (f"{kind}_array", f"{kind}_matrix"):
            for index in (np.int32, np.int64):
                A = getattr(sp, container)(X)
                for name in ("indices", "indptr", "row", "col"):
                    if hasattr(A, name) and name in vars(A):
                        setattr(A, name, getattr(A, name).astype(index))
                if kind == "coo":
                    A.coords = tuple(c.astype(index) for c in A.coords)
                yield f"{container} with {np.dtype(index)} indices", A
    A = sp.csr_array(X)
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(A.indptr[:-1], A.indptr[1:])])
    unsorted = sp.csr_array((A.data[order], A.indices[order], A.indptr), shape=A.shape)
    unsorted.has_sorted_indices = False
    yield "unsorted indices", unsorted
    halves = sp.csr_array((np.repeat(A.data, 2) / 2, np.repeat(A.indices, 2), 2 * A.indptr), shape=A.shape)
    halves.has_canonical_format = False
    yield "entries stored in two halves", halves
    zeros = sp.csr_array(
        (X.ravel(), np.tile(np.arange(X.shape[1]), len(X)), np.arange(len(X) + 1) * X.shape[1])
    )
    yield "explicit zeros", zeros
    readonly = sp.csr_array(X)
    for array in (readonly.data, readonly.indices, readonly.indptr):
        array.setflags(write=False)
    yield "read-only parts", readonly
    mixed = sp.csr_array(X)
    mixed.indptr = mixed.indptr.astype(np.int64)
    yield "int32 indices with int64 indptr", mixed


@check("sparse")
def check_sparse_equals_dense(subject: Subject) -> None:
    for dtype, rtol in ((np.float64, max(subject.case.rtol, 1e-6)), (np.float32, 1e-3)):
        X = sparse_blobs().astype(dtype)
        expected = as_dense(subject.run(X))
        for name, A in sparse_forms(X):
            before = [np.array(part) for part in _parts(A)]
            results = as_dense(subject.run(A.astype(dtype, copy=False)))
            assert_same(results, expected, f"{np.dtype(dtype)} {name}", rtol=rtol)
            after = _parts(A)
            assert all(map(np.array_equal, before, after)), f"{name}: the sparse input was changed"


def as_dense(results: dict[str, Any]) -> dict[str, Any]:
    """The results with sparse matrices unpacked: an attribute may keep rows of X in the format of X."""
    return {name: value.toarray() if sp.issparse(value) else value for name, value in results.items()}


def _parts(A: Any) -> list[np.ndarray]:
    return [A.data, *(A.coords if A.format == "coo" else (A.indices, A.indptr))]


@check("sparse", "finite")
def check_sparse_with_bad_values(subject: Subject) -> None:
    for value, words in ((np.nan, "NaN"), (np.inf, "infinity")):
        A = sp.csr_array(sparse_blobs())
        A.data[5] = value
        raises(lambda: subject.run(A), words, f"sparse data with {value}")


@check("no sparse", "estimator")
def check_sparse_is_refused(subject: Subject) -> None:
    for kind in ("csr_array", "csc_array", "coo_array"):
        raises(lambda: subject.run(getattr(sp, kind)(sparse_blobs())), "parse data was passed", kind)


# -- bad input


@check("finite")
def check_nan_and_infinity(subject: Subject) -> None:
    for dtype in subject.case.dtypes:
        for value, words in (
            (np.nan, "Input X contains NaN|Input contains NaN"),
            (np.inf, "contains infinity"),
            (-np.inf, "contains infinity"),
        ):
            for row in (0, 44, 89):
                X = subject.blobs().astype(dtype)
                X[row, row % 4] = value
                raises(lambda: subject.run(X), words, f"{value} in row {row}")
    both = subject.blobs()
    both[3, 1], both[7, 2] = np.inf, -np.inf  # their sum is NaN, not infinity
    raises(lambda: subject.run(both), "contains infinity", "inf and -inf")
    if subject.is_estimator:
        estimator = subject.fit(subject.make(), subject.blobs())
        for method in subject.methods("score"):
            bad = subject.blobs(rows=12)
            bad[3, 3] = np.nan
            raises(lambda: subject.ask(estimator, method, bad), "contains NaN", f"NaN in {method}")


@check()
def check_shapes_and_types_that_are_refused(subject: Subject) -> None:
    X = subject.blobs()
    for bad, words in (
        (np.empty((0, 4)), "Found array with 0 sample(s)"),
        (np.empty((90, 0)), "0 feature(s) (shape=(90, 0)) while a minimum of 1 is required"),
        (np.empty((0, 0)), "Found array with 0"),
        (X[:, 0], "Expected 2D array, got 1D array instead|Reshape your data"),
        (np.float64(3.0), "Expected 2D array, got scalar array instead|must be an array-like"),
        (X[None], "Found array with dim 3|expected <= 2"),
        (X + 1j, "Complex data not supported"),
        (X.astype(str).astype(object) + "x", "could not convert string to float"),
        (np.full((90, 4), "a"), "could not convert string to float|dtype='numeric' is not compatible"),
        (np.full((90, 4), None), "must be a string or a real number|NaN"),
        ([[1.0, 2.0], [3.0]], "inhomogeneous|sequence"),
        ("nonsense", "Expected 2D array, got scalar array instead|could not convert|must be an array-like"),
        (None, "Expected 2D array|None"),
        ({"a": [1.0]}, "must be a string or a real number|Expected 2D|float|must be an array-like"),
    ):
        raises(lambda: subject.run(bad), words, f"X = {type(bad).__name__} {str(bad)[:40]!r}")


@check("floats")
def check_objects_that_hold_numbers(subject: Subject) -> None:
    X = subject.blobs()
    any_dtype = not subject.case.same_dtype
    assert_same(subject.run(X.astype(object)), subject.run(X), "dtype object", values_only=any_dtype)


# -- degenerate and extreme data


def refused_or_finite(subject: Subject, X: np.ndarray, what: str) -> None:
    """A clear error, or a model without NaN and infinity."""
    with np.errstate(all="ignore"):
        try:
            results = subject.run(X)
        except ValueError as error:
            assert len(str(error)) > 10, f"{what}: no message"
            return
    if subject.target == "regression" and len(X) == 1:
        results.pop("score()", None)  # R^2 of one row is not defined
    found = not_finite(results)
    assert not found, f"{what}: a fit without an error has left " + "; ".join(found[:4])


@check()
def check_degenerate_data(subject: Subject) -> None:
    X = blobs()
    constant = X.copy()
    constant[:, 1] = 3.0
    for dtype in subject.case.dtypes:
        for what, data in (
            ("one row", X[:1]),
            ("two rows", X[:2]),
            ("three rows", X[:3]),
            ("one feature", X[:, :1]),
            ("one row, one feature", X[:1, :1]),
            ("a constant column", constant),
            ("only constant columns", np.full((90, 4), 3.0)),
            ("zeros", np.zeros((90, 4))),
            ("equal rows", np.repeat(X[:1], 90, axis=0)),
            ("two different rows", np.repeat(X[:2], 45, axis=0)),
            ("duplicate rows", np.repeat(X, 3, axis=0)),
            ("more features than rows", np.tile(X[:8], 10)),
            ("equal columns", np.repeat(X[:, :1], 4, axis=1)),
        ):
            refused_or_finite(subject, subject.given(data, dtype), f"{what} ({np.dtype(dtype)})")


@check("reals")
def check_extreme_scales(subject: Subject) -> None:
    """1e300 and 1e-300 (float32: 1e38, 1e30, 1e-38): an error or a finite model, never NaN in silence."""
    X = blobs() / 16  # of order one
    for dtype, scales in (
        (np.float64, (1e300, 1e160, 1e150, 1e100, 1e-100, 1e-160, 1e-300, 5e-324)),
        (np.float32, (1e38, 1e30, 1e19, 1e10, 1e-10, 1e-20, 1e-38, 1e-45)),
    ):
        with np.errstate(all="ignore"):
            for scale in scales:
                refused_or_finite(subject, (X * scale).astype(dtype), f"scale {scale} ({np.dtype(dtype)})")
                mixed = X.copy()
                mixed[:, 0] *= scale
                refused_or_finite(
                    subject, mixed.astype(dtype), f"one column of scale {scale} ({np.dtype(dtype)})"
                )
                outlier = X.copy()
                outlier[7] *= scale
                refused_or_finite(
                    subject, outlier.astype(dtype), f"one row of scale {scale} ({np.dtype(dtype)})"
                )
            refused_or_finite(subject, (X + 1e6).astype(dtype), f"far from the origin ({np.dtype(dtype)})")


@check()
def check_results_are_finite_on_ordinary_data(subject: Subject) -> None:
    for X in (blobs(), noise(200, 5), -blobs(seed=3)):
        found = not_finite(subject.run(subject.given(X)))
        assert not found, "; ".join(found[:4])


# -- weights


@check("weights")
def check_weights_none_is_ones(subject: Subject) -> None:
    X = subject.blobs()
    expected = subject.run(X)
    for weights in (np.ones(90), np.ones(90, dtype=np.float32), np.ones(90, dtype=int), [1.0] * 90):
        assert_same(subject.run(X, sample_weight=weights), expected, "weights of one", rtol=1e-9)


@check("weights")
def check_integer_weights_are_repetition(subject: Subject) -> None:
    X = subject.blobs(rows=60)
    counts = np.random.default_rng(1).integers(1, 4, 60)
    arguments = subject.case.no_draws(X)
    y = subject.target_of(X)
    y_repeated = None if y is None else np.repeat(y, counts)

    def fit(X: np.ndarray, y: Any, weights: Any) -> dict[str, Any]:
        results = of_new_rows(subject, X, y, weights, arguments)
        return {name: value for name, value in results.items() if name not in subject.case.about_rows}

    weighted = fit(X, y, counts.astype(float))
    repeated = fit(np.repeat(X, counts, axis=0), y_repeated, None)
    what = "integer weights against repeated rows"
    assert_same(weighted, repeated, what, rtol=1e-6, residuals=subject.case.residuals)
    plain = fit(X, y, None)
    try:
        assert_same(weighted, plain, "", rtol=1e-6)
    except AssertionError:
        return
    raise AssertionError("the weights change nothing")


@check("weights")
def check_weight_zero_is_removal(subject: Subject) -> None:
    X = blobs(rows=60)
    X[50:] += 100 * np.arange(10)[:, None]  # rows that would matter
    X = subject.given(X)
    y = subject.target_of(X)
    weights = np.random.default_rng(2).uniform(0.5, 2, 60)
    weights[50:] = 0
    arguments = subject.case.no_draws(X)
    with_zeros = of_new_rows(subject, X, y, weights, arguments)
    without = of_new_rows(subject, X[:50], None if y is None else y[:50], weights[:50], arguments)
    for name in subject.case.about_rows:  # may have as many entries as there are rows, in one of the two
        with_zeros.pop(name, None)
        without.pop(name, None)
    what = "weight zero against removed rows"
    assert_same(with_zeros, without, what, rtol=1e-6, residuals=subject.case.residuals)


def of_new_rows(subject: Subject, X: np.ndarray, y: Any, weights: Any, arguments: Any) -> dict[str, Any]:
    """Results that do not run over the rows of the fit: other attributes, and answers for other rows."""
    if not subject.is_estimator:
        results = subject.run(X, y, weights, **arguments)
    else:
        estimator = subject.fit(subject.make(**arguments), X, y, weights)
        attributes = fitted_attributes(estimator)
        results = attributes | subject.answers(estimator, subject.blobs(rows=30, seed=9))
    return {
        name: value
        for name, value in results.items()
        if np.shape(value)[:1] != (len(X),) and not (isinstance(value, tuple) and value == X.shape)
    }


@check("weights")
def check_bad_weights(subject: Subject) -> None:
    X = subject.blobs()
    ones = np.ones(90)
    bad_one = ones.copy()
    bad_one[4] = np.nan
    bad_two = ones.copy()
    bad_two[4] = np.inf
    negative = ones.copy()
    negative[4] = -1.0
    for weights, words in (
        (np.ones(89), "sample_weight.shape == (89,), expected (90,)"),
        (np.ones(1), "sample_weight.shape == (1,), expected (90,)"),
        (np.ones((90, 2)), "must be 1D array or scalar"),
        (bad_one, "Input sample_weight contains NaN"),
        (bad_two, "Input sample_weight contains infinity"),
        (np.full(90, "a"), "could not convert string to float|not compatible"),
        (np.zeros(90), "zero"),
    ):
        raises(lambda: subject.run(X, sample_weight=weights), words, f"weights {weights[:5]}")
    if subject.case.negative_weights == "an error":
        raises(lambda: subject.run(X, sample_weight=negative), "Negative values", "a negative weight")
        return
    zero = np.maximum(negative, 0.0)
    left_out, weighed_zero = (subject.run(X, sample_weight=weights) for weights in (negative, zero))
    assert_same(left_out, weighed_zero, "a negative weight against weight zero")
