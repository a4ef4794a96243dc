"""EM with priors climbs the log-posterior: log-likelihood plus the log-densities of the priors."""

import numpy as np
import pytest

from mlcore import hmm

KINDS = ("spherical", "diag", "tied", "full")
LENGTHS = [50, 70, 40]
CHAIN = {"startprob_prior": 2.5, "transmat_prior": 1.0 + 4.0 * np.eye(3) + 0.5}


def rows(rng):
    steps = np.repeat(rng.integers(3, size=32), 5)
    noise = rng.normal(size=(len(steps), 2)) @ [[1, 0.4], [0, 0.7]]
    return steps[:, None] * [1.5, -1.0] + noise, steps


def dirichlet(P, parameter):
    return np.sum((parameter - 1.0) * np.log(P))


def of_chain(model):
    return dirichlet(model.startprob_, model.startprob_prior) + dirichlet(
        model.transmat_, model.transmat_prior
    )


def of_gaussian(model):
    """Normal with precision `means_weight` over the variance; inverse gamma or inverse Wishart."""
    away, C, kind = model.means_ - model.means_prior, model.covars_, model.covariance_type
    d, prior, weight = away.shape[1], model.covars_prior, model.means_weight
    if kind in ("spherical", "diag"):
        variance = np.diagonal(C, axis1=1, axis2=2)
        return -0.5 * np.sum(
            (weight * away**2 + prior) / variance + (model.covars_weight - 1) * np.log(variance)
        )
    each = C[:1] if kind == "tied" else C  # tied ones are handed out once for each state
    normal = (
        -0.5 * weight * np.sum(away * np.linalg.solve(np.broadcast_to(C, (3, d, d)), away[..., None])[..., 0])
    )
    logdet, traces = np.linalg.slogdet(each)[1], np.trace(np.linalg.solve(each, prior), axis1=1, axis2=2)
    return normal - 0.5 * np.sum((model.covars_weight - d) * logdet + traces)


def of_mixture(model):
    weights = dirichlet(model.weights_, model.weights_prior)
    C, kind, d = model.covars_, model.covariance_type, 2
    if kind == "diag":
        return weights - np.sum((model.covars_prior + 1.5) * np.log(C) + model.covars_weight / C)
    if kind == "spherical":
        return weights - np.sum((model.covars_prior + 1 + d / 2) * np.log(C) + model.covars_weight / C)
    free = (2 if kind == "tied" else 1) + d + 1.0
    logdet, solved = np.linalg.slogdet(C)[1], np.linalg.solve(C, np.broadcast_to(model.covars_prior, C.shape))
    return weights - 0.5 * np.sum(
        (model.covars_weight + free) * logdet + np.trace(solved, axis1=-2, axis2=-1)
    )


def of_symbols(model):
    return dirichlet(model.emissionprob_, model.emissionprob_prior)


def gaussian(kind, **more):
    scale = 0.4 if kind in ("spherical", "diag") else np.array([[0.5, 0.1], [0.1, 0.3]])
    priors = {"means_prior": 1.0, "means_weight": 6.0, "covars_prior": scale, "covars_weight": 7.0}
    return hmm.GaussianHMM(3, kind, variance_floor=0.0, **priors, **CHAIN, **more)


def mixture(kind, **more):
    priors = {
        "spherical": (2.0, 0.3),
        "diag": (2.0, 0.3),
        "tied": (np.array([[0.5, 0.1], [0.1, 0.3]]), 4.0),
        "full": (np.array([[0.5, 0.1], [0.1, 0.3]]), 4.0),
    }[kind]
    # The sums are about the means of before, as hmmlearn takes them: no ascent with a prior of the means.
    return hmm.GMMHMM(
        3,
        2,
        covariance_type=kind,
        weights_prior=3.0,
        covars_prior=priors[0],
        covars_weight=priors[1],
        **CHAIN,
        **more,
    )


CASES = [
    *[pytest.param(gaussian, kind, of_gaussian, id=f"gaussian-{kind}") for kind in KINDS],
    *[pytest.param(mixture, kind, of_mixture, id=f"mixture-{kind}") for kind in KINDS],
    pytest.param(
        lambda _, **more: hmm.CategoricalHMM(3, emissionprob_prior=2.0, **CHAIN, **more),
        "",
        of_symbols,
        id="symbols",
    ),
]


@pytest.mark.parametrize(("make", "kind", "of_emission"), CASES)
def test_the_log_posterior_never_falls(make, kind, of_emission):
    X, steps = rows(np.random.default_rng(8))
    if of_emission is of_symbols:
        X = ((steps + (np.arange(len(steps)) % 4 == 0)) % 3)[:, None]
    model = make(kind, n_iter=1, tol=-np.inf, random_state=3).fit(X, LENGTHS)
    model.init_params = ""
    values = []
    for _ in range(40):
        values.append(of_chain(model) + of_emission(model))
        values[-1] += model.fit(X, LENGTHS).monitor_.history[0]  # of the parameters before this iteration
    values = np.array(values)
    assert (np.diff(values) / np.abs(values[:-1])).min() > -1e-10
    assert values[-1] > values[0] + 0.1


@pytest.mark.parametrize(("make", "kind", "of_emission"), CASES)
def test_em_ends_at_a_mode_of_the_posterior(make, kind, of_emission):
    """Every block of parameters a little flatter or a little sharper is less probable."""
    X, steps = rows(np.random.default_rng(8))
    if of_emission is of_symbols:
        X = ((steps + (np.arange(len(steps)) % 4 == 0)) % 3)[:, None]
    model = make(kind, n_iter=1500, tol=-np.inf, random_state=3).fit(X, LENGTHS)
    best = model.score(X, LENGTHS) + of_chain(model) + of_emission(model)
    for name in {"startprob_", "transmat_", "emissionprob_", "weights_"} & set(dir(model)):
        kept = getattr(model, name)
        for power in (0.98, 1.02):
            moved = kept**power
            setattr(model, name, moved / moved.sum(axis=-1, keepdims=True))
            assert model.score(X, LENGTHS) + of_chain(model) + of_emission(model) < best, (name, power)
        setattr(model, name, kept)
    if hasattr(model, "covars_"):
        kept = model.covars_
        shaped = {
            "spherical": lambda C: C[:, 0, 0],
            "diag": lambda C: np.einsum("kdd->kd", C),
            "tied": lambda C: C[0],
        }
        if make is gaussian:
            kept = shaped.get(kind, lambda C: C)(kept)
        for factor in (0.98, 1.02):
            model.covars_ = kept * factor
            assert model.score(X, LENGTHS) + of_chain(model) + of_emission(model) < best, factor


def observed(kind):
    rng = np.random.default_rng(3)
    X, steps = rows(rng)
    if kind == "trials":
        chances = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])
        return np.stack([rng.multinomial(6, p) for p in chances[steps]])
    return rng.poisson(2 + 3 * steps)[:, None] if kind == "counts" else X


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda **more: hmm.MultinomialHMM(3, n_trials=6, **more), "trials"),
        (lambda **more: hmm.PoissonHMM(3, **more), "counts"),
        (lambda **more: hmm.MixedHMM(3, **more), "rows"),
        (lambda **more: hmm.HSMM(3, max_duration=8, **more), "rows"),
    ],
    ids=["multinomial", "poisson", "mixed", "hsmm"],
)
def test_priors_of_the_chain_in_models_without_others(make, kind):
    X = observed(kind)
    prior = 1.5 + 4.0 * np.eye(3)

    def posterior(model):
        A = model.transmat_
        free = A > 0  # a segment of HSMM never follows one of its own state
        chain = dirichlet(model.startprob_, 2.5) + dirichlet(A[free], prior[free])
        return model.score(X, LENGTHS) + chain

    def fitted(steps):
        chain = {"startprob_prior": 2.5, "transmat_prior": prior}
        return make(n_iter=steps, tol=-np.inf, random_state=0, **chain).fit(X, LENGTHS)

    path = [posterior(fitted(steps)) for steps in range(1, 11)]
    assert np.diff(path).min() > -1e-10 * abs(path[-1])
    model = fitted(600)
    best = posterior(model)
    for name in ("startprob_", "transmat_"):
        kept = getattr(model, name)
        for power in (0.98, 1.02):
            moved = kept**power
            setattr(model, name, moved / moved.sum(axis=-1, keepdims=True))
            assert posterior(model) < best, (name, power)
        setattr(model, name, kept)
