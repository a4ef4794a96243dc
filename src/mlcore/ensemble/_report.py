"""What ``verbose`` prints during a fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

__all__ = ["Report"]


class Report:
    """Silent for ``verbose=0``; the summary for 1; a line an iteration from 2."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.level = int(model.verbose)
        self.begun = self.iteration_begun = perf_counter()

    @contextmanager
    def binning(self, X: Any, what: str) -> Iterator[None]:
        """Says how long the block took."""
        if not self.level:
            yield
            return
        print(f"Binning {X.nbytes / 1e9:.3f} GB of {what} data: ", end="", flush=True)
        begun = perf_counter()
        yield
        print(f"{perf_counter() - begun:.3f} s")
        if what == "training":
            print("Fitting gradient boosted rounds:")

    def begin_iteration(self, iteration: int) -> None:
        if self.level >= 2:
            self.iteration_begun = perf_counter()
            print(f"[{iteration + 1}/{self.model.max_iter}] ", end="", flush=True)

    def end_iteration(self) -> None:
        if self.level < 2:
            return
        model = self.model
        new = model._trees.trees[-model.n_trees_per_iteration_ :]
        leaves = sum(int((tree["feature"] < 0).sum()) for tree in new)
        parts = [f"{len(new)} tree{'s' if len(new) > 1 else ''}", f"{leaves} leaves"]
        parts.append(f"max depth = {max(int(tree['depth'].max()) for tree in new)}")
        if model.do_early_stopping_:
            sign, name = (-1, "loss") if model.scoring == "loss" else (1, "score")
            parts.append(f"train {name}: {sign * model.train_score_[-1]:.5f}")
            if len(model.validation_score_):
                parts.append(f"val {name}: {sign * model.validation_score_[-1]:.5f}")
        parts.append(f"in {perf_counter() - self.iteration_begun:.3f}s")
        print(", ".join(parts))

    def end(self) -> None:
        if self.level:
            trees = self.model._trees.trees
            leaves = sum(int((tree["feature"] < 0).sum()) for tree in trees)
            print(f"Fit {len(trees)} trees in {perf_counter() - self.begun:.3f} s, ({leaves} total leaves)")
