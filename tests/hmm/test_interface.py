"""Errors, degenerate requests and the parts of the interface that are hmmlearn's."""

import copy
import logging

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore import hmm


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return np.repeat([0.0, 5.0, 0.0], 30)[:, None] + rng.normal(size=(90, 2))


@pytest.fixture
def fitted(X):
    return hmm.GaussianHMM(2, random_state=0).fit(X)


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([30, 30], "add up to 60, but X has n_samples=90"),
        ([90, 90], "add up to 180"),
        ([90, 0], r"lengths\[1\] is 0"),
        ([100, -10], r"lengths\[1\] is -10"),
        ([45.5, 44.5], "must be integers"),
        ([[45, 45]], "shape"),
        ([], "shape"),
    ],
)
def test_bad_lengths(fitted, X, lengths, words):
    before = copy.deepcopy(vars(fitted))
    for call in (fitted.fit, fitted.score, fitted.predict, fitted.predict_proba, fitted.filter):
        with pytest.raises(ValueError, match=words):
            call(X, lengths)
    assert sorted(before) == sorted(vars(fitted))
    np.testing.assert_array_equal(before["means_"], fitted.means_)


def test_degenerate_requests(X):
    with pytest.raises(ValueError, match="n_samples=3 should be >= n_components=5"):
        hmm.GaussianHMM(5).fit(X[:3])
    with pytest.raises(ValueError, match="Every value of X is NaN"):
        hmm.GaussianHMM(2).fit(np.full((20, 2), np.nan))
    with pytest.raises(ValueError, match="Every value of X is NaN"):
        hmm.CategoricalHMM(2).fit(np.full((20, 1), np.nan))
    with pytest.raises(ValueError, match="infinity"):
        hmm.GaussianHMM(2).fit(np.array([[1.0], [np.inf], [2.0]]))
    one = hmm.GaussianHMM(1).fit(X[:1])
    assert np.isfinite(one.score(X[:1]))
    with pytest.raises(ValueError, match=r"params.*letters 'stmc'"):
        hmm.GaussianHMM(2, params="stx").fit(X)


def test_symbols():
    model = hmm.CategoricalHMM(2, random_state=0).fit([[0], [1], [2], [1]])
    assert model.n_features == 3
    assert model.get_params()["n_features"] is None
    with pytest.raises(ValueError, match="symbol 3, which the model does not know"):
        model.score([[3]])
    for bad in ([[-1]], [[0.5]]):
        with pytest.raises(ValueError, match="nonnegative integers"):
            model.score(bad)
    with pytest.raises(ValueError, match="Largest symbol is 2 but the model only emits symbols up to 1"):
        hmm.CategoricalHMM(2, n_features=2).fit([[0], [2]])
    with pytest.raises(ValueError, match="one column of symbols"):
        hmm.CategoricalHMM(2).fit([[0, 1], [1, 0]])
    impossible = hmm.CategoricalHMM(2)
    impossible.startprob_, impossible.transmat_ = [1.0, 0.0], np.eye(2)
    impossible.emissionprob_ = [[1.0, 0.0], [0.0, 1.0]]
    assert impossible.score([[1]]) == -np.inf
    for call in (impossible.predict, impossible.predict_proba):
        with pytest.raises(ValueError, match="Sequence 0 has probability zero"):
            call([[1]])
    impossible.init_params = ""
    with pytest.raises(ValueError, match="probability zero under the parameters that EM starts from"):
        impossible.fit([[0], [1]])


def test_counts():
    for cls in (hmm.PoissonHMM, hmm.MultinomialHMM):
        for bad in ([[1, -1], [0, 2]], [[0.5, 1], [1, 1]]):
            with pytest.raises(ValueError, match="non-negative whole numbers"):
                cls(1).fit(bad)
    with pytest.raises(ValueError, match="add up to the number of trials"):
        hmm.MultinomialHMM(1, n_trials=5).fit([[1, 1], [2, 3]])
    model = hmm.MultinomialHMM(1, random_state=0).fit([[1, 1], [2, 3]])
    assert model.n_trials.tolist() == [2, 5]
    with pytest.raises(ValueError, match="one number of trials"):
        model.sample(3)
    model.n_trials = 4
    assert (model.sample(3)[0].sum(axis=1) == 4).all()


def test_parameters_set_by_hand_are_checked(X):
    model = hmm.GaussianHMM(2)
    with pytest.raises(NotFittedError):
        model.score(X)
    model.startprob_, model.transmat_ = [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]
    model.means_ = np.zeros((2, 2))
    with pytest.raises(NotFittedError):
        model.score(X)
    for bad, words in (
        (np.ones((3, 2)), "shape"),
        (-np.ones((2, 2)), "must be positive"),
        ([], "shape"),
    ):
        with pytest.raises(ValueError, match=words):
            model.covars_ = bad
    model.covars_ = np.ones((2, 2))
    assert model.covars_.shape == (2, 2, 2)
    assert np.isfinite(model.score(X))
    with pytest.raises(ValueError, match="X has 1 features, but GaussianHMM is expecting 2"):
        model.score(X[:, :1])
    for name, bad, words in (
        ("startprob_", [0.5, 0.6], "startprob_ must sum to 1"),
        ("startprob_", [1.0], "startprob_ must have length n_components"),
        ("transmat_", [[0.5, 0.5], [0.5, 0.4]], "transmat_ rows must sum to 1"),
        ("transmat_", [[1.5, -0.5], [0.5, 0.5]], "negative"),
        ("means_", np.zeros((3, 2)), "means_ must have shape"),
    ):
        twin = copy.deepcopy(model)
        setattr(twin, name, bad)
        with pytest.raises(ValueError, match=words):
            twin.score(X)
    full = hmm.GaussianHMM(1, "full")
    with pytest.raises(ValueError, match="symmetric, positive-definite"):
        full.covars_ = [[[1.0, 2.0], [2.0, 1.0]]]


def test_bad_arguments(fitted, X):
    for arguments, words in (
        ({"algorithm": "best"}, "Unknown decoder 'best'"),
        ({"algorithm": "beam"}, "beam_width"),
        ({"beam_width": 2}, "beam_width"),
        ({"n_best": 0}, "n_best"),
        ({"n_best": 2, "algorithm": "map"}, "n_best"),
        ({"n_best": 2.5}, "n_best must be an integer"),
        ({"n_best": True}, "n_best must be an integer"),
        ({"beam_width": 1.5, "algorithm": "beam"}, "beam_width must be an integer"),
        ({"constraints": np.zeros(3, dtype=int)}, "states.shape"),
        ({"constraints": np.ones((90, 3), dtype=bool)}, "constraints.shape"),
        ({"constraints": np.full(90, 7)}, "between -1"),
        ({"constraints": np.zeros((90, 2), dtype=bool)}, "probability zero"),
    ):
        with pytest.raises(ValueError, match=words):
            fitted.decode(X, **arguments)
    for call, words in (
        (lambda: fitted.sample(0), "n_samples"),
        (lambda: fitted.sample(3, currstate=2), "currstate"),
        (lambda: fitted.sample(1.5), "n_samples must be an integer"),
        (lambda: fitted.sample(3, currstate=0.5), "currstate must be an integer"),
        (lambda: fitted.forecast(X, steps=0), "steps"),
        (lambda: fitted.forecast(X, steps=1.5), "steps must be an integer"),
        (lambda: fitted.stream().forecast(0.5), "steps must be an integer"),
        (lambda: fitted.sample_posterior(X, n_samples=1.5), "n_samples must be an integer"),
        (lambda: fitted.sample_posterior(X, n_samples=0), "n_samples"),
        (lambda: fitted.fit_supervised(X, np.full(90, -1)), "must be known"),
        (lambda: fitted.fit(X, states=np.zeros(4, dtype=int)), "states.shape"),
        (lambda: fitted.fit(X, states=np.zeros(90)), "states must be integers"),
        (lambda: fitted.fit(X, [45, 45], sample_weight=[1.0]), "sample_weight.shape"),
        (lambda: fitted.fit(X, [45, 45], sample_weight=[-1.0, 1]), "Negative"),
        (lambda: fitted.fit(X, [45, 45], sample_weight=[0.0, 0]), "zero"),
        (lambda: hmm.GaussianHMM(2, transmat_mask=[[1, 0], [0, 0]]).fit(X), "no transition from state 1"),
        (lambda: hmm.GaussianHMM(2, transmat_mask=[[1]]).fit(X), "transmat_mask must have shape"),
        (lambda: hmm.GaussianHMM(2, transmat_prior=[[1, 2, 3]]).fit(X), "transmat_prior must be a number"),
        (lambda: hmm.GaussianHMM(2, startprob_prior=[1, np.nan]).fit(X), "startprob_prior must hold finite"),
        (lambda: hmm.GaussianHMM(2, tol=np.nan).fit(X), "'tol' parameter"),
        (lambda: hmm.PoissonHMM(2).fit(np.full((4, 1), 1e155)), "below 2"),
        (lambda: hmm.stationary_distribution([[0.5, 0.5]]), "square"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_messages_of_the_logger(X, caplog):
    model = hmm.GaussianHMM(2, random_state=0)
    model.startprob_ = [0.5, 0.5]
    with caplog.at_level(logging.WARNING, logger="mlcore.hmm"):
        model.fit(X)
        assert "will be overwritten" in caplog.text
        caplog.clear()
        model.fit(X)
        assert not caplog.records
        hmm.GaussianHMM(3, random_state=0).fit(X[:4])
        assert "degenerate solution" in caplog.text


def test_monitor(X, capsys):
    model = hmm.GaussianHMM(2, random_state=0, n_iter=4, tol=-np.inf, verbose=True).fit(X)
    assert model.monitor_.iter == len(model.monitor_.history) == model.n_iter_ == 4
    assert model.monitor_.converged
    assert model.lower_bound_ == model.monitor_.history[-1]
    assert len(capsys.readouterr().err.splitlines()) == 4

    class Never(hmm.ConvergenceMonitor):
        @property
        def converged(self):
            return False

    other = hmm.GaussianHMM(2, random_state=0, n_iter=30)
    other.monitor_ = Never(other.monitor_.tol, other.monitor_.n_iter, False)
    other.fit(X)
    assert isinstance(other.monitor_, Never)
    assert other.n_iter_ == 30
    assert hmm.GaussianHMM(2, random_state=0, n_iter=30).fit(X).n_iter_ < 30


def test_samples_follow_the_model():
    model = hmm.GaussianHMM(2, "full")
    model.startprob_, model.transmat_ = [1.0, 0.0], [[0.9, 0.1], [0.3, 0.7]]
    model.means_ = np.array([[0.0, 0.0], [5.0, -5.0]])
    model.covars_ = np.array([[[1.0, 0.6], [0.6, 2.0]], [[0.5, 0.0], [0.0, 0.1]]])
    X, states = model.sample(50_000, random_state=0)
    assert states[0] == 0
    steps = np.zeros((2, 2))
    np.add.at(steps, (states[:-1], states[1:]), 1)
    np.testing.assert_allclose(steps / steps.sum(axis=1, keepdims=True), model.transmat_, atol=0.01)
    for k in range(2):
        np.testing.assert_allclose(X[states == k].mean(axis=0), model.means_[k], atol=0.05)
        np.testing.assert_allclose(np.cov(X[states == k].T), model.covars_[k], atol=0.06)
    again = model.sample(50_000, random_state=0)
    np.testing.assert_array_equal(X, again[0])
    assert model.sample(5, random_state=0, currstate=1)[1][0] == 1
    assert (model.sample(100, random_state=1)[0] != X[:100]).any()


def test_pipeline_and_grid_search(X):
    pipeline = make_pipeline(StandardScaler(), hmm.GaussianHMM(2, random_state=0)).fit(X)
    assert np.isfinite(pipeline.score(X))
    grid = GridSearchCV(hmm.GaussianHMM(random_state=0), {"n_components": [1, 2]}, cv=KFold(2)).fit(X)
    assert grid.best_params_ == {"n_components": 2}
