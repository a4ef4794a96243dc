"""What the models share: the EM loop, scoring, decoding and the scikit-learn contract.

A concrete class says what its emission is: how its parameters start, what the native side gets, and how they
are computed from the statistics of an E-step. Everything else is here or in the mixins.

Glossary: *statistics* - dict of weighted sums that one E-step returns; *start* - one of the ``n_init`` runs
of EM; *letters* - the characters of ``params`` and ``init_params``, one for each block of parameters.
"""

from __future__ import annotations

import copy
import logging
import string
from abc import abstractmethod
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._callbacks import NativeObserver, observe
from .._shared_docs import shared_docs
from .._validation import atomic_fit, native_threads, validate_parameters
from ._chain import check_distribution, check_mask, most_probable_rows, normalized_rows
from ._decoding import DecodingMixin
from ._docs import SEQUENCES
from ._engine import engine
from ._inference import InferenceMixin
from ._monitor import ConvergenceMonitor
from ._online import OnlineMixin
from ._sequences import (
    Array,
    Sequences,
    check_lengths,
    check_sequence_weights,
    check_states,
    select,
)
from ._starts import best_start

__all__ = ["BaseHMM", "Statistics"]

logger = logging.getLogger("mlcore.hmm")

Statistics = dict[str, Any]


@shared_docs(SEQUENCES)
class BaseHMM(DecodingMixin, InferenceMixin, OnlineMixin, BaseEstimator):
    """Base of all models: a Markov chain over ``n_components`` states and an emission in each."""

    #: letter -> attribute, in the order in which a start fills them.
    _letters: ClassVar[Mapping[str, str]] = {"s": "startprob_", "t": "transmat_"}

    #: Do the known states of all rows determine the parameters?
    _counting_is_enough: ClassVar[bool] = True

    startprob_: Any
    transmat_: Any
    n_features_in_: int
    n_iter_: int
    lower_bound_: float
    n_components: int
    startprob_prior: Any
    transmat_prior: Any
    algorithm: str
    random_state: Any
    n_iter: int
    tol: float
    verbose: Any
    params: str
    init_params: str
    implementation: str
    n_init: int
    n_jobs: int | None
    transmat_mask: Any
    state_order: str | None
    callbacks: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "startprob_prior": [Interval(Real, 0, None, closed="left"), "array-like", None],
        "transmat_prior": [Interval(Real, 0, None, closed="left"), "array-like", None],
        "algorithm": [StrOptions({"viterbi", "map"})],
        "random_state": ["random_state"],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "tol": [Interval(Real, None, None, closed="both")],
        "verbose": ["verbose"],
        "params": [str],
        "init_params": [str],
        "implementation": [StrOptions({"log", "scaling"})],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "transmat_mask": ["array-like", None],
        "state_order": [StrOptions({"mean", "occupancy"}), None],
        "callbacks": [list, tuple, None],
    }

    def _keep(self, given: Mapping[str, Any]) -> None:
        """Set the arguments of a constructor, its ``locals()``, as attributes."""
        for name, value in given.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # -- what a family of emissions says of itself

    @abstractmethod
    def _check_observations(self, X: Any, *, reset: bool) -> Array:
        """Checked observations in the form of the native side."""

    @abstractmethod
    def _init_emission(self, data: Sequences, random_state: Any) -> None:
        """Parameters to start from, for the letters that need them."""

    @abstractmethod
    def _init_flat(self, data: Sequences) -> None:
        """The same parameters in all states, positive wherever the data are."""

    @abstractmethod
    def _emission(self, X: Array | None) -> tuple[Any, ...]:
        """The checked emission as the native side takes it."""

    @abstractmethod
    def _m_step_emission(self, statistics: Statistics, letters: str) -> None:
        """New parameters from the statistics."""

    @abstractmethod
    def _reseed(self, state: int, data: Sequences, row: int) -> None:
        """Let a state that explains nothing start anew from one row of the data."""

    @abstractmethod
    def _sample_emission(self, states: Array, generator: np.random.Generator) -> Array:
        """One observation for each state of a path."""

    @abstractmethod
    def _emission_means(self) -> Array:
        """Expected observation in each state, (n_components, n_features)."""

    @abstractmethod
    def _count_emission_parameters(self) -> dict[str, int]:
        """letter -> number of free parameters."""

    @abstractmethod
    def _reorder_emission(self, order: Array) -> None:
        """Renumber the states: new state i is old state order[i]."""

    # -- models whose native states are finer than their own (HSMM)

    def _collapse(self, values: Array) -> Array:
        """Probabilities of native states, last axis, as probabilities of the model's states."""
        return values

    def _collapse_states(self, states: Array) -> Array:
        return states

    def _spread_states(self, data: Sequences, emission: tuple[Any, ...]) -> tuple[Any, ...]:
        """The emission with known states built in, where labels of native states cannot say them."""
        return emission

    def _native_labels(self, data: Sequences) -> Array | None:
        return data.states

    # -- attributes that only look like data

    @property
    def monitor_(self) -> ConvergenceMonitor:
        """History of the last fit; see :class:`ConvergenceMonitor`."""
        kept: ConvergenceMonitor | None = vars(self).get("_monitor")
        return ConvergenceMonitor(self.tol, self.n_iter, self.verbose) if kept is None else kept

    @monitor_.setter
    def monitor_(self, monitor: ConvergenceMonitor) -> None:
        self._monitor = monitor

    @property
    def n_features(self) -> Any:
        """Number of features (categorical models: of symbols)."""
        given = vars(self).get("n_features")
        return given if given is not None else self._fitted_n_features()

    @n_features.setter
    def n_features(self, value: Any) -> None:
        vars(self)["n_features"] = value

    def _fitted_n_features(self) -> int | None:
        return vars(self).get("n_features_in_")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor parameters as they were given.

        Parameters
        ----------
        deep : bool, default=True
            Has no effect here.

        Returns
        -------
        params : dict
            Name to value.
        """
        state = vars(self)
        return {name: state.get(name) for name in type(self)._get_param_names()}  # type: ignore[attr-defined]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # -- checks

    def _check(self) -> tuple[Array, Array, tuple[Any, ...]]:
        """Parameters as the native side takes them; ValueError when they are no model."""
        K = self.n_components
        start = check_distribution(self.startprob_, "startprob_", (K,))
        trans = check_distribution(self.transmat_, "transmat_", (K, K))
        return start, trans, self._emission(None)

    def _required(self) -> list[str]:
        return list(self._letters.values())

    def _model(self, X: Array | None) -> tuple[tuple[Any, ...], Array, Array]:
        """(emission, startprob, transmat) of a usable model."""
        state = vars(self)
        for name in self._required():
            if name not in state:
                check_is_fitted(self, self._required())
        K = self.n_components
        start = check_distribution(self.startprob_, "startprob_", (K,))
        trans = check_distribution(self.transmat_, "transmat_", (K, K))
        return self._emission(X), start, trans

    def _check_features(self, X: Array, n_features: int) -> None:
        """For models whose parameters were set by hand."""
        if X.ndim == 2 and X.shape[1] != n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {n_features} features "
                "as input"
            )

    def _test_data(self, X: Any, lengths: Any, states: Any = None) -> Sequences:
        if "startprob_" not in vars(self):
            check_is_fitted(self, self._required())
        checked = self._check_observations(X, reset=False)
        offsets = check_lengths(lengths, checked.shape[0])
        return Sequences(checked, offsets, None, check_states(states, checked.shape[0], self.n_components))

    def _training_data(
        self, X: Any, lengths: Any, sample_weight: Any, states: Any, *, reset: bool
    ) -> Sequences:
        checked = self._check_observations(X, reset=reset)
        n = checked.shape[0]
        offsets = check_lengths(lengths, n)
        weights = check_sequence_weights(sample_weight, len(offsets) - 1)
        return select(Sequences(checked, offsets, weights, check_states(states, n, self.n_components)))

    def _check_letters(self) -> None:
        known = set(self._letters)
        for name in ("params", "init_params"):
            given = set(getattr(self, name))
            if not given <= known and not set(string.ascii_letters) <= given:
                raise ValueError(
                    f"The {name!r} parameter of {type(self).__name__} may hold the letters "
                    f"{''.join(self._letters)!r} only, got {getattr(self, name)!r} instead."
                )

    def _check_chain_priors(self) -> None:
        K = self.n_components
        for name, shape in (("startprob_prior", (K,)), ("transmat_prior", (K, K))):
            try:
                prior = np.broadcast_to(np.asarray(getattr(self, name), dtype=np.float64), shape)
            except ValueError:
                raise ValueError(
                    f"{name} must be a number or have shape {shape}, got {np.shape(getattr(self, name))}."
                ) from None
            # None stands for the defaults of the variational models.
            if getattr(self, name) is not None and not (np.isfinite(prior).all() and prior.min() >= 0):
                raise ValueError(f"{name} must hold finite numbers that are not negative.")

    # -- starts

    def _needs_init(self, letter: str, name: str) -> bool:
        """Does a start have to fill this attribute? What the user has set is overwritten with a message."""
        present = hasattr(self, name)
        if letter in self.init_params:
            if present and "n_iter_" not in vars(self):
                logger.warning(
                    "The attribute %r is set, but will be overwritten during initialization because "
                    "'init_params' contains %r",
                    name,
                    letter,
                )
            return True
        return not present

    def _init(self, X: Any, lengths: Any = None) -> None:
        """Fill the parameters as the first start of a fit does."""
        checked = self._check_observations(X, reset=True)
        n = checked.shape[0]
        offsets = check_lengths(None if np.sum(lengths) != n else lengths, n)
        self._initialize(Sequences(checked, offsets), self.random_state)

    def _initialize(self, data: Sequences, random_state: Any) -> None:
        self._warn_of_too_little_data(data)
        self._init_chain(data, random_state)
        self._init_emission(data, random_state)
        if data.states is not None:
            self._init_from_states(data)

    def _warn_of_too_little_data(self, data: Sequences) -> None:
        counts = {"s": self.n_components - 1, "t": self.n_components * (self.n_components - 1)}
        counts |= self._count_emission_parameters()
        free = sum(count for letter, count in counts.items() if letter in self.params)
        if free > data.X.size:
            logger.warning(
                "Fitting a model with %d free scalar parameters with only %d data points will result in a "
                "degenerate solution.",
                free,
                data.X.size,
            )

    def _init_chain(self, data: Sequences, random_state: Any) -> None:
        K = self.n_components
        generator = check_random_state(random_state)
        if self._needs_init("s", "startprob_"):
            self.startprob_ = generator.dirichlet(np.full(K, 1.0 / K))
        if self._needs_init("t", "transmat_"):
            self.transmat_ = generator.dirichlet(np.full(K, 1.0 / K), size=K)
        self._apply_mask()

    def _apply_mask(self) -> None:
        mask = check_mask(self.transmat_mask, self.n_components)
        if mask is not None:
            uniform = mask / mask.sum(axis=1, keepdims=True)
            self.transmat_ = normalized_rows(np.where(mask, self.transmat_, 0.0), uniform)

    def _init_from_states(self, data: Sequences) -> None:
        """Emission parameters of the states that occur among the known ones, from their rows."""
        assert data.states is not None
        self._m_step_emission(self._statistics_of_known(data), self.init_params)

    def _statistics_of_known(self, data: Sequences) -> Statistics:
        """Statistics of the rows whose states are known: each row a sequence of its own."""
        assert data.states is not None
        known = np.flatnonzero(data.states >= 0)
        weights = data.row_weights()
        K = self.n_components
        even = np.full(K, 1.0 / K)
        X = np.ascontiguousarray(data.X[known])
        statistics: Statistics = engine.estep(
            self._emission(X),
            X,
            np.arange(len(known) + 1, dtype=np.int64),
            even,
            np.full((K, K), 1.0 / K),
            None if weights is None else weights[known],
            data.states[known],
            native_threads(self.n_jobs),
        )
        return self._complete(statistics, X)

    def _complete(self, statistics: Statistics, X: Array) -> Statistics:
        """A place for families whose sums are not native."""
        return statistics

    # -- EM

    def _e_step(self, data: Sequences, threads: int) -> Statistics:
        emission, start, trans = self._model(data.X)
        statistics: Statistics = engine.estep(
            emission, data.X, data.offsets, start, trans, data.weights, data.states, threads
        )
        return self._complete(statistics, data.X)

    def _additive(self, statistics: Statistics) -> Statistics:
        """The statistics as sums over rows only, which those of other rows can be added to."""
        return statistics

    def _objective(self, statistics: Statistics) -> float:
        return float(statistics["log_likelihood"])

    def _m_step(self, statistics: Statistics, letters: str) -> None:
        if "s" in letters:
            self.startprob_ = most_probable_rows(
                statistics["start"], self.startprob_prior, np.asarray(self.startprob_, dtype=np.float64)
            )
        if "t" in letters:
            self.transmat_ = most_probable_rows(
                statistics["trans"],
                self.transmat_prior,
                np.asarray(self.transmat_, dtype=np.float64),
                check_mask(self.transmat_mask, self.n_components),
            )
        self._m_step_emission(statistics, letters)

    def _run(
        self,
        data: Sequences,
        monitor: ConvergenceMonitor,
        observer: NativeObserver | None,
        restart: int,
        threads: int,
    ) -> bool:
        """EM from the present parameters; True when a callback has asked to stop."""
        monitor._reset()
        rescue = _EmptyStates(self, data)
        for _ in range(self.n_iter):
            statistics = self._e_step(data, threads)
            bound = self._objective(statistics)
            if not np.isfinite(bound):
                raise ValueError(_impossible(bound))
            self._m_step(statistics, self.params)
            monitor.report(bound)
            if observer is not None:
                last = monitor.history[-2] if len(monitor.history) > 1 else np.nan
                values = {
                    "iteration": monitor.iter,
                    "max_iterations": self.n_iter,
                    "restart": restart,
                    "objective": bound,
                    "change": bound - last,
                }
                if observer(values):
                    return True
            if rescue.revive(statistics["post"], bound, threads):
                continue
            if monitor.converged:
                break
        rescue.settle(monitor, threads)
        return False

    @atomic_fit
    def fit(self, X: Any, lengths: Any = None, *, sample_weight: Any = None, states: Any = None) -> Self:
        """Estimate the parameters by EM (Baum-Welch).

        Parameters
        ----------
        <<sequences>>
        <<weights and states>>

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described, or the data have probability zero under the
            parameters that EM starts from.
        """
        validate_parameters(self)
        self._check_letters()
        self._check_chain_priors()
        threads = native_threads(self.n_jobs)
        data = self._training_data(X, lengths, sample_weight, states, reset=True)
        monitor = copy.deepcopy(self.monitor_)
        if type(monitor) is ConvergenceMonitor:
            monitor = ConvergenceMonitor(self.tol, self.n_iter, self.verbose)
        with observe(self, callbacks=self.callbacks, objective="log-likelihood") as observer:
            winner, monitor = best_start(self, data, monitor, observer, threads)
        vars(self).update(vars(winner))
        vars(self).pop("_online", None)
        self._monitor = monitor
        self.n_iter_ = monitor.iter
        self.lower_bound_ = monitor.history[-1] if monitor.history else self._first_bound(data, threads)
        if self.state_order is not None and data.states is None:  # known states have given numbers
            self._sort_states(data, threads)
        self._refuse_invalid()
        return self

    def _first_bound(self, data: Sequences, threads: int) -> float:
        return self._objective(self._e_step(data, threads))

    def _refuse_invalid(self) -> None:
        """No fit may leave a model that cannot be used."""
        for name in self._required():
            if not np.isfinite(np.asarray(getattr(self, name), dtype=np.float64)).all():
                raise ValueError(
                    f"The fit has left values in {name} that are not finite: the values of X are too large "
                    "or too small; scale it."
                )
        self._check()

    @atomic_fit
    def fit_supervised(self, X: Any, states: Any, lengths: Any = None, *, sample_weight: Any = None) -> Self:
        """Estimate the parameters from sequences whose states are all known, by counting.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Observations.
        states : array-like of shape (n_samples,)
            The state of each row.
        lengths : array-like of shape (n_sequences,), default=None
            Rows of each sequence; None for one sequence.
        sample_weight : array-like of shape (n_sequences,), default=None
            Weight of each sequence.

        Returns
        -------
        self : object
            The fitted model: relative frequencies with the priors added, and the maximum-likelihood (with
            priors: most probable) emission of each state's rows. A state that does not occur keeps even
            transitions and the emission of all rows. Variational models and :class:`HSMM` run ``fit`` with
            the states given: with known paths one iteration gives the posterior, and of durations those of
            segments that the end cuts off are left to estimate.

        Raises
        ------
        ValueError
            If a state is unknown (use ``fit(X, lengths, states=states)``) or the data are not as described.
        """
        given = np.asarray(states)
        if states is None or (given.dtype.kind == "i" and (given < 0).any()):
            raise ValueError("All states must be known; for some of them use fit(X, lengths, states=states).")
        if not self._counting_is_enough:
            return self.fit(X, lengths, sample_weight=sample_weight, states=states)
        validate_parameters(self)
        data = self._training_data(X, lengths, sample_weight, states, reset=True)
        assert data.states is not None
        K = self.n_components
        self.startprob_ = np.full(K, 1.0 / K)
        self.transmat_ = np.full((K, K), 1.0 / K)
        self._apply_mask()
        self._init_flat(data)
        statistics = self._statistics_of_known(data)
        path, offsets = data.states, data.offsets
        weights = np.ones(data.n_sequences) if data.weights is None else data.weights
        start, trans = np.zeros(K), np.zeros((K, K))
        np.add.at(start, path[offsets[:-1]], weights)
        inside = np.ones(len(path), dtype=bool)
        inside[offsets[:-1]] = False
        steps = np.flatnonzero(inside)
        np.add.at(trans, (path[steps - 1], path[steps]), np.repeat(weights, np.diff(offsets))[steps])
        mask = check_mask(self.transmat_mask, K)
        if mask is not None and trans[~mask].any():
            raise ValueError("The given states make a transition that transmat_mask forbids.")
        statistics["start"], statistics["trans"] = start, trans
        self._m_step(statistics, "".join(self._letters))
        vars(self).pop("_online", None)
        self._monitor = ConvergenceMonitor(self.tol, self.n_iter, self.verbose)
        self.n_iter_ = 1
        self.lower_bound_ = self._first_bound(data, native_threads(self.n_jobs))
        self._refuse_invalid()
        return self

    # -- order of the states

    def _sort_states(self, data: Sequences, threads: int) -> None:
        if self.state_order == "mean":
            means = self._emission_means()
            order = np.lexsort(means.T[::-1])
        else:
            emission, start, trans = self._model(data.X)
            _, gamma = engine.posteriors(emission, data.X, data.offsets, start, trans, None, threads)
            gamma = self._collapse(gamma)
            weights = data.row_weights()
            occupancy = gamma.sum(axis=0) if weights is None else weights @ gamma
            order = np.argsort(-occupancy, kind="stable")
        self.reorder_states(order)

    def reorder_states(self, order: Any) -> Self:
        """Renumber the states.

        Parameters
        ----------
        order : array-like of shape (n_components,)
            A permutation: the new state ``i`` is the present state ``order[i]``.

        Returns
        -------
        self : object
            The model, which says the same with other numbers.

        Raises
        ------
        ValueError
            If ``order`` is not a permutation of the states.
        """
        checked = np.asarray(order)
        if checked.shape != (self.n_components,) or not np.array_equal(
            np.sort(checked), np.arange(self.n_components)
        ):
            raise ValueError(f"order must be a permutation of 0 to {self.n_components - 1}, got {order!r}.")
        self._reorder_chain(checked)
        self._reorder_emission(checked)
        vars(self).pop("_online", None)
        return self

    def _reorder_chain(self, order: Array) -> None:
        self.startprob_ = np.asarray(self.startprob_)[order]
        self.transmat_ = np.asarray(self.transmat_)[np.ix_(order, order)]

    # -- model choice

    def _count_parameters(self) -> int:
        K = self.n_components
        counts = {"s": K - 1, "t": K * (K - 1)} | self._count_emission_parameters()
        return sum(counts.values())

    def aic(self, X: Any, lengths: Any = None) -> float:
        r"""Akaike's criterion :math:`-2 \log L + 2 p`; lower is better.

        Parameters
        ----------
        <<sequences>>

        Returns
        -------
        aic : float
            With p the number of free parameters of the class, whether they were fitted or not.
        """
        return -2.0 * self.score(X, lengths) + 2.0 * self._count_parameters()

    def bic(self, X: Any, lengths: Any = None) -> float:
        r"""Schwarz's criterion :math:`-2 \log L + p \log n`; lower is better.

        Parameters
        ----------
        <<sequences>>

        Returns
        -------
        bic : float
            With p the number of free parameters of the class and n that of rows.
        """
        data = self._test_data(X, lengths)
        return -2.0 * self.score(X, lengths) + self._count_parameters() * float(np.log(data.n_rows))


def _impossible(bound: float) -> str:
    if bound == -np.inf:
        return (
            "The data have probability zero under the parameters that EM starts from: no path through "
            "the states can emit them (transitions or symbols of probability zero)."
        )
    return "The likelihood is not finite: the values of X are too large or too small; scale it."


class _EmptyStates:
    """Gives states that explain nothing another chance, and takes it back when it did not help.

    A state that takes part in no path keeps its parameters in the M-step, so the model stays valid. Once per
    state and start it is also seeded anew from the row that the model explains worst.
    """

    #: Below this expected number of rows the sums of a state say nothing.
    NOTHING = 1e-12

    def __init__(self, model: BaseHMM, data: Sequences) -> None:
        self.model, self.data = model, data
        self.tried: set[int] = set()
        # Zeros that are there before EM are the model's topology; those that come later are estimates.
        self.open_start = np.asarray(model.startprob_) > 0
        self.open_trans = np.asarray(model.transmat_) > 0
        self.before: dict[str, Any] | None = None
        self.bound = -np.inf

    def revive(self, post: Array, bound: float, threads: int) -> bool:
        model, data = self.model, self.data
        empty = [int(k) for k in np.flatnonzero(post < self.NOTHING) if int(k) not in self.tried]
        emission_letters = set(model._letters) - {"s", "t"}
        if not empty or data.states is not None or not emission_letters <= set(model.params):
            return False
        self.tried.update(empty)
        reachable = [k for k in empty if self.open_start[k] or np.delete(self.open_trans[:, k], k).any()]
        if not reachable:
            return False
        if self.before is None:
            self.before, self.bound = vars(model).copy(), bound
        L = engine.log_densities(model._emission(data.X), data.X, threads)
        worst = np.argsort(L.max(axis=1), kind="stable")
        K = model.n_components
        share = 1.0 / (K * K)
        trans = np.array(model.transmat_, dtype=np.float64)
        start = np.array(model.startprob_, dtype=np.float64)
        for place, k in enumerate(reachable):
            model._reseed(k, data, int(worst[min(place, len(worst) - 1)]))
            rows = self.open_trans[:, k]
            trans[rows] *= 1 - share
            trans[rows, k] += share
            if self.open_start[k]:
                start *= 1 - share
                start[k] += share
        model.transmat_ = trans
        model.startprob_ = start
        return True

    def settle(self, monitor: ConvergenceMonitor, threads: int) -> None:
        """The parameters before the rescue, if those after it are no better."""
        if self.before is not None and monitor.history[-1] < self.bound:
            vars(self.model).clear()
            vars(self.model).update(self.before)
