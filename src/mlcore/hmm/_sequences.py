"""How rows are cut into sequences: lengths, weights of sequences, known states."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_array

__all__ = [
    "Array",
    "Offsets",
    "Sequences",
    "check_lengths",
    "check_number",
    "check_sequence_weights",
    "check_states",
    "select",
]

Array = npt.NDArray[Any]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Checked observations with everything that belongs to their rows.

    Attributes
    ----------
    X : ndarray
        As the native side takes them: (n, d) floats, or (n,) int64 symbols.
    offsets : ndarray of shape (n_sequences + 1,), int64
        Sequence s has the rows ``offsets[s]:offsets[s + 1]``.
    weights : ndarray of shape (n_sequences,) or None
        None when all are 1.
    states : ndarray of shape (n,), int32, or None
        Known states, -1 where unknown.
    """

    X: Array
    offsets: Offsets
    weights: npt.NDArray[np.float64] | None = None
    states: npt.NDArray[np.int32] | None = None

    @property
    def n_rows(self) -> int:
        return int(self.offsets[-1])

    @property
    def n_sequences(self) -> int:
        return len(self.offsets) - 1

    @property
    def total_rows(self) -> float:
        """Rows, each counted with the weight of its sequence."""
        if self.weights is None:
            return float(self.offsets[-1])
        return float(self.weights @ np.diff(self.offsets))

    def row_weights(self) -> npt.NDArray[np.float64] | None:
        if self.weights is None:
            return None
        return np.repeat(self.weights, np.diff(self.offsets))


def check_number(value: Any, name: str, least: int) -> int:
    """An integer of at least ``least``.

    Raises
    ------
    ValueError
        For anything else: True, 2.5 and "3" are no numbers of things.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
    return int(value)


def check_lengths(lengths: Any, n_rows: int) -> Offsets:
    """Offsets of the sequences.

    Parameters
    ----------
    lengths : None, or array-like of positive integers
        None means one sequence.
    n_rows : int
        What the lengths must add up to.

    Raises
    ------
    ValueError
        If a length is not a positive integer, or they do not add up to ``n_rows``.
    """
    if lengths is None:
        return np.array([0, n_rows], dtype=np.int64)
    given = np.asarray(lengths)
    if given.ndim == 0:
        given = given.reshape(1)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"lengths must be a list of integers, got an array of shape {given.shape}.")
    if given.dtype.kind not in "iu":
        whole = given.dtype.kind == "f" and bool(np.all(given == np.floor(given)))
        if not whole:
            raise ValueError(f"lengths must be integers, got {given.dtype} values instead.")
    if given.min() <= 0:
        where = int(np.argmax(given <= 0))
        raise ValueError(f"lengths must be positive: lengths[{where}] is {given[where]}.")
    offsets = np.zeros(len(given) + 1, dtype=np.int64)
    np.cumsum(given, out=offsets[1:])
    if offsets[-1] != n_rows:
        raise ValueError(
            f"The lengths add up to {offsets[-1]}, but X has n_samples={n_rows}: they "
            "must cover all rows, and no more."
        )
    return offsets


def check_sequence_weights(weights: Any, n_sequences: int) -> npt.NDArray[np.float64] | None:
    """Weights of the sequences; None when all are 1.

    Raises
    ------
    ValueError
        If they have the wrong shape, are not finite, negative, or all zero.
    """
    if weights is None:
        return None
    if np.ndim(weights) == 0:
        weights = np.full(n_sequences, weights)
    checked: npt.NDArray[np.float64] = check_array(
        weights, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if checked.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if checked.shape[0] != n_sequences:
        raise ValueError(
            f"sample_weight.shape == {checked.shape}, expected ({n_sequences},): one weight a sequence."
        )
    if checked.min() < 0:
        raise ValueError("Negative values in data passed to `sample_weight`")
    if not checked.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return None if checked.min() == 1 == checked.max() else checked


def check_states(states: Any, n_rows: int, n_components: int) -> npt.NDArray[np.int32] | None:
    """Known states as int32; None when none is known.

    Raises
    ------
    ValueError
        If the length is wrong or a value is neither -1 nor a state.
    """
    if states is None:
        return None
    given = np.asarray(states)
    if given.shape != (n_rows,):
        raise ValueError(f"states.shape == {given.shape}, expected ({n_rows},): one state for each row of X.")
    if given.dtype.kind not in "iu":
        raise ValueError(f"states must be integers, got {given.dtype} values instead.")
    if given.size and (given.min() < -1 or given.max() >= n_components):
        raise ValueError(
            f"states must lie between -1 (unknown) and n_components - 1 = {n_components - 1}, got "
            f"values from {given.min()} to {given.max()}."
        )
    return given.astype(np.int32) if (given >= 0).any() else None


def select(sequences: Sequences) -> Sequences:
    """Without the sequences of weight zero, which must not influence even a start."""
    weights = sequences.weights
    if weights is None or weights.all():
        return sequences
    keep = weights > 0
    lengths = np.diff(sequences.offsets)
    rows = np.repeat(keep, lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths[keep])]).astype(np.int64)
    states = None if sequences.states is None else sequences.states[rows]
    kept = weights[keep]
    return Sequences(sequences.X[rows], offsets, None if (kept == 1).all() else kept, states)
