"""EM: it never loses likelihood, weights and labels mean what they say, no fit ends in an invalid model."""

import numpy as np
import pytest

from mlcore import hmm
from mlcore.callbacks import EarlyStop, History
from mlcore.hmm._starts import _better as better

LENGTHS = [40, 1, 59, 30]


def data(name, rng, n=130):
    steps = np.repeat(rng.integers(3, size=13), 10)
    if name in ("categorical", "variational categorical"):
        return (steps + (rng.random(n) < 0.3)).astype(float)[:, None]
    if name == "poisson":
        return rng.poisson(1 + 4 * steps[:, None] * [1, 0.5]).astype(float)
    if name == "multinomial":
        P = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])
        return np.array([rng.multinomial(6, P[s]) for s in steps]).astype(float)
    return steps[:, None] * [2.0, -1.0] + rng.normal(size=(n, 2)) @ [[1, 0.4], [0, 0.7]]


def make(name, kind, **more):
    if name == "gaussian":
        return hmm.GaussianHMM(3, kind, covars_prior=0.0, covars_weight=0.0, **more)
    if name == "mixture":
        return hmm.GMMHMM(3, 2, covariance_type=kind, **more)
    if name == "variational gaussian":
        return hmm.VariationalGaussianHMM(3, kind, **more)
    cls = {
        "categorical": hmm.CategoricalHMM,
        "poisson": hmm.PoissonHMM,
        "multinomial": hmm.MultinomialHMM,
        "variational categorical": hmm.VariationalCategoricalHMM,
    }[name]
    return cls(3, **more)


KINDS = ("spherical", "diag", "tied", "full")
ALL = [
    *[(name, "") for name in ("categorical", "poisson", "multinomial", "variational categorical")],
    *[(name, kind) for name in ("gaussian", "mixture", "variational gaussian") for kind in KINDS],
]
every_model = pytest.mark.parametrize(("name", "kind"), ALL, ids=lambda x: x or "-")


@pytest.mark.parametrize("gaps", [False, True])
@every_model
def test_the_objective_never_falls(name, kind, gaps):
    rng = np.random.default_rng(3)
    X = data(name, rng)
    if gaps:
        gone = rng.random(X.shape) < 0.2
        X[gone.any(axis=1) if name == "multinomial" else gone] = np.nan
    model = make(name, kind, n_iter=60, tol=-np.inf, random_state=1)
    history = np.array(model.fit(X, LENGTHS).monitor_.history)
    assert len(history) == 60
    falls = np.diff(history) / np.abs(history[:-1])
    assert falls.min() > -1e-10
    assert history[-1] > history[0]


@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("gaussian", lambda s, r: r.normal(2.0 * s, 1 + 0.2 * s)),
        ("student_t", lambda s, r: 3.0 * s + r.standard_t(2.5, size=len(s))),
        ("gamma", lambda s, r: r.gamma(1 + 2.0 * s, 1.5)),
        ("poisson", lambda s, r: r.poisson(1 + 3 * s)),
        ("negative_binomial", lambda s, r: r.negative_binomial(2, 1 / (1 + 2 * s + 1))),
        ("zero_inflated_poisson", lambda s, r: r.poisson(1 + 4 * s) * (r.random(len(s)) < 0.6)),
        ("categorical", lambda s, r: (s + (r.random(len(s)) < 0.3)) % 3),
    ],
)
@pytest.mark.parametrize("gaps", [False, True])
def test_no_family_loses_likelihood(family, values, gaps):
    rng = np.random.default_rng(5)
    steps = np.repeat(rng.integers(2, size=26), 5)
    X = np.asarray(values(steps, rng), dtype=float)[:, None]
    if gaps:
        X[rng.random(len(X)) < 0.2] = np.nan
    for model in (
        hmm.MixedHMM(2, families=family, n_iter=40, tol=-np.inf, random_state=0),
        hmm.HSMM(2, families=family, max_duration=4, n_iter=25, tol=-np.inf, random_state=0),
        hmm.HSMM(
            2, families=family, max_duration=4, duration="poisson", n_iter=25, tol=-np.inf, random_state=0
        ),
    ):
        history = np.array(model.fit(X, LENGTHS).monitor_.history)
        assert (np.diff(history) / np.abs(history[:-1])).min() > -1e-10
        assert history[-1] > history[0]


@every_model
def test_weights_of_sequences_are_repetitions(name, kind):
    rng = np.random.default_rng(4)
    X = data(name, rng)
    parts = np.split(X, np.cumsum(LENGTHS)[:-1])
    weights = [2, 0, 1, 3]
    repeated = [part for part, w in zip(parts, weights) for _ in range(w)]
    first = make(name, kind, n_iter=3, tol=-np.inf, random_state=1).fit(X, LENGTHS)
    letters = "".join(first._letters)
    start = {n: v for n, v in vars(first).items() if n.rstrip("_") != n or n == "_covars_"}

    def resume(*arguments, **more):
        model = make(name, kind, n_iter=4, tol=-np.inf, init_params="")
        for attribute, value in start.items():
            if not attribute.startswith(("n_", "lower", "feature")):
                setattr(model, attribute, value)
        return model.fit(*arguments, **more)

    assert letters
    one = resume(X, LENGTHS, sample_weight=weights)
    two = resume(np.concatenate(repeated), [len(part) for part in repeated])
    np.testing.assert_allclose(one.monitor_.history, two.monitor_.history, rtol=1e-10)
    np.testing.assert_allclose(one.transmat_, two.transmat_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(one._emission_means(), two._emission_means(), rtol=1e-8, atol=1e-10)
    plain = resume(X, LENGTHS)
    assert np.abs(one.transmat_ - plain.transmat_).max() > 1e-4


@every_model
def test_the_best_of_several_starts_is_kept(name, kind):
    X = data(name, np.random.default_rng(6))
    single = make(name, kind, n_iter=5, random_state=0).fit(X, LENGTHS)
    several = make(name, kind, n_iter=5, random_state=0, n_init=4).fit(X, LENGTHS)
    assert several.lower_bound_ >= single.lower_bound_
    for jobs in (1, 2, 7):
        again = make(name, kind, n_iter=5, random_state=0, n_init=4, n_jobs=jobs).fit(X, LENGTHS)
        assert again.lower_bound_ == several.lower_bound_
        np.testing.assert_array_equal(again.transmat_, several.transmat_)
    # one long sequence: the starts run side by side
    one = make(name, kind, n_iter=3, random_state=0, n_init=4, n_jobs=1).fit(X)
    two = make(name, kind, n_iter=3, random_state=0, n_init=4, n_jobs=2).fit(X)
    assert one.lower_bound_ == two.lower_bound_
    np.testing.assert_array_equal(one.transmat_, two.transmat_)


def test_starts_that_end_alike_are_equal():
    """Two starts may find one solution under other numbers of the states: rounding must not choose."""

    def monitor(*history):
        made = hmm.ConvergenceMonitor(1e-2, 10, False)
        made.history.extend(history)
        return made

    assert not better(monitor(-200.0, -100.0 + 1e-11), monitor(-100.0))
    assert not better(monitor(-100.0), monitor(-100.0 + 1e-11))
    assert better(monitor(-100.0 + 1e-6), monitor(-100.0))
    assert better(monitor(-100.0), monitor())
    assert not better(monitor(), monitor(-100.0))


def test_known_states_are_kept_and_teach():
    truth = hmm.GaussianHMM(2)
    truth.startprob_, truth.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]
    truth.means_, truth.covars_ = [[3.0], [0.0]], [[1.0], [1.0]]
    X, states = truth.sample(400, random_state=0)
    known = np.where(np.arange(400) % 10 == 0, states, -1)
    model = hmm.GaussianHMM(2, n_iter=30, random_state=0).fit(X, states=known)
    # the labels fix the numbers of the states: state 0 is the one with the larger mean
    np.testing.assert_allclose(model.means_.ravel(), [3, 0], atol=0.3)
    history = np.array(model.monitor_.history)
    assert np.diff(history).min() > -1e-8
    whole = hmm.GaussianHMM(2, covars_prior=0, covars_weight=0, n_iter=2, random_state=0).fit(
        X, states=states
    )
    counted = hmm.GaussianHMM(2, covars_prior=0, covars_weight=0).fit_supervised(X, states)
    np.testing.assert_allclose(whole.transmat_, counted.transmat_, rtol=1e-9)
    np.testing.assert_allclose(whole.means_, counted.means_, rtol=1e-9)
    np.testing.assert_allclose(counted.means_[1], X[states == 1].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(counted.covars_[1, 0, 0], X[states == 1].var(), rtol=1e-10)


def test_a_wrong_label_costs_likelihood():
    X = np.r_[np.zeros(20), np.full(20, 5.0)][:, None] + 0.1 * np.sin(np.arange(40.0))[:, None]
    free = hmm.GaussianHMM(2, n_iter=20, random_state=0).fit(X)
    known = np.full(40, -1)
    known[[0, 30]] = 0  # two far apart rows in one state
    bound = hmm.GaussianHMM(2, n_iter=20, random_state=0).fit(X, states=known)
    assert bound.lower_bound_ < free.lower_bound_


@every_model
def test_a_mask_keeps_its_zeros(name, kind):
    X = data(name, np.random.default_rng(8))
    mask = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=bool)
    model = make(name, kind, transmat_mask=mask, n_iter=10, random_state=0).fit(X, LENGTHS)
    assert (model.transmat_[~mask] == 0).all()
    assert (model.transmat_[mask] > 0).any()
    np.testing.assert_allclose(model.transmat_.sum(axis=1), 1, rtol=1e-12)


@every_model
def test_order_of_states(name, kind):
    X = data(name, np.random.default_rng(9))
    plain = make(name, kind, n_iter=8, random_state=0).fit(X, LENGTHS)
    by_mean = make(name, kind, n_iter=8, random_state=0, state_order="mean").fit(X, LENGTHS)
    first = by_mean._emission_means()[:, 0]
    assert (np.diff(first) >= 0).all()
    by_size = make(name, kind, n_iter=8, random_state=0, state_order="occupancy").fit(X, LENGTHS)
    assert (np.diff(by_size.predict_proba(X, LENGTHS).sum(axis=0)) <= 1e-9).all()
    for model in (by_mean, by_size):
        assert model.score(X, LENGTHS) == pytest.approx(plain.score(X, LENGTHS), rel=1e-10)
    with pytest.raises(ValueError, match="permutation"):
        plain.reorder_states([0, 0, 1])


def test_online_em_learns_from_batches():
    truth = hmm.GaussianHMM(2)
    truth.startprob_, truth.transmat_ = [0.5, 0.5], [[0.95, 0.05], [0.1, 0.9]]
    truth.means_, truth.covars_ = [[1000.0, 0.0], [1004.0, 1.0]], [[1.0, 1.0], [1.0, 0.5]]
    model = hmm.GaussianHMM(2, random_state=0, covars_prior=0.0)
    for batch in range(30):
        model.partial_fit(truth.sample(200, random_state=batch)[0], lengths=[100, 100])
    order = np.argsort(model.means_[:, 0])
    np.testing.assert_allclose(model.means_[order], truth.means_, atol=0.15)
    np.testing.assert_allclose(model.transmat_[np.ix_(order, order)], truth.transmat_, atol=0.05)
    np.testing.assert_allclose(np.diagonal(model.covars_[order[1]]), [1.0, 0.5], atol=0.15)
    assert model.n_iter_ == 30


@pytest.mark.parametrize("kind", KINDS)
def test_online_statistics_of_batches_far_apart(kind):
    """One state: the moments of batch t are mixed in with the rate (t + 1)^-0.7, t from 0."""
    rng = np.random.default_rng(0)
    batches = [rng.normal(100 * t, 1 + t, size=(40 + 10 * t, 2)) for t in range(3)]
    model = hmm.GaussianHMM(1, kind, covars_prior=0.0, covars_weight=0.0, random_state=0)
    mean, second = 0.0, 0.0
    for t, batch in enumerate(batches):
        model.partial_fit(batch)
        rate = (t + 1) ** -0.7
        mean = (1 - rate) * mean + rate * batch.mean(axis=0)
        second = (1 - rate) * second + rate * batch.T @ batch / len(batch)
    np.testing.assert_allclose(model.means_[0], mean, rtol=1e-10)
    second = second - np.outer(mean, mean)
    if kind == "spherical":
        second = np.eye(2) * np.trace(second) / 2
    elif kind == "diag":
        second = np.diag(np.diag(second))
    np.testing.assert_allclose(model.covars_[0], second, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_no_fit_ends_in_an_invalid_model(kind):
    rng = np.random.default_rng(0)
    constant = np.c_[rng.normal(size=60), np.full(60, 7.0)]
    few = rng.normal(size=(60, 2))[rng.integers(3, size=60)]  # three different rows
    for X in (constant, few, np.repeat(few[:1], 60, axis=0)):
        for cls in (hmm.GaussianHMM, hmm.GMMHMM):
            model = cls(4, covariance_type=kind, covars_prior=0.0, n_iter=40, tol=-np.inf, random_state=0)
            if cls is hmm.GMMHMM:
                model.set_params(n_mix=2, covars_prior=None)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("warnings.warn", lambda *a, **k: None)
                model.fit(X)
            assert np.isfinite(model.score(X))
            assert np.isfinite(model.covars_).all()
            np.testing.assert_allclose(model.transmat_.sum(axis=1), 1, rtol=1e-9)


def test_an_empty_state_is_seeded_anew():
    rng = np.random.default_rng(1)
    X = np.r_[rng.normal(0, 1, 100), rng.normal(8, 1, 100), rng.normal(0, 1, 100)][:, None]
    model = hmm.GaussianHMM(2, n_iter=40, init_params="")
    model.startprob_, model.transmat_ = [1.0, 0.0], [[0.5, 0.5], [0.5, 0.5]]
    model.means_, model.covars_ = [[3.0], [1e6]], [[16.0], [1.0]]  # the second state explains nothing
    model.fit(X)
    np.testing.assert_allclose(np.sort(model.means_.ravel()), [0, 8], atol=0.5)


def test_variance_floor():
    X = np.r_[np.zeros(50), np.random.default_rng(0).normal(10, 1, 50)][:, None]
    model = hmm.GaussianHMM(2, covars_prior=0.0, variance_floor=1e-3, n_iter=20, random_state=0).fit(X)
    assert model.covars_.min() == pytest.approx(1e-3 * X.var(ddof=1), rel=1e-9)


def test_a_state_that_never_leaves_keeps_its_row():
    """hmmlearn leaves a row of zeros where no transition was seen, and then refuses its own model."""
    X = np.array([[0], [0], [0], [1]])
    model = hmm.CategoricalHMM(2, n_iter=5, init_params="")
    model.startprob_, model.transmat_ = [1.0, 0.0], [[0.5, 0.5], [0.3, 0.7]]
    model.emissionprob_ = [[1.0, 0.0], [0.0, 1.0]]
    model.fit(X)
    np.testing.assert_allclose(model.transmat_, [[2 / 3, 1 / 3], [0.3, 0.7]], rtol=1e-12)


def test_priors_pull():
    X = data("gaussian", np.random.default_rng(2))
    far = hmm.GaussianHMM(3, means_prior=50.0, means_weight=1e6, random_state=0, n_iter=3).fit(X)
    np.testing.assert_allclose(far.means_, 50, atol=0.1)
    sticky = hmm.GaussianHMM(3, transmat_prior=1 + 1e6 * np.eye(3), random_state=0, n_iter=3).fit(X)
    np.testing.assert_allclose(sticky.transmat_, np.eye(3), atol=1e-3)
    wide = hmm.GaussianHMM(3, covars_prior=1e6, covars_weight=1e3, random_state=0, n_iter=3).fit(X)
    assert (np.diagonal(wide.covars_, axis1=1, axis2=2) > 500).all()


def test_callbacks_watch_and_stop():
    X = data("gaussian", np.random.default_rng(2))
    history = History()
    model = hmm.GaussianHMM(3, n_iter=7, tol=-np.inf, n_init=2, random_state=0, callbacks=[history]).fit(X)
    assert [(r.restart, r.iteration) for r in history.records] == [
        (s, i) for s in (0, 1) for i in range(1, 8)
    ]
    assert model.lower_bound_ == max(r.objective for r in history.records)
    stopped = hmm.GaussianHMM(3, n_iter=500, tol=-np.inf, random_state=0, callbacks=[EarlyStop(1e-3, 2)]).fit(
        X
    )
    assert stopped.n_iter_ < 100


def test_float32_rows_give_the_same_model():
    X = data("gaussian", np.random.default_rng(2)).astype(np.float32)
    single = hmm.GaussianHMM(3, "full", random_state=0).fit(X)
    double = hmm.GaussianHMM(3, "full", random_state=0).fit(X.astype(np.float64))
    assert single.means_.dtype == np.float64
    np.testing.assert_allclose(single.means_, double.means_, rtol=1e-4, atol=1e-4)
