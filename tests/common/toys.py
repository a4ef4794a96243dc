"""A small estimator that passes the whole sweep, and for every check one that breaks what it guards."""
# ruff: noqa: NPY002 - toys misuse the global generator

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import cases
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mlcore import _core

CASE = cases.Case(
    no_draws=lambda X: {"init": X[:3].copy()},
    big={"max_iter": 2},
    big_rows=10_000,
    long_rows=500,
)

#: for processes that know a toy by its name only
CASES = {"": CASE}


class Toy(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Means of the nearest rows, a few times over: k-means in NumPy.

    Parameters
    ----------
    n_clusters : int, default=3
        Number of means.
    init : array of shape (n_clusters, n_features) or None, default=None
        First means; None for random rows.
    max_iter : int, default=20
        Number of rounds.
    tol : float, default=0.0
        Has no effect.
    random_state : int, RandomState instance or None, default=None
        Seed.
    n_jobs : int or None, default=None
        Has no effect.
    callbacks : list or None, default=None
        Called after each round.

    Attributes
    ----------
    centers_ : ndarray of shape (n_clusters, n_features)
        Means.
    labels_ : ndarray of shape (n_samples,)
        Nearest mean of each row.
    cost_ : float
        Mean squared distance.
    n_iter_ : int
        Number of rounds.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns.
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": ["array-like", None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "callbacks": [list, None],
    }

    def __init__(
        self, n_clusters=3, *, init=None, max_iter=20, tol=0.0, random_state=None, n_jobs=None, callbacks=None
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.callbacks = callbacks

    # Each step is a method, so that the broken toys can replace it.

    def fit(self, X, y=None, sample_weight=None):
        """Fit."""
        before = vars(self).copy()
        try:
            return self._fit(X, sample_weight)
        except BaseException:
            self._undo(before)
            raise

    def _undo(self, before):
        vars(self).clear()
        vars(self).update(before)

    def _fit(self, X, sample_weight):
        self._check_parameters()
        X = self._check(X, reset=True)
        weights = self._check_weights(sample_weight, X)
        if len(X) < self.n_clusters:
            raise ValueError(f"n_samples={len(X)} should be >= n_clusters={self.n_clusters}.")
        Z = self._values(X)
        centers = self._first_centers(Z)
        for _ in range(self.max_iter):
            labels = self._nearest(Z, centers)
            means = [self._mean(Z[labels == k], weights[labels == k]) for k in range(len(centers))]
            centers = np.array([c if m is None else m for c, m in zip(centers, means)])
            for callback in self.callbacks or []:
                callback.on_iteration(None)
        self.centers_ = centers.astype(X.dtype)
        self.labels_ = self._nearest(Z, centers)
        distances = np.square(Z - centers[self.labels_]).sum(axis=1)
        self.cost_ = float((distances * weights).sum() / weights.sum())
        self.n_iter_ = self.max_iter
        self._check_result()
        return self

    def _check_parameters(self):
        self._validate_params()
        if self.n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning")

    def _check(self, X, reset):
        X = validate_data(self, X, reset=reset, accept_sparse=True, dtype=[np.float64, np.float32])
        return self._dense(X)

    def _dense(self, X):
        return X.toarray() if sp.issparse(X) else X

    def _values(self, X):
        return np.array(X, dtype=np.float64, order="C")

    def _check_weights(self, sample_weight, X):
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        if weights.min() < 0:
            raise ValueError("Negative values in data passed to `sample_weight`")
        return weights

    def _first_centers(self, Z):
        if self.init is not None:
            return check_array(self.init, dtype=np.float64)
        rows = self._generator().choice(len(Z), self.n_clusters, replace=False)
        return Z[rows]

    def _generator(self):
        return check_random_state(self.random_state)

    def _mean(self, Z, weights):
        total = weights.sum()
        return weights @ Z / total if total > 0 else None

    def _nearest(self, Z, centers):
        return self._distances(Z, centers).argmin(axis=1)

    def _distances(self, Z, centers):
        return np.stack([np.sqrt(np.square(Z - c).sum(axis=1)) for c in centers], axis=1)

    def _check_result(self):
        if not (np.isfinite(self.centers_).all() and np.isfinite(self.cost_)):
            raise ValueError("The values of X are too large: a sum has overflowed.")
        with np.errstate(all="ignore"):
            if not np.isfinite(np.abs(self.centers_).sum().astype(np.float64) ** 2):
                raise ValueError("The values of X are too large: a sum has overflowed.")

    def predict(self, X):
        """Nearest mean."""
        check_is_fitted(self)
        X = self._check(X, reset=False)
        return self._nearest(self._values(X), self.centers_)

    def transform(self, X):
        """Distances."""
        check_is_fitted(self)
        X = self._check(X, reset=False)
        return self._distances(self._values(X), self.centers_).astype(X.dtype)

    def fit_transform(self, X, y=None, sample_weight=None):
        """Fit, then transform."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def fit_predict(self, X, y=None, sample_weight=None):
        """Fit, then the labels."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def score(self, X, y=None):
        """Minus the mean distance."""
        return -float(np.float64(self.transform(X)).min(axis=1).mean())

    @property
    def _n_features_out(self):
        return len(self.centers_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


#: check name -> classes that it must refuse, and how
BROKEN: dict[str, list[tuple[type[Toy], type[Exception]]]] = {}


def breaks(*checks: str, error: type[Exception] = AssertionError) -> Callable[[type[Toy]], type[Toy]]:
    """`error`: what the check ends with; not AssertionError where the toy's own exception is let through."""

    def register(cls: type[Toy]) -> type[Toy]:
        for name in checks:
            BROKEN.setdefault(name, []).append((cls, error))
        cls.__doc__ = cls.__doc__ or Toy.__doc__
        return cls

    return register


# -- what goes in


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


# -- the estimator as an object


@breaks("copies_answer_alike")
class RoundsInPickles(Toy):
    def __getstate__(self):
        state = super().__getstate__().copy()
        if "centers_" in state:
            state["centers_"] = state["centers_"].astype(np.float32)
        return state


@breaks("copies_answer_alike")
class SharesWithCopies(Toy):
    def __deepcopy__(self, memo):
        twin = type(self)(**self.get_params())
        vars(twin).update(vars(self))
        return twin

    def _fit(self, X, sample_weight):
        old = getattr(self, "centers_", None)
        super()._fit(X, sample_weight)
        if old is not None:
            old[...] = 0
        return self


@breaks("clone")
class ClonesAreFitted(Toy):
    def __sklearn_clone__(self):
        return copy.deepcopy(self)


@breaks("subclass")
class KnowsItsName(Toy):
    def predict(self, X):
        """Nearest mean."""
        return super().predict(X) + (type(self).__name__ == "Derived")


@breaks("refit_is_a_fresh_fit")
class StartsFromTheLast(Toy):
    def _fit(self, X, sample_weight):
        old = getattr(self, "cost_", None)
        super()._fit(X, sample_weight)
        self.cost_ = self.cost_ if old is None else min(old, self.cost_)
        return self


@breaks("refit_is_a_fresh_fit")
class LeavesSomething(Toy):
    def _fit(self, X, sample_weight):
        super()._fit(X, sample_weight)
        if self.n_features_in_ == 7:
            self.seven_ = True
        return self


@breaks("fit_returns_self")
class ReturnsNothing(Toy):
    def _fit(self, X, sample_weight):
        return copy.copy(super()._fit(X, sample_weight))


@breaks("a_failed_fit_changes_nothing", "control_c")
class DoesNotUndo(Toy):
    def _undo(self, before):
        pass

    def _fit(self, X, sample_weight):
        self.begun_ = True
        return super()._fit(X, sample_weight)


@breaks("a_failed_fit_changes_nothing")
class ForgetsOnFailure(Toy):
    def _undo(self, before):
        super()._undo({name: value for name, value in before.items() if name[-1] != "_"})


@breaks("a_refused_parameter_changes_nothing")
class ValidatesLate(Toy):
    def _undo(self, before):
        pass

    def _check_parameters(self):
        self.n_features_in_ = 6
        super()._check_parameters()


@breaks("a_refused_parameter_changes_nothing", error=ValueError)
class ValidatesItsOwnWay(Toy):
    def _check_parameters(self):
        if not isinstance(self.max_iter, int):
            raise ValueError("max_iter?")
        super()._check_parameters()


@breaks("a_callback_that_raises_changes_nothing")
class SwallowsCallbacks(Toy):
    def _fit(self, X, sample_weight):
        callbacks, self.callbacks = self.callbacks, None
        super()._fit(X, sample_weight)
        self.callbacks = callbacks
        return self


@breaks("parameter_validation")
class AcceptsAnyTolerance(Toy):
    def _check_parameters(self):
        tol, self.tol = self.tol, 0.0
        super()._check_parameters()
        self.tol = tol


@breaks("constructor_stores_its_arguments")
class ConstructorConverts(Toy):
    def __init__(
        self, n_clusters=3, *, init=None, max_iter=20, tol=0.0, random_state=None, n_jobs=None, callbacks=None
    ):
        super().__init__(
            n_clusters,
            init=init,
            max_iter=max_iter,
            tol=tol,
            random_state=random_state,
            n_jobs=n_jobs,
            callbacks=callbacks,
        )
        self.tol = float(tol) if isinstance(tol, int | float) else 0.0


@breaks("every_parameter_is_documented")
class WithoutDocumentation(Toy):
    """A toy.

    Parameters
    ----------
    n_clusters : int
        Number of means.
    """


@breaks("n_jobs_values")
class ZeroThreads(Toy):
    def _check_parameters(self):
        self._validate_params()


@breaks("n_jobs_values")
class DependsOnJobs(Toy):
    def score(self, X, y=None):
        """Minus the mean distance."""
        return super().score(X) + (self.n_jobs == 7) * 1e-15


@breaks("feature_counts")
class AnyWidth(Toy):
    def predict(self, X):
        """Nearest mean."""
        return np.zeros(len(X), dtype=int)


@breaks("feature_names")
class ForgetsNames(Toy):
    def predict(self, X):
        """Nearest mean."""
        return super().predict(X.set_axis(self.feature_names_in_, axis=1) if hasattr(X, "columns") else X)


@breaks("output_containers")
class OneName(Toy):
    def get_feature_names_out(self, input_features=None):
        """One name."""
        check_is_fitted(self)
        return np.array(["toy"] * len(self.centers_), dtype=object)


@breaks("not_fitted")
class NoErrorBeforeFit(Toy):
    def predict(self, X):
        """Nearest mean."""
        return super().predict(X) if hasattr(self, "centers_") else np.zeros(len(X))


@breaks("metadata_routing")
class NotRouted(Toy):
    __metadata_request__fit = {"sample_weight": UNUSED}  # noqa: RUF012


@breaks("the_same_seed_gives_the_same_bits")
class AlwaysAnother(Toy):
    def _generator(self):
        return np.random.mtrand._rand


@breaks("other_seeds_give_other_results")
class AlwaysTheSame(Toy):
    def _generator(self):
        check_random_state(self.random_state).random_sample()
        return np.random.RandomState(0)


@breaks("use_of_generators")
class CopiesTheGenerator(Toy):
    def _generator(self):
        return copy.deepcopy(super()._generator())


@breaks("use_of_generators")
class SeedsTheGlobalOne(Toy):
    def _generator(self):
        if isinstance(self.random_state, int):
            np.random.seed(self.random_state)
            return np.random.mtrand._rand
        return super()._generator()


@breaks("inputs_are_not_changed")
class ChangesFortranOrder(Toy):
    def _values(self, X):
        values = super()._values(X)
        if X.flags.f_contiguous and X.flags.writeable:
            X[0, 0] = 0
        return values


@breaks("inputs_are_not_changed")
class ChangesWeights(Toy):
    def _check_weights(self, sample_weight, X):
        weights = super()._check_weights(sample_weight, X)
        if isinstance(sample_weight, np.ndarray):
            sample_weight /= 2
        return weights


@breaks("inputs_are_not_changed", "parameters_are_not_changed")
class ChangesInit(Toy):
    def _first_centers(self, Z):
        centers = super()._first_centers(Z).copy()
        if self.init is not None:
            self.init[0] = 0
        return centers


@breaks("parameters_are_not_changed")
class ReplacesParameters(Toy):
    def _fit(self, X, sample_weight):
        self.max_iter = self.max_iter + 1000
        super()._fit(X, sample_weight)
        return self


@breaks("answers_do_not_change_the_model")
class RemembersTheLastQuestion(Toy):
    def transform(self, X):
        """Distances."""
        distances = super().transform(X)
        self.last_ = distances
        return distances


@breaks("answers_do_not_change_the_model")
class HandsOutItsMemory(Toy):
    def predict(self, X):
        """Nearest mean."""
        labels = super().predict(X)
        return self.labels_ if np.array_equal(labels, self.labels_) else labels


@breaks("answers_do_not_depend_on_the_batch")
class CentresTheBatch(Toy):
    def transform(self, X):
        """Distances."""
        distances = super().transform(X)
        return distances - distances.mean()


# -- threads, processes, memory


@breaks("thread_counts_give_the_same_bits")
class DependsOnThreads(Toy):
    def _check_result(self):
        self.cost_ += 1e-12 * (_core.resolve_threads(self.n_jobs or 0)[0] > 1)


@breaks("thread_counts_give_the_same_bits")
class DependsOnSevenJobs(Toy):
    def _check_result(self):
        self.cost_ += 1e-12 * (self.n_jobs == 7)


@breaks("many_python_threads_at_once")
class SharesBetweenFits(Toy):
    fits = 0

    def _check_result(self):
        SharesBetweenFits.fits += 1
        mine = SharesBetweenFits.fits
        time.sleep(0.001)
        self.cost_ += SharesBetweenFits.fits - mine


@breaks("one_model_used_by_many_threads")
class KeepsTheQuestion(Toy):
    counter = 0

    def predict(self, X):
        """Nearest mean."""
        self.counter += 1
        mine = self.counter
        time.sleep(0.001)
        return super().predict(X) + (self.counter != mine)


@breaks("instruction_sets_agree")
class AnotherLevel(Toy):
    def _check_result(self):
        self.cost_ *= 1.001 if _core.isa_level() == "base" else 1.0


@breaks("a_pickle_travels_to_another_process")
class LivesHere(Toy):
    home = os.getpid()

    def _check_result(self):
        self.home_ = os.getpid()

    def predict(self, X):
        """Nearest mean."""
        return super().predict(X) + (self.home_ != os.getpid())


@breaks("fork_after_threads")
class NotInAFork(Toy):
    def _check_result(self):
        self.forked_ = _core.resolve_threads()[1] == "forked"


@breaks("control_c")
class SwallowsControlC(Toy):
    def _fit(self, X, sample_weight):
        try:
            return super()._fit(X, sample_weight)
        except KeyboardInterrupt:
            return self


@breaks("control_c")
class TooShort(Toy):
    def _fit(self, X, sample_weight):
        if self.max_iter > 1000:
            self.set_params(max_iter=2)
        return super()._fit(X, sample_weight)


@breaks("memory_does_not_grow")
class Leaks(Toy):
    kept: list[Any] = []  # noqa: RUF012

    def _check_result(self):
        self.kept.append(self.labels_.copy())


@breaks("memory_does_not_grow")
class LeaksWhenItFails(Toy):
    kept: list[Any] = []  # noqa: RUF012

    def _undo(self, before):
        self.kept.append(np.ones(60_000))
        super()._undo(before)
