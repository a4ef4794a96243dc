"""Degenerate requests to every class: an error that says what is wrong, or the behaviour that is promised."""

import copy
import re

import numpy as np
import pytest

from mlcore import hmm

KINDS = ("spherical", "diag", "tied", "full")
#: name: (constructor, kind of rows)
MODELS = {
    "categorical": (hmm.CategoricalHMM, "symbols"),
    "multinomial": (hmm.MultinomialHMM, "counts"),
    "poisson": (hmm.PoissonHMM, "counts"),
    "mixed": (lambda K, **k: hmm.MixedHMM(K, families=["gaussian", "poisson"], **k), "counts"),
    "durations": (lambda K, **k: hmm.HSMM(K, max_duration=4, **k), "reals"),
    "variational categorical": (hmm.VariationalCategoricalHMM, "symbols"),
    **{
        f"{cls.__name__} {kind}": (
            lambda K, cls=cls, kind=kind, **k: cls(K, covariance_type=kind, **k),
            "reals",
        )
        for cls in (hmm.GaussianHMM, hmm.GMMHMM, hmm.VariationalGaussianHMM)
        for kind in KINDS
    },
}
every_model = pytest.mark.parametrize("name", MODELS)
BY_KMEANS = ("mixed", "durations", "GaussianHMM", "GMMHMM", "VariationalGaussianHMM")


def make(name, K=2, **more):
    return MODELS[name][0](K, random_state=0, **{"n_iter": 15, **more})


def rows(name, n=40, seed=0):
    rng = np.random.default_rng(seed)
    steps = np.repeat(np.arange(n // 10 + 1) % 2, 10)[:n]
    return {
        "symbols": lambda: ((steps + (rng.random(n) < 0.3)) % 3)[:, None].astype(float),
        "counts": lambda: rng.poisson(2 + 6 * np.c_[steps, 1 - steps]).astype(float),
        "reals": lambda: 4.0 * steps[:, None] + rng.normal(size=(n, 2)),
    }[MODELS[name][1]]()


def assert_valid(model, X, lengths=None):
    """A model that can be used: probabilities, finite scores, states of the model."""
    for part in (model.startprob_, model.transmat_):
        assert (part >= 0).all()
        np.testing.assert_allclose(part.sum(axis=-1), 1.0, rtol=1e-9)
    assert np.isfinite(model.score(X, lengths))
    gamma = model.predict_proba(X, lengths)
    np.testing.assert_allclose(gamma.sum(axis=1), 1.0, rtol=1e-9)
    assert set(model.predict(X, lengths)) <= set(range(model.n_components))


@every_model
def test_more_states_than_rows(name):
    X = rows(name)[:3]
    if name.startswith(BY_KMEANS):  # the starting means are those of clusters of rows
        with pytest.raises(ValueError, match=re.escape("n_samples=3 should be >= n_components=5")):
            make(name, 5).fit(X)
    else:  # there is nothing to keep apart: some states stay without rows
        assert_valid(make(name, 5).fit(X), X)


@every_model
def test_one_observation(name):
    X = rows(name)[:1]
    one = make(name, 1).fit(X)
    assert_valid(one, X)
    assert one.predict(X).tolist() == [0]
    # and sequences of one row each
    X = rows(name)
    assert_valid(make(name).fit(X, [1] * len(X)), X, [1] * len(X))


@every_model
def test_constant_features(name):
    X = np.repeat(rows(name)[:1], 30, axis=0)
    model = make(name, tol=-np.inf)
    with np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # k-means finds fewer distinct rows than states
        model.fit(X)
    assert_valid(model, X)
    half = rows(name)
    half[:, -1] = half[0, -1]
    if name == "multinomial":
        half = np.c_[half[:, 0], 20 - half[:, 0]]
    assert_valid(make(name, tol=-np.inf).fit(half), half)


@every_model
def test_every_value_missing(name):
    X = np.full_like(rows(name), np.nan)
    with pytest.raises(ValueError, match="Every value of X is NaN"):
        make(name).fit(X)
    # A fitted model knows what to say of rows that nobody saw: the chain goes on by itself.
    model = make(name).fit(rows(name))
    assert model.score(X) == pytest.approx(0.0, abs=1e-9)
    if name != "durations":
        expected = model.startprob_ @ np.linalg.matrix_power(model.transmat_, 7)
        np.testing.assert_allclose(model.predict_proba(X)[7], expected, rtol=1e-8, atol=1e-12)


@every_model
def test_a_feature_or_a_sequence_without_values(name):
    X = rows(name)
    X[:10] = np.nan  # the first sequence
    model = make(name).fit(X, [10, 30])
    assert_valid(model, X, [10, 30])
    with pytest.raises(ValueError, match="Every value of X is NaN"):
        make(name).fit(X[:10])
    if MODELS[name][1] != "symbols" and name != "multinomial":
        X = rows(name)
        X[:, 1] = np.nan
        assert_valid(make(name).fit(X), X)


@every_model
@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([20, 0, 20], "lengths[1] is 0"),
        ([30, -10, 20], "lengths[1] is -10"),
        ([20, 19], "add up to 39, but X has n_samples=40"),
        ([20, 21], "add up to 41"),
        ([20.5, 19.5], "must be integers"),
        ([], "list of integers"),
        (["a"], "must be integers"),
    ],
)
def test_lengths_that_do_not_fit(name, lengths, words):
    X = rows(name)
    model = make(name).fit(X)
    before = copy.deepcopy(vars(model))
    for call in (model.fit, model.partial_fit, model.score, model.predict, model.sample_posterior, model.aic):
        with pytest.raises(ValueError, match=re.escape(words)):
            call(X, lengths)
    assert vars(model).keys() == before.keys()
    np.testing.assert_array_equal(model.transmat_, before["transmat_"])


@every_model
def test_no_rows_at_all(name):
    X = rows(name)[:0]
    for call in (make(name).fit, make(name).partial_fit, make(name).fit(rows(name)).score):
        with pytest.raises(ValueError, match="Found array with 0 sample"):
            call(X)


@pytest.mark.parametrize("name", ["categorical", "variational categorical", "mixed symbols"])
def test_symbols_that_the_fit_has_not_seen(name):
    X = np.array([0, 1, 1, 0, 2, 1, 0, 0, 1, 2] * 3)[:, None]
    if name == "mixed symbols":
        model = hmm.MixedHMM(2, families="categorical", random_state=0).fit(X.astype(float))
    else:
        model = make(name).fit(X)
    unseen = np.array([[0.0], [3.0]])
    for call in (model.score, model.predict, model.predict_proba, model.partial_fit, model.filter):
        with pytest.raises(ValueError, match="symbol 3, which the model does not know"):
            call(unseen)
    if name != "mixed symbols":
        wide = MODELS[name][0](2, n_features=5, random_state=0).fit(X)
        assert wide.emissionprob_.shape == (2, 5)
        # without a prior above 1 a symbol that was never seen is impossible; with one it is not
        if name == "categorical":
            assert wide.score(unseen) == -np.inf
            wide = hmm.CategoricalHMM(2, n_features=5, emissionprob_prior=1.1, random_state=0).fit(X)
        assert np.isfinite(wide.score(unseen))


@every_model
def test_data_that_no_path_can_emit(name):
    X = rows(name)
    model = make(name).fit(X)
    known = np.array([0, 1, 0, 1] * 10)
    model.set_params(transmat_mask=np.ones((2, 2), dtype=bool))
    if name != "durations":
        model.transmat_ = np.eye(2)  # and states that alternate
        with pytest.raises(ValueError, match="has probability zero"):
            model.decode(X, constraints=known)
    else:
        with pytest.raises(ValueError, match="has probability zero"):
            model.decode(X, constraints=np.zeros(40, dtype=int))  # longer than any duration


@every_model
def test_infinite_and_huge_values(name):
    X = rows(name)
    X[3, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        make(name).fit(X)
    if MODELS[name][1] == "reals":
        with pytest.raises(ValueError, match="too large"):
            make(name).fit(1e200 * rows(name))
