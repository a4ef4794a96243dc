"""Checks of the estimator as an object: copies, refits, failures, names, seeds, what must not change."""
# ruff: noqa: B023, NPY002, PT017 - the global generator is what is tested; no pytest here

from __future__ import annotations

import copy
import inspect
import pickle
import random
import re
import tempfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import check_param_validation

from sweep.data_checks import raises
from sweep.registry import check
from sweep.subjects import (
    METHODS,
    EstimatorSubject,
    Subject,
    assert_same,
    differences,
    fitted_attributes,
)

try:
    import cloudpickle  # a dependency of joblib from 1.6 on, inside it before
except ImportError:
    from joblib.externals import cloudpickle

# -- copies


@check("estimator")
def check_copies_answer_alike(subject: EstimatorSubject) -> None:
    """Every pickle protocol, cloudpickle, deepcopy and joblib (memory-mapped) keep attributes and answers."""
    X = subject.blobs()
    estimator = subject.fit(subject.make(), X)
    expected = subject.results(estimator, X)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        twin = pickle.loads(pickle.dumps(estimator, protocol))
        assert_same(subject.results(twin, X), expected, f"pickle protocol {protocol}")
    assert_same(subject.results(pickle.loads(cloudpickle.dumps(estimator)), X), expected, "cloudpickle")
    assert_same(subject.results(copy.deepcopy(estimator), X), expected, "deepcopy")
    assert_same(subject.results(copy.copy(estimator), X), expected, "copy")
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(estimator, Path(folder) / "model")
        for mode in (None, "r"):
            twin = joblib.load(Path(folder) / "model", mmap_mode=mode)
            assert_same(subject.results(twin, X), expected, f"joblib.load(mmap_mode={mode!r})")
            del twin
    # copies are copies: a refit of one leaves the other alone
    twin = copy.deepcopy(estimator)
    subject.fit(twin, subject.blobs(rows=50, features=6, seed=4))
    assert_same(subject.results(estimator, X), expected, "after a deep copy was fitted again")
    for unfitted in (pickle.loads(pickle.dumps(subject.make())), copy.deepcopy(subject.make())):
        assert_same(
            subject.results(subject.fit(unfitted, X), X), expected, "fit of a copied unfitted estimator"
        )


@check("estimator")
def check_clone(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    estimator = subject.fit(subject.make(), X)
    twin = clone(estimator)
    assert not fitted_attributes(twin), "a clone is unfitted"
    assert str(twin.get_params()) == str(estimator.get_params())
    assert_same(subject.results(subject.fit(twin, X), X), subject.results(estimator, X), "fit of a clone")
    assert repr(twin).startswith(type(twin).__name__)
    assert type(twin).__name__ in twin._repr_html_()


@check("estimator")
def check_subclass(subject: EstimatorSubject) -> None:
    """A plain subclass without a constructor works, its answers are those of the class."""
    derived = type("Derived", (subject.thing,), {})
    X = subject.blobs()
    estimator = subject.fit(derived(**subject.arguments()), X)
    assert_same(subject.results(estimator, X), subject.run(X), "a subclass")
    assert isinstance(clone(estimator), derived)


# -- refits and failures


@check("estimator")
def check_refit_is_a_fresh_fit(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    estimator = subject.make()
    table = subject.blobs(rows=50, features=7, seed=8)
    frame = pd.DataFrame(table, columns=list("abcdefg")[: table.shape[1]])
    for other in (frame, subject.blobs(rows=31, features=2, seed=7, dtype=subject.case.dtypes[-1])):
        subject.fit(estimator, other)
    subject.fit(estimator, X)
    fresh = subject.fit(subject.make(), X)
    assert sorted(vars(estimator)) == sorted(vars(fresh)), "left over from an earlier fit: " + ", ".join(
        sorted(set(vars(estimator)) ^ set(vars(fresh)))
    )
    assert_same(subject.results(estimator, X), subject.results(fresh, X), "a refit against a fresh fit")


@check("estimator")
def check_fit_returns_self(subject: EstimatorSubject) -> None:
    estimator = subject.make()
    assert subject.fit(estimator, subject.blobs()) is estimator, "fit returns something else than self"


def failing_fits(subject: EstimatorSubject) -> list[tuple[str, Any, dict[str, Any]]]:
    """(what, X, further arguments of fit) that fit must refuse."""
    X = subject.blobs()
    cases: list[tuple[str, Any, dict[str, Any]]] = [
        ("one-dimensional X", X[:, 0], {}),
        ("no rows", X[:0], {}),
        ("strings", X.astype(str).astype(object) + "x", {}),
    ]
    if subject.case.reals and not subject.allows_nan:
        nan = X.copy()
        nan[-1, -1] = np.nan
        frame = pd.DataFrame(nan, columns=list("wxyz"))
        cases += [("NaN", nan, {}), ("NaN in a data frame", frame, {})]
    if subject.takes_weights:
        wide = subject.blobs(features=9)  # passes the check of X; only the weights are wrong
        cases += [("weights of the wrong length", wide, {"sample_weight": np.ones(3)})]
        cases += [("weights with NaN", wide, {"sample_weight": np.full(90, np.nan)})]
    return cases


def same_state(before: dict[str, Any], estimator: Any, what: str) -> None:
    after = vars(estimator)
    assert sorted(before) == sorted(after), (
        f"{what}: attributes came or went: {sorted(set(before) ^ set(after))}"
    )
    changed = [name for name in before if after[name] is not before[name]]
    found = differences({k: before[k] for k in changed}, {k: after[k] for k in changed})
    assert not found, f"{what}: attributes changed: {found[:4]}"


@check("estimator")
def check_a_failed_fit_changes_nothing(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    fitted = subject.fit(subject.make(), X)
    answers = subject.answers(fitted, X)
    for start, what in ((fitted, "fitted before"), (subject.make(), "not fitted before")):
        for failure, bad, more in failing_fits(subject):
            before = copy.deepcopy(vars(start))
            try:
                subject.fit(start, bad, **more)
            except (ValueError, TypeError):
                same_state(before, start, f"fit with {failure}, {what}")
            else:
                raise AssertionError(f"fit with {failure} was accepted")
    assert_same(subject.answers(fitted, X), answers, "answers after failed fits")


@check("estimator", "constraints")
def check_a_refused_parameter_changes_nothing(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    for name in subject.parameters:
        estimator = subject.fit(subject.make(), X)
        attributes = copy.deepcopy(fitted_attributes(estimator))
        estimator.set_params(**{name: object()})
        try:
            subject.fit(estimator, subject.blobs(rows=40, features=6))
        except InvalidParameterError as error:
            assert f"The {name!r} parameter of {type(estimator).__name__} must be" in str(error), str(error)
        else:
            raise AssertionError(f"{name}=object() was accepted")
        assert_same(fitted_attributes(estimator), attributes, f"attributes after {name} was refused")


@check("estimator", "callbacks")
def check_a_callback_that_raises_changes_nothing(subject: EstimatorSubject) -> None:
    class Stop(Exception):
        pass

    class Raise:
        def on_iteration(self, info: Any) -> bool:
            raise Stop

    noise = subject.noise(300, 4)
    for fitted in (False, True):
        estimator = subject.make()
        if fitted:
            subject.fit(estimator, subject.blobs())
        estimator.set_params(callbacks=[Raise()])
        before = copy.copy(vars(estimator))
        try:
            subject.fit(estimator, noise)
        except Stop:
            same_state(before, estimator, "fit with a callback that raises")
        else:
            raise AssertionError("the callback was not called, or its exception was swallowed")


# -- parameters


@check("constraints", "estimator")
def check_parameter_validation(subject: EstimatorSubject) -> None:
    """scikit-learn's own check: every parameter refuses a wrong type and values outside its constraint."""
    check_param_validation(type(subject.make()).__name__, subject.make())


@check("estimator")
def check_constructor_stores_its_arguments(subject: EstimatorSubject) -> None:
    sentinels = {name: object() for name in subject.parameters}
    estimator = subject.thing(**sentinels)  # validates nothing
    for name, sentinel in sentinels.items():
        assert getattr(estimator, name) is sentinel, f"{name} is not stored as given"
    assert sorted(vars(estimator)) == sorted(subject.parameters), "the constructor sets other attributes"


@check()
def check_every_parameter_is_documented(subject: Subject) -> None:
    text = inspect.getdoc(subject.thing) or ""
    assert re.search(r"^Parameters\n-{10}$", text, re.MULTILINE), "no section Parameters"
    for name in subject.parameters:
        assert re.search(rf"^[\w, *]*\b{name}\b[\w, ]* : \S", text, re.MULTILINE), f"{name} is not documented"
    if subject.is_estimator:
        estimator = subject.fit(subject.make(), subject.blobs())
        for name in [*fitted_attributes(estimator), "feature_names_in_"]:
            assert re.search(rf"^[\w, ]*\b{name}\b[\w, ]* : \S", text, re.MULTILINE), (
                f"{name} is not documented"
            )
        for name in ("fit", *METHODS, "score", "partial_fit", "fit_predict", "fit_transform"):
            method = getattr(estimator, name, None)
            if method is not None:
                assert inspect.getdoc(method), f"{name} has no docstring"


@check("n_jobs")
def check_n_jobs_values(subject: Subject) -> None:
    X = subject.blobs()
    expected = subject.run(X)
    for n_jobs in (1, 2, 7, -1, -2, -100, 10**6, np.int64(2)):
        assert_same(subject.run(X, n_jobs=n_jobs), expected, f"n_jobs={n_jobs}")
    raises(lambda: subject.run(X, n_jobs=0), "n_jobs", "n_jobs=0")
    for n_jobs in (1.5, "two", [1]):
        raises(lambda: subject.run(X, n_jobs=n_jobs), "n_jobs", f"n_jobs={n_jobs!r}")


# -- feature names and output containers


@check("estimator", "methods", "any width")
def check_feature_counts(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    estimator = subject.fit(subject.make(), X)
    assert estimator.n_features_in_ == 4
    assert not hasattr(estimator, "feature_names_in_")
    name = type(estimator).__name__
    for method in subject.methods("score"):
        for other in (3, 5):
            raises(
                lambda: subject.ask(estimator, method, subject.given(np.ones((8, other)))),
                f"X has {other} features, but {name} is expecting 4 features as input",
                f"{method} with {other} columns",
            )


@check("estimator", "methods", "any width")
def check_feature_names(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    frame = pd.DataFrame(X, columns=["one", "two", "three", "four"], index=[f"r{i}" for i in range(len(X))])
    estimator = subject.fit(subject.make(), frame)
    assert estimator.feature_names_in_.tolist() == list(frame.columns)
    assert estimator.feature_names_in_.dtype == object
    plain = subject.fit(subject.make(), X)
    named = subject.results(estimator, frame)
    named.pop("feature_names_in_")
    assert_same(named, subject.results(plain, X), "a data frame against an array")
    for method in subject.methods():
        for other, words in (
            (
                frame[["two", "one", "three", "four"]],
                "Feature names must be in the same order as they were in fit",
            ),
            (frame.rename(columns={"one": "uno"}), "Feature names unseen at fit time"),
            (frame[["one", "two", "three"]], "Feature names seen at fit time, yet now missing"),
        ):
            raises(
                lambda: subject.ask(estimator, method, other),
                words,
                f"{method} with columns {list(other.columns)}",
            )
        for first, second, words in (
            (estimator, X, "X does not have valid feature names, but"),
            (plain, frame, "X has feature names, but"),
        ):
            try:
                subject.ask(first, method, second)  # warnings are errors here
            except UserWarning as warning:
                assert words in str(warning)
            else:
                raise AssertionError(f"{method}: no warning {words!r}")
    mixed = frame.set_axis([1, "two", 3, "four"], axis=1)
    raises(
        lambda: subject.fit(subject.make(), mixed),
        "Feature names are only supported if all input",
        "mixed names",
    )
    subject.fit(estimator, X)
    assert not hasattr(estimator, "feature_names_in_"), "names left over from an earlier fit"


@check("transform", "estimator")
def check_output_containers(subject: EstimatorSubject) -> None:
    """get_feature_names_out and set_output: a DataFrame with these names and the index of the input."""
    X = subject.blobs()
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(100, 190))
    estimator = subject.fit(subject.make(), frame)
    values = estimator.transform(frame)
    names = estimator.get_feature_names_out()
    assert isinstance(values, np.ndarray)
    assert names.dtype == object
    assert len(names) == values.shape[1]
    assert len(set(names)) == len(names), "two columns of one name"
    for table in (
        subject.fit(clone(estimator).set_output(transform="pandas"), frame).transform(frame),
        clone(estimator).set_output(transform="pandas").fit_transform(frame, subject.target_of(frame)),
    ):
        assert isinstance(table, pd.DataFrame)
        assert table.columns.tolist() == names.tolist()
        assert table.index.equals(frame.index)
        assert_same({"x": table.to_numpy()}, {"x": values}, "transform to pandas")
    with config_context(transform_output="pandas"):
        assert isinstance(estimator.transform(frame), pd.DataFrame)
    raises(lambda: estimator.get_feature_names_out(["a", "b"]), "input_features", "wrong input_features")
    try:
        subject.make().get_feature_names_out()
    except NotFittedError:
        pass
    else:
        raise AssertionError("get_feature_names_out before fit")


@check("estimator")
def check_not_fitted(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    for method in subject.methods("score"):
        estimator = subject.make()
        try:
            subject.ask(estimator, method, X)
        except NotFittedError as error:
            assert f"This {type(estimator).__name__} instance is not fitted yet" in str(error)
        else:
            raise AssertionError(f"{method} before fit")


@check("estimator", "weights")
def check_metadata_routing(subject: EstimatorSubject) -> None:
    with config_context(enable_metadata_routing=True):
        estimator = subject.make()
        requests = estimator.get_metadata_routing().fit.requests
        wanted = dict.fromkeys(subject.fit_parameters)
        assert requests == wanted, f"fit may be routed {requests}, not {list(wanted)}"
        estimator.set_fit_request(sample_weight=True)
        request = estimator.get_metadata_routing().fit.requests
        assert request["sample_weight"] is True
        assert clone(estimator).get_metadata_routing().fit.requests == request


# -- seeds


@check("random_state")
def check_the_same_seed_gives_the_same_bits(subject: Subject) -> None:
    X = subject.noise(200, 4)
    for seed in (0, 1, 2**32 - 1, np.int64(7)):
        expected = subject.run(X, random_state=seed)
        for _ in range(3):
            assert_same(subject.run(X, random_state=seed), expected, f"random_state={seed}")
    for state in (0, 5):
        assert_same(
            subject.run(X, random_state=np.random.RandomState(state)),
            subject.run(X, random_state=np.random.RandomState(state)),
            "two generators of the same seed",
        )


@check("random")
def check_other_seeds_give_other_results(subject: Subject) -> None:
    X = subject.noise(200, 4)
    outcomes = [subject.run(X, random_state=seed) for seed in range(6)]
    assert any(differences(outcomes[0], other) for other in outcomes[1:]), "six seeds, one result"


@check("random_state")
def check_use_of_generators(subject: Subject) -> None:
    """A generator is consumed, not copied; None draws from NumPy's global one; an int touches neither."""
    X = subject.blobs()
    generator = np.random.RandomState(0)
    before = generator.get_state()[1].copy(), generator.get_state()[2]
    subject.run(X, random_state=generator)
    after = generator.get_state()[1], generator.get_state()[2]
    assert not (np.array_equal(before[0], after[0]) and before[1] == after[1]), (
        "the generator was not consumed"
    )
    old_state = np.random.get_state()
    old_python = random.getstate()
    try:
        np.random.seed(3)
        first = subject.run(X, random_state=None)
        np.random.seed(3)
        assert_same(subject.run(X, random_state=None), first, "random_state=None after np.random.seed")
        np.random.seed(3)
        untouched = str(np.random.get_state())
        subject.run(X, random_state=0)
        assert str(np.random.get_state()) == untouched, "an int seed touched NumPy's global generator"
        assert random.getstate() == old_python, "Python's global generator was touched"
    finally:
        np.random.set_state(old_state)


# -- nothing of the caller's changes


@check()
def check_inputs_are_not_changed(subject: Subject) -> None:
    X = subject.blobs()
    y = subject.target_of(X)
    for order in ("C", "F"):
        for dtype in subject.case.dtypes:
            arrays = {"X": np.array(X, dtype=dtype, order=order)}
            if y is not None:
                arrays["y"] = y.copy()
            if subject.takes_weights:
                arrays["sample_weight"] = np.linspace(0.5, 2, len(X)).astype(
                    np.float32 if dtype == np.float32 else float
                )
            own = {
                name: np.array(value) for name, value in subject.case.no_draws(X).items() if np.ndim(value)
            }
            arguments = {k: v for k, v in subject.case.no_draws(X).items() if k not in own}
            before = {name: (a.tobytes(), a.flags.writeable) for name, a in (arrays | own).items()}
            subject.run(arrays["X"], arrays.get("y"), arrays.get("sample_weight"), **arguments, **own)
            for name, array in (arrays | own).items():
                assert (array.tobytes(), array.flags.writeable) == before[name], f"{name} was changed"


@check("estimator")
def check_parameters_are_not_changed(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    for arguments in ({}, dict(subject.case.no_draws(X))):
        estimator = subject.make(**arguments)
        before = estimator.get_params(deep=False)
        values = pickle.dumps(dict(before))
        subject.fit(estimator, X)
        subject.answers(estimator, X)
        after = estimator.get_params(deep=False)
        assert all(after[name] is before[name] for name in before), "a parameter was replaced"
        assert pickle.dumps(dict(after)) == values, "a parameter was changed"


@check("estimator", "methods")
def check_answers_do_not_change_the_model(subject: EstimatorSubject) -> None:
    X = subject.blobs()
    estimator = subject.fit(subject.make(), X)
    before = copy.deepcopy(vars(estimator))
    answers = subject.answers(estimator, X)
    same_state(before, estimator, "predict and the like")
    for value in answers.values():
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value[...] = 99  # the caller's own
    same_state(before, estimator, "after the answers were overwritten")
    subject.answers(estimator, subject.blobs(rows=7, seed=3))
    assert_same(
        copy.deepcopy(subject.answers(estimator, X)),
        copy.deepcopy(subject.answers(pickle.loads(pickle.dumps(estimator)), X)),
        "answers after other answers",
    )


@check("estimator", "methods")
def check_answers_do_not_depend_on_the_batch(subject: EstimatorSubject) -> None:
    """Row by row, in another order, or all at once: the same."""
    X = subject.blobs()
    estimator = subject.fit(subject.make(), X)
    order = np.random.default_rng(0).permutation(len(X))
    rtol = subject.case.rtol
    for method in subject.methods():
        whole = np.asarray(subject.ask(estimator, method, X))
        single = np.concatenate([np.asarray(subject.ask(estimator, method, X[i : i + 1])) for i in range(12)])
        permuted = np.asarray(subject.ask(estimator, method, X[order]))
        assert_same({method: single}, {method: whole[:12]}, "row by row", rtol=rtol)
        assert_same({method: permuted}, {method: whole[order]}, "permuted rows", rtol=rtol)
