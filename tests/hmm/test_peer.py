"""The same model as hmmlearn's, from its own starting values and from given ones, to 1e-8."""

import logging

import numpy as np
import pytest

from mlcore import hmm

peer = pytest.importorskip("hmmlearn.hmm")
peer_variational = pytest.importorskip("hmmlearn.vhmm")
logging.getLogger("hmmlearn").setLevel(logging.ERROR)

LENGTHS = [25, 20, 15]
KINDS = ("spherical", "diag", "tied", "full")


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    steps = np.repeat([[0, 0], [3, 3], [-2, 4]], 20, axis=0)
    return rng.normal(size=(60, 2)) @ np.array([[1, 0.5], [0, 2.0]]) + steps


def both(name, module, data, *arguments, **keywords):
    keywords = {"random_state": 1, "n_iter": 5, "tol": -1.0} | keywords
    ours = getattr(hmm, name)(*arguments, **keywords).fit(data, LENGTHS)
    theirs = getattr(module, name)(*arguments, **keywords).fit(data, LENGTHS)
    return ours, theirs


def assert_same(ours, theirs, data, names, *, paths=True):
    for name in names:
        wanted = np.asarray(getattr(theirs, name))
        np.testing.assert_allclose(getattr(ours, name), wanted, rtol=1e-8, atol=1e-10, err_msg=name)
    assert ours.score(data, LENGTHS) == pytest.approx(theirs.score(data, LENGTHS), rel=1e-10)
    np.testing.assert_allclose(
        ours.predict_proba(data, LENGTHS), theirs.predict_proba(data, LENGTHS), atol=1e-9
    )
    for algorithm in ("viterbi", "map"):
        value, path = ours.decode(data, LENGTHS, algorithm)
        wanted, states = theirs.decode(data, LENGTHS, algorithm)
        assert value == pytest.approx(wanted, rel=1e-9)
        if paths:
            np.testing.assert_array_equal(path, states)


CHAIN = ("startprob_", "transmat_")


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gaussian(X, kind, prior):
    more = {}
    if prior:
        more = {"means_prior": 1.0, "means_weight": 2.0, "covars_prior": 0.5, "covars_weight": 5.0}
        more |= {"startprob_prior": 2.0, "transmat_prior": 1.5}
    ours, theirs = both("GaussianHMM", peer, X, 3, kind, **more)
    assert_same(ours, theirs, X, [*CHAIN, "means_"])
    if kind != "spherical":  # whose covars_ hmmlearn returns in another shape
        np.testing.assert_allclose(ours.covars_, theirs.covars_, rtol=1e-8)
    assert ours.aic(X, LENGTHS) == pytest.approx(theirs.aic(X, LENGTHS), rel=1e-10)
    assert ours.bic(X, LENGTHS) == pytest.approx(theirs.bic(X, LENGTHS), rel=1e-10)
    np.testing.assert_allclose(ours.monitor_.history, theirs.monitor_.history, rtol=1e-10)


@pytest.mark.parametrize("prior", ["none", "means", "covars", "weights"])
@pytest.mark.parametrize("kind", KINDS)
def test_mixture(X, kind, prior):
    K, M, d = 2, 3, 2
    matrix = 0.6 * np.eye(d) + 0.1
    covars = {
        "spherical": (np.full((K, M), 0.7), np.full((K, M), 1.3)),
        "diag": (np.full((K, M, d), 0.7), np.full((K, M, d), 1.3)),
        "tied": (np.tile(matrix, (K, 1, 1)), np.full(K, 3.0)),
        "full": (np.tile(matrix, (K, M, 1, 1)), np.full((K, M), 3.0)),
    }[kind]
    more = {
        "none": {},
        "means": {"means_prior": 1.0, "means_weight": 2.0},
        "covars": {"covars_prior": covars[0], "covars_weight": covars[1]},
        "weights": {"weights_prior": 2.0},
    }[prior]
    ours, theirs = both("GMMHMM", peer, X, K, M, covariance_type=kind, **more)
    assert_same(ours, theirs, X, [*CHAIN, "weights_", "means_", "covars_"])


@pytest.mark.parametrize("prior", [{}, {"startprob_prior": 2.0, "transmat_prior": 1.5}])
def test_counts_and_symbols(prior):
    rng = np.random.default_rng(2)
    symbols = rng.integers(0, 4, size=(60, 1))
    counts = rng.poisson(3, size=(60, 2))
    counts[20:40] *= 3
    rows = rng.multinomial(5, [0.2, 0.3, 0.5], size=60)
    more = {"emissionprob_prior": 1.7} if prior else {}
    for name, data, names, extra in (
        ("CategoricalHMM", symbols, ["emissionprob_"], more),
        ("PoissonHMM", counts, ["lambdas_"], {"lambdas_prior": 2.0, "lambdas_weight": 0.7} if prior else {}),
        ("MultinomialHMM", rows, ["emissionprob_"], {}),
    ):
        ours, theirs = both(name, peer, data, 3, **prior, **extra)
        assert_same(ours, theirs, data, [*CHAIN, *names])
        assert ours.aic(data, LENGTHS) == pytest.approx(theirs.aic(data, LENGTHS), rel=1e-10)
        assert ours.bic(data, LENGTHS) == pytest.approx(theirs.bic(data, LENGTHS), rel=1e-10)


def test_variational_categorical():
    symbols = np.random.default_rng(2).integers(0, 4, size=(60, 1))
    ours, theirs = both("VariationalCategoricalHMM", peer_variational, symbols, 3)
    names = [f"{part}_posterior_" for part in ("startprob", "transmat", "emissionprob")]
    # two of the states swap along paths of the same probability
    assert_same(ours, theirs, symbols, [*CHAIN, *names], paths=False)
    assert ours.monitor_.history[-1] == pytest.approx(theirs.monitor_.history[-1], rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_variational_gaussian(X, kind):
    # With several features hmmlearn's "diag" and "spherical" updates are not those of the model.
    data = X if kind in ("full", "tied") else X[:, 1:]
    ours, theirs = both("VariationalGaussianHMM", peer_variational, data, 3, kind)
    names = ["startprob", "transmat", "means", "beta", "dof", "scale"]
    assert_same(ours, theirs, data, [*CHAIN, *[f"{name}_posterior_" for name in names]])
    # the constant of the densities that hmmlearn's bound leaves out
    constant = 0.5 * data.size * np.log(2 * np.pi)
    assert ours.lower_bound_ == pytest.approx(theirs.monitor_.history[-1] - constant, rel=1e-9)
