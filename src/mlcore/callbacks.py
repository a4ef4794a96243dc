"""Callbacks for iterative fits: watch a fit, show its progress, or stop it.

An estimator with a ``callbacks`` parameter calls ``on_iteration(info)`` of each callback between iterations,
where ``info`` is an :class:`IterationInfo`. A callback that returns True stops the fit with all its restarts;
the estimator keeps the state reached so far. ``on_fit_begin(estimator)`` and ``on_fit_end(estimator)`` are
optional. Exceptions leave the fit as they are.

Examples
--------
>>> from mlcore.callbacks import IterationInfo
>>> class Stop:
...     def on_iteration(self, info):
...         return info.iteration >= 3
>>> Stop().on_iteration(IterationInfo("KMeans", 3, 300, 0, 1.5, 0.1, 0.01))
True
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from typing import TextIO

from ._callbacks import Callback, IterationInfo

__all__ = ["Callback", "EarlyStop", "History", "IterationInfo", "ProgressBar", "TimeLimit"]


class History:
    """Keep every report of the last fit.

    Attributes
    ----------
    records : list of IterationInfo
        In the order of arrival.
    """

    def __init__(self) -> None:
        self.records: list[IterationInfo] = []

    def on_fit_begin(self, estimator: object) -> None:
        """Forget the fit before."""
        self.records = []

    def on_iteration(self, info: IterationInfo) -> bool:
        """Remember the report."""
        self.records.append(info)
        return False


class TimeLimit:
    """Stop a fit at the end of the first iteration that finishes after a given time.

    Parameters
    ----------
    seconds : float
        Time from the start of the fit.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_iteration(self, info: IterationInfo) -> bool:
        """True when the time is up."""
        return info.elapsed >= self.seconds


class EarlyStop:
    """Stop when the objective hardly moves any more.

    Parameters
    ----------
    min_change : float, default=1e-4
        A change of the objective by less than this fraction of its size counts as standing still.
    patience : int, default=3
        Stop after this many iterations in a row that stand still. A stop ends the whole fit, so this is for
        fits with one restart; with more, each is counted for itself and the first that stands still ends the
        fit.
    """

    def __init__(self, min_change: float = 1e-4, patience: int = 3) -> None:
        self.min_change = min_change
        self.patience = patience
        self.on_fit_begin(None)

    def on_fit_begin(self, estimator: object) -> None:
        """Start counting anew."""
        self._restart = -1

    def on_iteration(self, info: IterationInfo) -> bool:
        """True after ``patience`` iterations without a change worth mentioning."""
        if info.restart != self._restart:
            self._restart, self._last, self._still = info.restart, math.nan, 0
        # A comparison with NaN is false: an unknown objective never stops a fit.
        still = abs(info.objective - self._last) <= self.min_change * abs(self._last)
        self._still = self._still + 1 if still else 0
        self._last = info.objective
        return self._still >= self.patience


class ProgressBar:
    """Show the progress of a fit as a line of text on the standard error stream.

    On a terminal one line is drawn over and over; elsewhere (a file, a pipe, a notebook) whole lines are
    written, and rarely. The bar is full when the iteration limit is reached, so a fit that converges ends
    before that.

    Parameters
    ----------
    min_interval : float or None, default=None
        Least time in seconds between two drawings; None means 0.1 on a terminal and 5 elsewhere. The last
        state is always drawn.
    stream : text stream or None, default=None
        Where to draw; None means what ``sys.stderr`` is when the fit begins.

    Examples
    --------
    >>> import sys
    >>> from mlcore.callbacks import IterationInfo, ProgressBar
    >>> bar = ProgressBar(stream=sys.stdout)
    >>> bar.on_fit_begin(None)
    >>> bar.on_iteration(IterationInfo("KMeans", 3, 6, 0, 1.5, 0.25, 0.01))
    KMeans [##########          ] 3/6  objective 1.5  change 0.25  0.0 s
    False
    >>> bar.on_fit_end(None)
    """

    _WIDTH = 20

    def __init__(self, min_interval: float | None = None, stream: TextIO | None = None) -> None:
        self.min_interval = min_interval
        self.stream = stream
        self.on_fit_begin(None)

    def on_fit_begin(self, estimator: object) -> None:
        """Forget the fit before."""
        self._drawn_at = -math.inf
        self._drawn: IterationInfo | None = None
        self._last: IterationInfo | None = None

    def on_iteration(self, info: IterationInfo) -> bool:
        """Draw, if it is time to."""
        interval = self.min_interval
        if interval is None:
            interval = 0.1 if self._is_terminal() else 5.0
        now = time.monotonic()
        self._last = info
        if now - self._drawn_at >= interval:
            self._drawn_at = now
            self._draw(info)
        return False

    def on_fit_end(self, estimator: object) -> None:
        """Draw the last state and leave the line."""
        if self._last is not None and self._last is not self._drawn:
            self._draw(self._last)
        if self._drawn is not None and self._is_terminal():
            self._write("\n")

    def _is_terminal(self) -> bool:
        stream = self.stream if self.stream is not None else sys.stderr
        try:
            return stream is not None and stream.isatty()
        except (AttributeError, ValueError):  # an object with write() only; a closed stream
            return False

    def _write(self, text: str) -> None:
        stream = self.stream if self.stream is not None else sys.stderr
        if stream is None:  # a program without a console
            return
        stream.write(text)
        stream.flush()

    def _draw(self, info: IterationInfo) -> None:
        self._drawn = info
        text = self.line(info)
        if self._is_terminal():
            columns = max(10, shutil.get_terminal_size().columns - 1)
            self._write("\r" + text[:columns].ljust(columns))
        else:
            self._write(text + "\n")

    def line(self, info: IterationInfo) -> str:
        """The line of text that is drawn for a state."""
        full = self._WIDTH * min(info.iteration, info.max_iterations) // max(1, info.max_iterations)
        bar = "#" * full + " " * (self._WIDTH - full)
        parts = [f"{info.estimator} [{bar}] {info.iteration}/{info.max_iterations}"]
        if info.restart > 0:
            parts.append(f"restart {info.restart}")
        if not math.isnan(info.objective):
            parts.append(f"objective {info.objective:.6g}")
        if not math.isnan(info.change):
            parts.append(f"change {info.change:.3g}")
        parts.append(f"{info.elapsed:.1f} s")
        return "  ".join(parts)
