"""The slow twin and small models that several of the tests use."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

from mlcore import hmm

# Tests are imported by path, not as a package: this makes `import hmm_oracle` work in them.
_spec = importlib.util.spec_from_file_location("hmm_oracle", pathlib.Path(__file__).with_name("oracle.py"))
_module = importlib.util.module_from_spec(_spec)
sys.modules["hmm_oracle"] = _module
_spec.loader.exec_module(_module)


def _spd(rng, *shape, d):
    A = rng.normal(size=(*shape, d, d))
    return A @ np.swapaxes(A, -1, -2) + 0.5 * np.eye(d)


def random_model(name, kind, K, rng):
    """(model with random parameters, function rows -> observations)."""
    start, trans = rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), size=K)
    d, M = 2, 2
    if name == "categorical":
        model = hmm.CategoricalHMM(K)
        model.emissionprob_ = rng.dirichlet(np.ones(3), size=K)
        draw = lambda n: rng.integers(3, size=(n, 1)).astype(float)  # noqa: E731
    elif name == "poisson":
        model = hmm.PoissonHMM(K)
        model.lambdas_ = rng.uniform(0.5, 6, size=(K, d))
        draw = lambda n: rng.poisson(3.0, size=(n, d)).astype(float)  # noqa: E731
    elif name == "multinomial":
        model = hmm.MultinomialHMM(K)
        model.emissionprob_ = rng.dirichlet(np.ones(3), size=K)
        draw = lambda n: rng.multinomial(4, [0.2, 0.3, 0.5], size=n).astype(float)  # noqa: E731
    elif name == "gaussian":
        model = hmm.GaussianHMM(K, kind)
        model.means_ = rng.normal(size=(K, d))
        model.covars_ = {
            "spherical": lambda: rng.uniform(0.3, 2, K),
            "diag": lambda: rng.uniform(0.3, 2, (K, d)),
            "tied": lambda: _spd(rng, d=d),
            "full": lambda: _spd(rng, K, d=d),
        }[kind]()
        draw = lambda n: 2 * rng.normal(size=(n, d))  # noqa: E731
    elif name == "mixture":
        model = hmm.GMMHMM(K, M, covariance_type=kind)
        model.weights_ = rng.dirichlet(np.ones(M), size=K)
        model.means_ = rng.normal(size=(K, M, d))
        model.covars_ = {
            "spherical": lambda: rng.uniform(0.3, 2, (K, M)),
            "diag": lambda: rng.uniform(0.3, 2, (K, M, d)),
            "tied": lambda: _spd(rng, K, d=d),
            "full": lambda: _spd(rng, K, M, d=d),
        }[kind]()
        draw = lambda n: 2 * rng.normal(size=(n, d))  # noqa: E731
    else:
        model = hmm.MixedHMM(K, families=["student_t", "zero_inflated_poisson"])
        model.emissions_ = [
            {
                "location": rng.normal(size=K),
                "scale": rng.uniform(0.5, 2, K),
                "dof": rng.uniform(2, 9, K),
            },
            {"zero_weight": rng.uniform(0.1, 0.6, K), "rate": rng.uniform(1, 5, K)},
        ]
        draw = lambda n: np.c_[rng.normal(size=n), rng.poisson(1.0, size=n)]  # noqa: E731
    model.startprob_, model.transmat_ = start, trans
    return model, draw


MODELS = [
    ("categorical", ""),
    ("poisson", ""),
    ("multinomial", ""),
    ("mixed", ""),
    *[("gaussian", kind) for kind in ("spherical", "diag", "tied", "full")],
    *[("mixture", kind) for kind in ("spherical", "diag", "tied", "full")],
]


@pytest.fixture(params=MODELS, ids=lambda pair: "-".join(pair).strip("-"))
def small_model(request):
    """(name, model of 3 states, function rows -> observations) for every emission and covariance type."""
    rng = np.random.default_rng(11)
    return request.param[0], *random_model(*request.param, 3, rng)
