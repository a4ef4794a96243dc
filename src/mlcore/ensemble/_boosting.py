"""The boosting loop: derivatives, rows, one tree an output, new predictions, scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._callbacks import observe
from ._early_stopping import has_stalled
from ._parts import Part, TreeSample
from ._tree_arrays import TreeList
from ._tree_methods import Rows, Source

__all__ = ["Boosting"]


class Boosting:
    """One fit: the arrays that all iterations share, and the loop over them."""

    def __init__(
        self,
        model: Any,
        source: Source,
        validation_rows: Rows | None,
        train: Part,
        validation: Part | None,
        threads: int,
    ) -> None:
        self.model, self.loss, self.threads = model, model._loss, threads
        self.source, self.validation_rows = source, validation_rows
        self.train, self.validation = train, validation
        self.scores: Any = None
        self.n_outputs = model.n_trees_per_iteration_
        self.sample = TreeSample(
            model.sampling,
            subsample=model.subsample,
            top_rate=model.top_rate,
            other_rate=model.other_rate,
            colsample=model.colsample_bytree,
            draws=model.max_features < 1.0 or model.colsample_bylevel < 1.0,
            seed=model._tree_seed,
            n_rows=train.size,
            n_features=model.n_features_in_,
        )

    def start(self, former: tuple[Any, Any] | None) -> None:
        """The raw predictions before the first iteration of this fit.

        ``former`` is given when there are trees already: training and validation rows as they are, since bins
        of this fit need not be those of the trees.
        """
        model = self.model
        resume = former is not None
        if resume:
            if model.max_iter < model.n_iter_:
                raise ValueError(
                    f"max_iter={model.max_iter} must be larger than or equal to n_iter_={model.n_iter_} when "
                    "warm_start==True"
                )
            if model._trees.n_outputs != self.n_outputs:
                raise ValueError(
                    f"warm_start needs the targets of the first fit: it had {model._trees.n_outputs} trees "
                    f"an iteration, now there would be {self.n_outputs}."
                )
            model._trees = TreeList(self.n_outputs, list(model._trees.trees))
        else:
            model._baseline = self.loss.baseline(self.train.y, self.train.weights)
            model._trees = TreeList(self.n_outputs)
        self.raw = self._raw_of(None if former is None else former[0], self.train)
        if not np.isfinite(model._baseline).all():
            raise ValueError("The targets are too large: their mean overflows. Scale y.")
        self.raw_validation = None
        if self.validation is not None:
            self.raw_validation = self._raw_of(None if former is None else former[1], self.validation)
        self.gradients = np.empty((self.n_outputs, self.train.size), dtype=np.float32)
        constant = self.loss.has_constant_hessian(self.train.weights) and not self.sample.needs_hessians
        shape = (1, 1) if constant else self.gradients.shape
        self.hessians = np.ones(shape, dtype=np.float32)

    def _raw_of(self, X: Any, part: Part) -> npt.NDArray[np.float64]:
        raw: npt.NDArray[np.float64] = self.model._baseline_of(part.size)
        if X is not None:
            trees = self.model._trees
            trees.add_to(raw, X, 0, trees.n_iterations, self.threads)
        return raw

    def run(self, report: Any, resume: bool) -> None:
        model = self.model
        train_score = list(model.train_score_) if resume else []
        validation_score = list(model.validation_score_) if resume else []
        model.train_score_, model.validation_score_ = train_score, validation_score
        if self.scores is not None and not resume:
            self._score(train_score, validation_score)
        with observe(model, callbacks=model.callbacks) as observer:
            for iteration in range(model._trees.n_iterations, model.max_iter):
                report.begin_iteration(iteration)
                self._iterate(iteration)
                stalled = self.scores is not None and self._score(train_score, validation_score)
                report.end_iteration()
                if observer is not None and observer(self._state(iteration)):
                    break
                if stalled:
                    break
        if not np.isfinite(self.raw).all():
            raise ValueError("The predictions overflow: scale y, or use a smaller learning_rate.")
        model.train_score_ = np.asarray(train_score, dtype=np.float64)
        model.validation_score_ = np.asarray(validation_score, dtype=np.float64)

    def _iterate(self, iteration: int) -> None:
        self.loss.derivatives(self.train, self.raw, self.gradients, self.hessians, self.threads)
        if iteration == 0 and not np.isfinite(self.gradients).all():
            raise ValueError("The targets are too large: gradients overflow in single precision. Scale y.")
        rows = self.sample.rows(iteration, self.gradients, self.hessians, self.threads)
        trees = self.model._trees.trees
        new: list[dict[str, Any]] = []
        for k in range(self.n_outputs):
            hessians = self.hessians[0 if self.hessians.shape[0] == 1 else k]
            grower = self.source.grower(hessians, rows)
            tree = grower.grow(
                self.gradients[k], hessians, rows, self.sample.columns(iteration, k),
                self.sample.seed_of(iteration, k),
            )  # fmt: skip
            if not self.source.has_bins:
                tree["bin"][:] = -1
            renewed = self._renewed(grower, k, tree)
            if self.model.linear_leaves:
                self._add_lines(grower, k, hessians, tree)
            if rows is None and "intercept" not in tree:
                grower.update_raw(self.raw[k], renewed)
            else:  # the grower knows the leaves of the rows it has seen, and all rows move
                self.source.rows.add_one(tree, self.raw[k], self.threads)
            if self.raw_validation is not None and self.validation_rows is not None:
                self.validation_rows.add_one(tree, self.raw_validation[k], self.threads)
            new.append(tree)
        trees.extend(new)  # all or none: Ctrl-C finds whole iterations

    def _add_lines(
        self, grower: Any, k: int, hessians: npt.NDArray[np.float32], tree: dict[str, Any]
    ) -> None:
        """Linear functions in the leaves of a tree that has a split."""
        if tree["feature"].size == 1:
            return
        model = self.model
        nodes, offsets, rows = grower.leaf_rows()
        lines = _core.tree.linear_leaves(
            self.source.X,
            tree,
            nodes,
            offsets,
            rows,
            self.gradients[k],
            hessians,
            ridge=float(model.linear_l2),
            l2=float(model.l2_regularization),
            l1=float(model.l1_regularization),
            learning_rate=float(model.learning_rate),
            n_threads=self.threads,
        )
        tree.update(lines)

    def _renewed(self, grower: Any, k: int, tree: dict[str, Any]) -> npt.NDArray[np.float64] | None:
        """Exact leaf values in place of the Newton steps, where the loss wants them; put into the tree."""
        rate = float(self.model.learning_rate)
        values: npt.NDArray[np.float64] | None = self.loss.renewed(grower, k, self.train, self.raw[k], rate)
        if values is None:
            if tree["feature"].size > 1:
                return None
            # The baseline is best already: a step at the root would be rounding, or undo its clipping.
            values = np.zeros(1)
        leaves = grower.leaf_rows()[0]
        tree["value"][leaves] = values
        return values

    def _score(self, train_score: list[float], validation_score: list[float]) -> bool:
        """Append the scores; True when it is time to stop."""
        train_score.append(self.scores.training(self.train, self.raw))
        watched = train_score
        if self.validation is not None:
            validation_score.append(self.scores.validation(self.validation, self.raw_validation))
            watched = validation_score
        return has_stalled(watched, int(self.model.n_iter_no_change), float(self.model.tol))

    def _state(self, iteration: int) -> dict[str, Any]:
        try:
            objective = self.loss.mean(self.train, self.raw, self.threads)
        except ValueError:  # a loss of the user's that has derivatives only
            objective = float("nan")
        return {
            "iteration": iteration + 1,
            "max_iterations": int(self.model.max_iter),
            "restart": 0,
            "objective": objective,
            "change": float("nan"),
        }
