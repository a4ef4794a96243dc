"""Scores, posteriors and state paths of a fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._shared_docs import shared_docs
from .._validation import native_threads
from ._docs import SEQUENCES
from ._engine import engine
from ._sequences import Array, Sequences, check_number

if TYPE_CHECKING:
    from ._base import BaseHMM

__all__ = ["DecodingMixin", "no_path"]


@shared_docs(SEQUENCES)
class DecodingMixin:
    """What a model says of sequences."""

    def _log_likelihoods(self: BaseHMM, X: Any, lengths: Any) -> Array:  # type: ignore[misc]
        data = self._test_data(X, lengths)
        emission, start, trans = self._model(data.X)
        values: Array = engine.score(
            emission, data.X, data.offsets, start, trans, None, native_threads(self.n_jobs)
        )
        return values

    def score(self: BaseHMM, X: Any, lengths: Any = None) -> float:  # type: ignore[misc]
        r"""Log-likelihood :math:`\log P(X)` of the sequences, summed.

        Parameters
        ----------
        <<sequences>>

        Returns
        -------
        log_prob : float
            Minus infinity when no path can emit the observations.
        """
        values = self._log_likelihoods(X, lengths)
        return float(values[0]) if len(values) == 1 else float(values.sum())

    def score_sequences(self: BaseHMM, X: Any, lengths: Any = None) -> Array:  # type: ignore[misc]
        """Log-likelihood of each sequence.

        Parameters
        ----------
        <<sequences>>

        Returns
        -------
        log_probs : ndarray of shape (n_sequences,)
            Their sum is ``score``.
        """
        return self._log_likelihoods(X, lengths)

    def score_samples(self: BaseHMM, X: Any, lengths: Any = None) -> tuple[float, Array]:  # type: ignore[misc]
        r"""Log-likelihood and state posteriors :math:`\gamma_t(i) = P(z_t = i \mid X)`.

        Parameters
        ----------
        <<sequences>>

        Returns
        -------
        log_prob : float
            As of ``score``.
        posteriors : ndarray of shape (n_samples, n_components)
            Rows add up to 1.

        Raises
        ------
        ValueError
            If no path can emit one of the sequences.
        """
        return self._posteriors(self._test_data(X, lengths))

    def _posteriors(self: BaseHMM, data: Sequences) -> tuple[float, Array]:  # type: ignore[misc]
        emission, start, trans = self._model(data.X)
        values, gamma = engine.posteriors(
            emission, data.X, data.offsets, start, trans, data.states, native_threads(self.n_jobs)
        )
        total = float(values.sum())
        if total == -np.inf:
            raise ValueError(no_path(values))
        return total, self._collapse(gamma)

    def predict_proba(self: BaseHMM, X: Any, lengths: Any = None) -> Array:  # type: ignore[misc]
        """State posteriors of each row given its whole sequence (smoothing).

        Parameters
        ----------
        <<sequences>>

        Returns
        -------
        posteriors : ndarray of shape (n_samples, n_components)
            Rows add up to 1.
        """
        return self._posteriors(self._test_data(X, lengths))[1]

    def predict(self: BaseHMM, X: Any, lengths: Any = None) -> Array:  # type: ignore[misc]
        """Most probable states, by the decoder named in ``algorithm``.

        Parameters
        ----------
        <<sequences>>

        Returns
        -------
        states : ndarray of shape (n_samples,), int32
            State of each row.
        """
        states: Array = self.decode(X, lengths)[1]
        return states

    def decode(  # type: ignore[misc]
        self: BaseHMM,
        X: Any,
        lengths: Any = None,
        algorithm: str | None = None,
        *,
        n_best: int | None = None,
        beam_width: int | None = None,
        constraints: Any = None,
    ) -> tuple[Any, Array]:
        """State path of each sequence.

        Parameters
        ----------
        <<sequences>>
        algorithm : {"viterbi", "map", "beam"} or None, default=None
            "viterbi": the most probable path. "map": the most probable state of each row for itself (the path
            may use forbidden transitions). "beam": Viterbi that goes on from the ``beam_width`` best states
            of each row only. None means the model's ``algorithm``.
        n_best : int or None, default=None
            Return the so many best paths of each sequence ("viterbi" only).
        beam_width : int or None, default=None
            States kept by "beam"; with all states the result is exact.
        constraints : array-like of shape (n_samples,) or (n_samples, n_components), default=None
            Known states (-1 where unknown), or True where a state is allowed.

        Returns
        -------
        log_prob : float, or ndarray of shape (n_sequences, n_best)
            Log joint probability of paths and observations, summed over the sequences; for "map" the sum of
            the posteriors of the chosen states. With ``n_best`` one value for each path, best first, minus
            infinity where there are not so many.
        states : ndarray of shape (n_samples,) or (n_best, n_samples), int32
            The paths; with ``n_best`` -1 where there is none.

        Raises
        ------
        ValueError
            If an argument is not as described, or the constraints leave no path.
        """
        algorithm = self.algorithm if algorithm is None else algorithm
        if algorithm not in ("viterbi", "map", "beam"):
            raise ValueError(f"Unknown decoder {algorithm!r}: it may be 'viterbi', 'map' or 'beam'.")
        if (beam_width is not None) != (algorithm == "beam"):
            raise ValueError("beam_width belongs to algorithm='beam', which needs it.")
        if n_best is not None and algorithm != "viterbi":
            raise ValueError(f"n_best goes with algorithm='viterbi', not with {algorithm!r}.")
        if n_best is not None:
            check_number(n_best, "n_best", 1)
        if beam_width is not None:
            check_number(beam_width, "beam_width", 1)
        known, allowed = _constraints(constraints)
        data = self._test_data(X, lengths, known)
        emission, start, trans = self._model(data.X)
        threads = native_threads(self.n_jobs)
        emission = self._spread_states(data, emission)
        if allowed is not None:
            L = engine.log_densities(emission, data.X, threads)
            emission = ("log_density", _restrict(L, allowed, self.n_components))
        arguments = (emission, data.X, data.offsets, start, trans)
        labels = self._native_labels(data)
        if algorithm == "map":
            values, gamma = engine.posteriors(*arguments, labels, threads)
            if not np.isfinite(values).all():
                raise ValueError(no_path(values))
            gamma = self._collapse(gamma)
            return float(gamma.max(axis=1).sum()), gamma.argmax(axis=1).astype(np.int32)
        if n_best is not None:
            found: tuple[Array, Array] = engine.viterbi_k_best(
                *arguments, labels, int(n_best), len(start) // self.n_components, threads
            )
            return found
        if algorithm == "beam":
            values, states = engine.viterbi_beam(*arguments, labels, int(beam_width or 1), threads)
        else:
            values, states = self._best_path(arguments, labels, threads)
        total = float(values[0]) if len(values) == 1 else float(values.sum())
        if total == -np.inf and algorithm != "beam":
            raise ValueError(no_path(values))
        return total, self._collapse_states(states)

    def _best_path(
        self, arguments: tuple[Any, ...], labels: Array | None, threads: int
    ) -> tuple[Array, Array]:
        """Log-probability and native states of the best path of each sequence."""
        found: tuple[Array, Array] = engine.viterbi(*arguments, labels, threads)
        return found


def no_path(values: Array) -> str:
    """What to say of the first sequence whose log-likelihood is minus infinity."""
    sequence = int(np.argmin(np.isfinite(values)))
    return (
        f"Sequence {sequence} has probability zero under the model: no allowed path of states can emit it "
        "(unseen symbols, transitions of probability zero, or constraints)."
    )


def _constraints(constraints: Any) -> tuple[Any, Array | None]:
    """(known states or None, allowed states or None)."""
    if constraints is None:
        return None, None
    given = np.asarray(constraints)
    if given.ndim == 2:
        return None, given.astype(bool)
    return given, None


def _restrict(L: Array, allowed: Array, n_components: int) -> Array:
    n = L.shape[0]
    if allowed.shape != (n, n_components):
        raise ValueError(f"constraints.shape == {allowed.shape}, expected {(n, n_components)} or ({n},).")
    allowed = np.repeat(allowed, L.shape[1] // n_components, axis=1)
    return np.where(allowed, L, -np.inf)
