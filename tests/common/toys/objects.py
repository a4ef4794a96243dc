"""Toys that break the estimator as an object: copies, failures, parameters, names, seeds, answers."""
# ruff: noqa: NPY002 - toys misuse the global generator

from __future__ import annotations

import copy

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from toys.good import Toy, breaks


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
