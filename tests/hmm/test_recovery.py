"""Parameters of a model are found again in what it has drawn, for every emission and covariance type."""

import numpy as np
import pytest

from mlcore import hmm

TRANS = np.array([[0.92, 0.08], [0.15, 0.85]])
MEANS = np.array([[0.0, 1.0], [3.0, -1.0]])
COVARS = {
    "spherical": np.array([0.5, 1.5]),
    "diag": np.array([[0.5, 1.0], [1.5, 0.4]]),
    "tied": np.array([[1.0, 0.4], [0.4, 0.7]]),
    "full": np.array([[[1.0, 0.4], [0.4, 0.7]], [[0.5, -0.2], [-0.2, 1.2]]]),
}
KINDS = list(COVARS)


def gaussian(kind):
    truth = hmm.GaussianHMM(2, kind)
    truth.means_, truth.covars_ = MEANS, COVARS[kind]
    return truth, ("means_", "covars_")


def variational(kind):
    truth, names = gaussian(kind)
    return truth, names, hmm.VariationalGaussianHMM(2, kind)


def mixture(kind):
    truth = hmm.GMMHMM(2, 2, covariance_type=kind)
    truth.weights_ = np.array([[0.3, 0.7], [0.5, 0.5]])
    truth.means_ = np.array([[[-3.0, 0.0], [3.0, 1.0]], [[11.0, -3.0], [13.0, 4.0]]])
    truth.covars_ = COVARS[kind] if kind == "tied" else np.stack([COVARS[kind], COVARS[kind][::-1]])
    if kind == "tied":
        truth.covars_ = np.stack([COVARS["tied"], 0.5 * np.eye(2)])
    return truth, ("weights_", "means_", "covars_")


def categorical():
    truth = hmm.CategoricalHMM(2)
    truth.emissionprob_ = np.array([[0.05, 0.15, 0.8], [0.7, 0.2, 0.1]])
    return truth, ("emissionprob_",)


def variational_categorical():
    truth, names = categorical()
    return truth, names, hmm.VariationalCategoricalHMM(2)


def multinomial():
    truth = hmm.MultinomialHMM(2, n_trials=5)
    truth.emissionprob_ = np.array([[0.1, 0.3, 0.6], [0.5, 0.3, 0.2]])
    return truth, ("emissionprob_",), hmm.MultinomialHMM(2)


def poisson():
    truth = hmm.PoissonHMM(2)
    truth.lambdas_ = np.array([[1.0, 4.0], [5.0, 2.0]])
    return truth, ("lambdas_",)


def mixed():
    truth = hmm.MixedHMM(
        2, families=["gaussian", "student_t", "gamma", "poisson", "negative_binomial", "categorical"]
    )
    truth.emissions_ = [
        {"mean": np.array([0.0, 2.0]), "variance": np.array([1.0, 0.5])},
        {"location": np.array([0.0, 3.0]), "scale": np.array([1.0, 2.0]), "dof": np.array([3.0, 6.0])},
        {"shape": np.array([2.0, 5.0]), "scale": np.array([1.0, 0.5])},
        {"rate": np.array([1.0, 4.0])},
        {"mean": np.array([2.0, 6.0]), "size": np.array([3.0, 2.0])},
        {"probabilities": np.array([[0.7, 0.3], [0.2, 0.8]])},
    ]
    return truth, ("emissions_",)


def zero_inflated():
    truth = hmm.MixedHMM(2, families="zero_inflated_poisson")
    truth.emissions_ = [{"zero_weight": np.array([0.5, 0.1]), "rate": np.array([2.0, 9.0])}]
    return truth, ("emissions_",)


CASES = {
    "categorical": categorical,
    "variational categorical": variational_categorical,
    "multinomial": multinomial,
    "poisson": poisson,
    "mixed": mixed,
    "zero-inflated": zero_inflated,
    **{f"gaussian {kind}": lambda kind=kind: gaussian(kind) for kind in KINDS},
    **{f"mixture {kind}": lambda kind=kind: mixture(kind) for kind in KINDS},
    **{f"variational gaussian {kind}": lambda kind=kind: variational(kind) for kind in KINDS},
}
#: relative; what these are estimated from is the tails
LOOSE = {"dof": 0.35, "size": 0.3, "shape": 0.15, "scale": 0.15}


def compare(found, true, name=""):
    if isinstance(true, list):
        for one, other in zip(found, true, strict=True):
            for key in other:
                compare(one[key], other[key], key)
        return
    rtol = LOOSE.get(name, 0.1)
    np.testing.assert_allclose(found, true, rtol=rtol, atol=0.08, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_parameters_are_recovered(name):
    truth, names, *other = CASES[name]()
    truth.startprob_, truth.transmat_ = np.array([0.5, 0.5]), TRANS
    X, states = truth.sample(4000, random_state=7)
    model = other[0] if other else truth.__class__(**truth.get_params())
    model.set_params(n_init=3, n_iter=100, tol=1e-3, random_state=0, state_order="mean")
    if "categorical" in name:  # a random start, and a plateau before the symbols part
        model.set_params(n_iter=400, tol=1e-6)
    model.fit(np.asarray(X, dtype=float) if "categorical" not in name else X, [1000] * 4)
    if name.startswith("mixture"):  # the parts of a mixture have no order of their own
        order = np.argsort(model.means_[:, :, 0], axis=1)
        expected = np.argsort(truth.means_[:, :, 0], axis=1)
        for attribute in names if model.covariance_type != "tied" else names[:2]:
            value, true = getattr(model, attribute), np.asarray(getattr(truth, attribute))
            found = np.stack([value[k, order[k]] for k in range(2)])
            compare(found, np.stack([true[k, expected[k]] for k in range(2)]), attribute)
        if model.covariance_type == "tied":
            compare(model.covars_, truth.covars_)
    else:
        for attribute in names:
            compare(getattr(model, attribute), getattr(truth, attribute), attribute)
    np.testing.assert_allclose(model.transmat_, TRANS, atol=0.04)
    assert (model.predict(X, [1000] * 4) == states).mean() > (0.75 if "categorical" in name else 0.85)


def test_missing_values_cost_only_precision():
    truth, _ = poisson()
    truth.startprob_, truth.transmat_ = [0.5, 0.5], TRANS
    X = truth.sample(4000, random_state=1)[0].astype(float)
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan  # one value in five
    model = hmm.PoissonHMM(2, n_init=4, n_iter=60, random_state=0, state_order="mean").fit(X)
    np.testing.assert_allclose(model.lambdas_, truth.lambdas_, rtol=0.06)
    np.testing.assert_allclose(model.transmat_, truth.transmat_, atol=0.02)
