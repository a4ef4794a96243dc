"""Toys that break what goes in: dtypes, layouts, sparse formats, bad values, weights."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_sample_weight, validate_data

from toys.good import Toy, breaks


@breaks("integer_and_bool_input")
class IntegersBecomeFloat32(Toy):
    def _check(self, X, reset):
        kind = getattr(getattr(X, "dtype", None), "kind", "")
        X = super()._check(X, reset)
        return X.astype(np.float32) if kind in "iub" else X


@breaks("integer_and_bool_input")
class Unsigned(Toy):
    def _check(self, X, reset):
        wrong = isinstance(X, np.ndarray) and X.dtype == np.uint8
        return super()._check(X.astype(int) - 300 if wrong else X, reset)


@breaks("float32_input")
class LosesFloat32(Toy):
    def transform(self, X):
        """Distances."""
        return super().transform(X).astype(np.float64)


@breaks("float32_input")
class CoarseFloat32(Toy):
    def _dense(self, X):
        X = super()._dense(X)
        return X.astype(np.float16).astype(X.dtype) * X.dtype.type(1.002) if X.dtype == np.float32 else X


@breaks("memory_layouts")
class BelievesInCOrder(Toy):
    def _values(self, X):
        return np.array(X.ravel(order="K").reshape(X.shape), dtype=np.float64)


@breaks("memory_layouts", error=ValueError)
class RefusesUnaligned(Toy):
    def _dense(self, X):
        X = super()._dense(X)
        if not X.flags.aligned:
            raise ValueError("X must be aligned")
        return X


@breaks("readonly_and_memmap_input", error=ValueError)
class WorksInPlace(Toy):
    def _dense(self, X):
        X = super()._dense(X)
        X += 0.0
        return X


@breaks("readonly_and_memmap_input")
class WritesToTheFile(Toy):
    def _values(self, X):
        values = super()._values(X)
        if X.flags.writeable:
            X[0, 0] += 1
        return values


@breaks("results_do_not_alias_the_input")
class KeepsAView(Toy):
    def _fit(self, X, sample_weight):
        super()._fit(X, sample_weight)
        self.first_ = X[0] if isinstance(X, np.ndarray) else None
        return self


@breaks("sparse_equals_dense")
class SparseByPosition(Toy):
    def _dense(self, X):
        if sp.issparse(X):
            dense = np.zeros(X.shape, dtype=X.dtype)
            X = X.tocsr()
            for i in range(X.shape[0]):
                row = slice(X.indptr[i], X.indptr[i + 1])
                dense[i, X.indices[row]] = X.data[row]  # the last of several entries wins
            return dense
        return X


@breaks("sparse_equals_dense", error=ValueError)
class NoWideIndices(Toy):
    def _check(self, X, reset):
        return self._dense(
            validate_data(
                self,
                X,
                reset=reset,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                accept_large_sparse=False,
            )
        )


@breaks("sparse_equals_dense")
class SortsInPlace(Toy):
    def _dense(self, X):
        if sp.issparse(X) and X.format == "csr":
            X.sum_duplicates()
        return super()._dense(X)


@breaks("sparse_with_bad_values")
class SparseNaN(Toy):
    def _check(self, X, reset):
        return super()._check(np.nan_to_num(X.toarray()) if sp.issparse(X) else X, reset)


@breaks("sparse_is_refused")
class SparseWithoutTheTag(Toy):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


@breaks("nan_and_infinity")
class NaNIsZero(Toy):
    def _check(self, X, reset):
        return super()._check(np.nan_to_num(X) if getattr(X, "dtype", None) == np.float32 else X, reset)


@breaks("nan_and_infinity")
class NaNInPredict(Toy):
    def predict(self, X):
        """Nearest mean."""
        return super().predict(np.nan_to_num(X))


@breaks("shapes_and_types_that_are_refused")
class RealPart(Toy):
    def _check(self, X, reset):
        return super()._check(np.real(X) if np.iscomplexobj(X) else X, reset)


@breaks("shapes_and_types_that_are_refused")
class OwnWording(Toy):
    def _check(self, X, reset):
        if np.ndim(X) == 1:
            raise ValueError("two dimensions, please")
        return super()._check(X, reset)


@breaks("objects_that_hold_numbers", error=ValueError)
class NoObjects(Toy):
    def _check(self, X, reset):
        if getattr(getattr(X, "dtype", None), "kind", "") == "O":
            raise ValueError("objects")
        return super()._check(X, reset)


@breaks("degenerate_data")
class SampleVariance(Toy):
    def _check_result(self):
        with np.errstate(all="ignore"):
            self.spread_ = np.float64(1.0) / np.bincount(self.labels_, minlength=self.n_clusters)


@breaks("extreme_scales")
class Overflows(Toy):
    def _check_result(self):
        with np.errstate(all="ignore"):
            self.spread_ = np.square(self.centers_)


@breaks("results_are_finite_on_ordinary_data")
class NotANumber(Toy):
    def _check_result(self):
        self.cost_ = float("nan")


@breaks("weights_none_is_ones")
class HalvesWeights(Toy):
    def _check_weights(self, sample_weight, X):
        weights = super()._check_weights(sample_weight, X)
        self.total_ = weights.sum() / (1 if sample_weight is None else 2)
        return weights


@breaks("integer_weights_are_repetition")
class RootsOfWeights(Toy):
    def _check_weights(self, sample_weight, X):
        return np.sqrt(super()._check_weights(sample_weight, X))


@breaks("integer_weights_are_repetition")
class IgnoresWeights(Toy):
    def _check_weights(self, sample_weight, X):
        return np.ones(len(super()._check_weights(sample_weight, X)))


@breaks("weight_zero_is_removal")
class CentresAllRows(Toy):
    def _values(self, X):
        values = super()._values(X)
        return values - values.mean(axis=0)


@breaks("weight_zero_is_removal")
class CountsAllRows(Toy):
    def _fit(self, X, sample_weight):
        super()._fit(X, sample_weight)
        self.rows_ = len(self.labels_)
        return self


@breaks("bad_weights")
class NegativeWeights(Toy):
    def _check_weights(self, sample_weight, X):
        return np.abs(_check_sample_weight(sample_weight, X, dtype=np.float64))


@breaks("bad_weights")
class WeightsOfAnyLength(Toy):
    def _check_weights(self, sample_weight, X):
        if np.shape(sample_weight)[:1] == (len(X) - 1,):
            sample_weight = None
        return super()._check_weights(sample_weight, X)
