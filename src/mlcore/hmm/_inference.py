"""Filtering, forecasts, draws of paths and samples: what goes beyond smoothing and Viterbi."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._shared_docs import shared_docs
from .._validation import draw_seed, native_threads
from ._chain import check_distribution, stationary_distribution
from ._decoding import no_path
from ._docs import SEQUENCES
from ._engine import engine
from ._sequences import Array, check_number

if TYPE_CHECKING:
    from ._base import BaseHMM

__all__ = ["FilterStream", "InferenceMixin"]


class FilterStream:
    r"""Filtered state probabilities of one sequence that arrives row by row, in O(K) memory.

    Each row costs O(K^2): :math:`\hat\alpha_t(j) \propto b_j(x_t) \sum_i \hat\alpha_{t-1}(i) a_{ij}`.
    Models make these by :meth:`~mlcore.hmm.GaussianHMM.stream`.

    Parameters
    ----------
    model : fitted model
        Its parameters at this moment are used.

    Attributes
    ----------
    log_likelihood : float
        Of the rows so far.
    n_rows : int
        Number of rows so far.

    Examples
    --------
    >>> from mlcore.hmm import CategoricalHMM
    >>> model = CategoricalHMM(2)
    >>> model.startprob_, model.transmat_ = [0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]]
    >>> model.emissionprob_ = [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]]
    >>> stream = model.stream()
    >>> stream.update([0]).round(4)
    array([0.2, 0.8])
    >>> stream.forecast().round(4)
    array([0.46, 0.54])
    """

    def __init__(self, model: BaseHMM) -> None:
        self._model = model
        _, self._start, self._trans = model._model(None)
        self._state: Array | None = None
        self.log_likelihood = 0.0
        self.n_rows = 0

    def update(self, x: Any) -> Array:
        """Take in one observation.

        Parameters
        ----------
        x : array-like of shape (n_features,)
            The next row; NaN is a missing value.

        Returns
        -------
        probabilities : ndarray of shape (n_components,)
            Of the states, given all rows so far.

        Raises
        ------
        ValueError
            If no path can emit the rows so far.
        """
        X = self._model._check_observations(np.asarray(x).reshape(1, -1), reset=False)
        L = engine.log_densities(self._model._emission(X), X, 1)[0]
        before = self._start if self._state is None else self._state @ self._trans
        peak = L.max()
        joint = before * np.exp(L - peak) if peak > -np.inf else np.zeros_like(before)
        total = float(joint.sum())
        if not total > 0:
            raise ValueError("The observation has probability zero after the rows before it.")
        self._state = joint / total
        self.log_likelihood += float(np.log(total) + peak)
        self.n_rows += 1
        return self._model._collapse(self._state).copy()

    def forecast(self, steps: int = 1) -> Array:
        """State probabilities ``steps`` rows ahead.

        Parameters
        ----------
        steps : int, default=1
            At least 0.

        Returns
        -------
        probabilities : ndarray of shape (n_components,)
            Before the first row: of that row for ``steps=1``.
        """
        steps = check_number(steps, "steps", 0)
        if self._state is None:
            state, steps = self._start, max(steps - 1, 0)
        else:
            state = self._state
        return self._model._collapse(state @ np.linalg.matrix_power(self._trans, steps))


@shared_docs(SEQUENCES)
class InferenceMixin:
    """Filtering, forecasting and sampling."""

    def filter(self: BaseHMM, X: Any, lengths: Any = None) -> Array:  # type: ignore[misc]
        r"""Filtered state probabilities :math:`P(z_t = i \mid x_1, \dots, x_t)`.

        Parameters
        ----------
        <<sequences>>

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_components)
            Rows add up to 1. Unlike ``predict_proba`` a row knows nothing of the rows after it.

        Raises
        ------
        ValueError
            If no path can emit one of the sequences.

        See Also
        --------
        stream : The same row by row, in O(K) memory.
        """
        data = self._test_data(X, lengths)
        emission, start, trans = self._model(data.X)
        threads = native_threads(self.n_jobs)
        values, found = engine.filter(emission, data.X, data.offsets, start, trans, threads)
        if not np.isfinite(values).all():
            raise ValueError(no_path(values))
        return self._collapse(found)

    def stream(self: BaseHMM) -> FilterStream:  # type: ignore[misc]
        """A filter for one sequence that arrives row by row.

        Returns
        -------
        stream : FilterStream
            With ``update(x)`` and ``forecast(steps)``.
        """
        return FilterStream(self)

    def forecast(self: BaseHMM, X: Any, lengths: Any = None, *, steps: int = 1) -> tuple[Array, Array]:  # type: ignore[misc]
        """State probabilities and expected observations after the end of each sequence.

        Parameters
        ----------
        <<sequences>>
        steps : int, default=1
            Number of future rows.

        Returns
        -------
        probabilities : ndarray of shape (n_sequences, steps, n_components)
            State probabilities of the future rows.
        expected : ndarray of shape (n_sequences, steps, n_features)
            Their expected observations (for symbols: the probability of each symbol).
        """
        steps = check_number(steps, "steps", 1)
        data = self._test_data(X, lengths)
        emission, start, trans = self._model(data.X)
        arguments = (emission, data.X, data.offsets, start, trans, None, native_threads(self.n_jobs))
        # The last row of a sequence knows the whole of it: smoothed and filtered are the same there.
        state = engine.posteriors(*arguments)[1][data.offsets[1:] - 1]
        ahead = []
        for _ in range(steps):
            state = state @ trans
            ahead.append(state)
        probabilities = self._collapse(np.stack(ahead, axis=1))
        return probabilities, probabilities @ self._emission_means()

    def sample_posterior(  # type: ignore[misc]
        self: BaseHMM, X: Any, lengths: Any = None, *, n_samples: int = 1, random_state: Any = None
    ) -> Array:
        """Draw state paths from their distribution given the observations.

        Forward filtering, backward sampling: rows of a path hang together, unlike draws from
        ``predict_proba``.

        Parameters
        ----------
        <<sequences>>
        n_samples : int, default=1
            Number of paths.
        random_state : int, RandomState instance or None, default=None
            None means the model's ``random_state``.

        Returns
        -------
        states : ndarray of shape (n_samples, rows of X), int32
            One path in each row.
        """
        n_samples = check_number(n_samples, "n_samples", 1)
        data = self._test_data(X, lengths)
        emission, start, trans = self._model(data.X)
        seed = draw_seed(self.random_state if random_state is None else random_state)
        states: Array = engine.sample_posterior(
            emission, data.X, data.offsets, start, trans, int(n_samples), seed, native_threads(self.n_jobs)
        )
        return self._collapse_states(states)

    def sample(  # type: ignore[misc]
        self: BaseHMM, n_samples: int = 1, random_state: Any = None, currstate: int | None = None
    ) -> tuple[Array, Array]:
        """Generate one sequence from the model.

        Parameters
        ----------
        n_samples : int, default=1
            Rows.
        random_state : int, RandomState instance or None, default=None
            None means the model's ``random_state``.
        currstate : int or None, default=None
            State of the first row; None draws it from ``startprob_``.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Observations.
        state_sequence : ndarray of shape (n_samples,), int32
            Their states.
        """
        check_is_fitted(self, "startprob_")
        n_samples = check_number(n_samples, "n_samples", 1)
        _, start, trans = self._model(None)
        if currstate is not None:
            if check_number(currstate, "currstate", 0) >= self.n_components:
                raise ValueError(
                    f"currstate must be a state from 0 to {self.n_components - 1}, got {currstate!r}."
                )
            within = np.arange(len(start)) // (len(start) // self.n_components) == currstate
            weights = np.where(within, start, 0.0)
            start = weights / weights.sum() if weights.sum() > 0 else within / within.sum()
        seed = draw_seed(self.random_state if random_state is None else random_state)
        lengths = np.array([n_samples], dtype=np.int64)
        drawn = engine.sample_states(start, trans, lengths, seed, native_threads(self.n_jobs))
        states = self._collapse_states(drawn)
        # The states use the stream of the seed; the emissions take one of their own.
        generator = np.random.Generator(np.random.Philox(key=[seed, 1]))
        return self._sample_emission(states, generator), states

    def stationary_distribution(self: BaseHMM) -> Array:  # type: ignore[misc]
        """Distribution over states that ``transmat_`` keeps.

        Returns
        -------
        distribution : ndarray of shape (n_components,)
            See :func:`stationary_distribution`.
        """
        check_is_fitted(self, "transmat_")
        K = self.n_components
        return stationary_distribution(check_distribution(self.transmat_, "transmat_", (K, K)))

    def get_stationary_distribution(self: BaseHMM) -> Array:  # type: ignore[misc]
        """The same as ``stationary_distribution()``, under hmmlearn's name.

        Returns
        -------
        distribution : ndarray of shape (n_components,)
            See :func:`stationary_distribution`.
        """
        return self.stationary_distribution()
