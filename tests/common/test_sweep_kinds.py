"""The sweep on estimators of other signatures: sequences with lengths, symbols for numbers, a target."""

import dataclasses

import numpy as np
import pytest
import toy_chains
from cases import Case
from sweep.registry import CHECKS, applicable
from sweep.subjects import EstimatorSubject, FunctionSubject, load, targets

from sweep import data_checks, process_checks, state_checks  # noqa: F401  isort: skip

CHAIN = load("toy_chains:MarkovChain")
SUPERVISED = load("toy_chains:NearestMean")


@pytest.mark.parametrize(
    ("one", "check"),
    [
        pytest.param(one, check, id=f"{one}-{check.name}")
        for one in (CHAIN, SUPERVISED)
        for check in applicable(one)
    ],
)
def test_good_toy_passes(one, check):
    check.run(one)


def test_which_checks_are_left_out():
    of_chain = {check.name for check in applicable(CHAIN)}
    of_supervised = {check.name for check in applicable(SUPERVISED)}
    # what makes up real numbers, widths, or weights of rows
    assert of_supervised - of_chain == {
        "answers_do_not_depend_on_the_batch",
        "bad_weights",
        "extreme_scales",
        "feature_counts",
        "feature_names",
        "float32_input",
        "integer_weights_are_repetition",
        "metadata_routing",
        "nan_and_infinity",
        "objects_that_hold_numbers",
        "weight_zero_is_removal",
        "weights_none_is_ones",
    }
    assert not of_chain - of_supervised
    assert not of_supervised & {"control_c", "sparse_equals_dense", "output_containers"}
    assert len(of_chain) > 20


class ForgetsLengths(toy_chains.MarkovChain):
    __doc__ = toy_chains.MarkovChain.__doc__

    def _starts(self, symbols, lengths):
        assert lengths is None
        return np.array([0])


class WantsReals(toy_chains.MarkovChain):
    __doc__ = toy_chains.MarkovChain.__doc__

    def _symbols(self, X, reset):
        assert np.asarray(X).dtype.kind == "f"
        return super()._symbols(np.asarray(X, dtype=int), reset)


class Unlearned(toy_chains.NearestMean):
    __doc__ = toy_chains.NearestMean.__doc__

    def fit(self, X, y, sample_weight=None):
        """Fit."""
        assert len(np.unique(y)) == 1
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("cls", [ForgetsLengths, WantsReals, Unlearned])
def test_the_case_reaches_the_estimator(cls):
    case = toy_chains.SUPERVISED if cls is Unlearned else toy_chains.CHAIN
    with pytest.raises(AssertionError):
        CHECKS["clone"].run(EstimatorSubject(cls.__name__, cls, case))


@pytest.mark.parametrize("kind", ["classes", "regression", "positive"])
def test_targets_of_bad_data_have_its_rows(kind):
    X = np.zeros((7, 2))
    for bad in (
        X[:, 0],
        X + 1j,
        X[:, :, None],
        X.astype(str),
        X.tolist(),
        np.full((7, 2), None),
    ):
        assert len(targets(bad, kind)) == 7
        assert np.isfinite(targets(bad, kind)).all()
    assert targets(None, kind).size == 0


def test_targets():
    assert targets(np.zeros((7, 2)), "none") is None
    assert sorted(targets(np.arange(6.0)[:, None], "classes")) == [0, 0, 0, 1, 1, 1]
    assert (targets(np.array([[-1.0], [0.0]]), "positive") > 0).all()


def test_functions_get_target_and_arguments():
    seen = []

    def function(X, y, lengths=None, *, n_jobs=None):
        seen.append((len(X), len(y), lengths))
        return X

    case = Case(target="classes", fit_arguments=toy_chains.sequences_of_ten)
    FunctionSubject("function", function, case).run(np.zeros((25, 2)))
    assert seen == [(25, 25, [10, 10, 5])]


def test_an_override_of_the_target():
    case = dataclasses.replace(toy_chains.SUPERVISED, target="regression")
    assert EstimatorSubject("NearestMean", toy_chains.NearestMean, case).target == "regression"
    assert SUPERVISED.target == "classes"
