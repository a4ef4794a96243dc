"""Toys that break threads, instruction sets, processes, interrupts, memory."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from mlcore import _core
from toys.good import Toy, breaks


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
