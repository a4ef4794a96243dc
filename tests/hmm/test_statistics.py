"""The sums of an E-step by blocks: partial, combine, finish are an iteration; online EM uses them."""

import copy
import pickle

import numpy as np
import pytest

from mlcore import hmm
from mlcore.hmm import HMMStatistics
from mlcore.hmm._families import FAMILIES

LENGTHS = [40, 1, 59, 30]
SPLITS = ([0], [1, 2], [3])  # sequences of each block
KINDS = ("spherical", "diag", "tied", "full")
COLUMNS = {
    "gaussian": lambda s, r: r.normal(2.0 * s, 1 + 0.2 * s),
    "student_t": lambda s, r: 3.0 * s + r.standard_t(2.5, size=len(s)),
    "gamma": lambda s, r: r.gamma(1 + 2.0 * s, 1.5),
    "poisson": lambda s, r: r.poisson(1 + 3 * s),
    "negative_binomial": lambda s, r: r.negative_binomial(2, 1 / (2 + 2 * s)),
    "zero_inflated_poisson": lambda s, r: r.poisson(1 + 4 * s) * (r.random(len(s)) < 0.6),
    "categorical": lambda s, r: (s + (r.random(len(s)) < 0.3)) % 3,
}
MODELS = {
    "categorical": lambda **k: hmm.CategoricalHMM(3, **k),
    "poisson": lambda **k: hmm.PoissonHMM(3, **k),
    "multinomial": lambda **k: hmm.MultinomialHMM(3, **k),
    "variational categorical": lambda **k: hmm.VariationalCategoricalHMM(3, **k),
    **{f"gaussian {kind}": lambda kind=kind, **k: hmm.GaussianHMM(3, kind, **k) for kind in KINDS},
    **{
        f"mixture {kind}": lambda kind=kind, **k: hmm.GMMHMM(3, 2, covariance_type=kind, **k)
        for kind in KINDS
    },
    **{
        f"variational gaussian {kind}": lambda kind=kind, **k: hmm.VariationalGaussianHMM(3, kind, **k)
        for kind in KINDS
    },
    **{f"mixed {name}": lambda name=name, **k: hmm.MixedHMM(3, families=name, **k) for name in COLUMNS},
    "durations": lambda **k: hmm.HSMM(3, families="gaussian", max_duration=4, **k),
    "durations poisson": lambda **k: hmm.HSMM(3, families="poisson", max_duration=4, duration="poisson", **k),
}
#: whose M-step with the rows at hand (ECME) is not the one with the sums
BY_ROWS = "mixed student_t"
every_model = pytest.mark.parametrize("name", MODELS)


def rows(name):
    rng = np.random.default_rng(3)
    steps = np.repeat(rng.integers(3, size=13), 10)
    family = name.split()[-1]
    if "categorical" in name:
        column = (steps + (rng.random(130) < 0.3)) % 3
    elif name.startswith("mixed"):
        column = COLUMNS[family](steps, rng)
    elif name.startswith("durations"):
        column = COLUMNS["poisson" if "poisson" in name else "gaussian"](steps, rng)
    elif name == "poisson":
        return rng.poisson(1 + 4 * steps[:, None] * [1, 0.5]).astype(float)
    elif name == "multinomial":
        P = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])
        return np.array([rng.multinomial(6, P[s]) for s in steps]).astype(float)
    else:
        return steps[:, None] * [2.0, -1.0] + rng.normal(size=(130, 2)) @ [[1, 0.4], [0, 0.7]]
    return np.asarray(column, dtype=float)[:, None]


def with_gaps(X, share=0.1):
    gone = np.random.default_rng(1).random(X.shape) < share
    return np.where(gone.any(axis=1, keepdims=True) if X.shape[1] == 3 else gone, np.nan, X)


def blocks(X, weights):
    ends = np.cumsum([0, *LENGTHS])
    for part in SPLITS:
        where = np.concatenate([np.arange(ends[s], ends[s + 1]) for s in part])
        yield X[where], [LENGTHS[s] for s in part], [weights[s] for s in part]


def values(thing):
    """All numbers of a nest of parameters."""
    if isinstance(thing, dict):
        thing = list(thing.values())
    if isinstance(thing, list):
        return np.concatenate([values(part) for part in thing])
    return np.ravel(np.asarray(thing, dtype=float))


def parameters(model):
    return {
        name: values(value)
        for name, value in vars(model).items()
        if (name.endswith("_") or name == "_covars_") and name not in ("n_iter_", "lower_bound_")
    }


def assert_same_parameters(one, other, rtol=1e-9):
    one, other = parameters(one), parameters(other)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=1e-10, err_msg=name)


@every_model
def test_blocks_are_an_iteration(name):
    X, weights = with_gaps(rows(name)), [1.0, 2.0, 0.5, 1.5]
    start = MODELS[name](n_iter=0, random_state=1).fit(X, LENGTHS, sample_weight=weights)
    before = pickle.dumps(start)
    parts = [
        HMMStatistics.partial(block, start, lengths, sample_weight=w)
        for block, lengths, w in blocks(X, weights)
    ]
    whole = HMMStatistics.partial(X, start, LENGTHS, sample_weight=weights)
    assert whole.n_rows == 40 + 2 + 29.5 + 45
    once = MODELS[name](n_iter=1, random_state=1).fit(X, LENGTHS, sample_weight=weights)
    kept = [pickle.dumps(part) for part in parts]
    travelled = [pickle.loads(part) for part in kept]
    for together in (
        parts[0].combine(*parts[1:]),
        parts[0].combine(travelled[1].combine(travelled[2])),
        whole,
    ):
        assert together.n_rows == whole.n_rows
        assert together.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
        moved = together.finish(start)
        assert moved.lower_bound_ == pytest.approx(once.lower_bound_, rel=1e-12)
        assert moved.n_iter_ == len(moved.monitor_.history) == 1
        if name != BY_ROWS:
            assert_same_parameters(moved, once)
    resumed = copy.deepcopy(start).partial_fit(X, LENGTHS)
    assert "_online" not in vars(HMMStatistics.partial(X, resumed, LENGTHS).finish(resumed))
    assert kept == [pickle.dumps(part) for part in parts]
    assert before == pickle.dumps(start)
    first = parts[0].finish(start)
    assert np.abs(first.transmat_ - once.transmat_).max() > 1e-4


@every_model
def test_iterations_by_blocks_never_lose(name):
    X = rows(name)
    model = MODELS[name](n_iter=0, random_state=1)
    if name.startswith("gaussian"):
        model.set_params(covars_prior=0.0, covars_weight=0.0)
    model.fit(X, LENGTHS)
    for _ in range(25):
        first, *rest = (HMMStatistics.partial(block, model, n) for block, n, _ in blocks(X, [1] * 4))
        model = first.combine(*rest).finish(model)
    history = np.array(model.monitor_.history)
    assert len(history) == model.n_iter_ == 25
    assert (np.diff(history) / np.abs(history[:-1])).min() > -1e-10
    assert history[-1] > history[0]


@every_model
def test_partial_fit_of_one_batch_is_one_iteration(name):
    X = rows(name)
    once = MODELS[name](n_iter=1, random_state=0).fit(X, LENGTHS)
    online = MODELS[name](random_state=0).partial_fit(X, LENGTHS)
    if name != BY_ROWS:
        assert_same_parameters(online, once)
    start = online.score(X, LENGTHS)
    for _ in range(5):
        online.partial_fit(X, LENGTHS)
    assert online.n_iter_ == 6
    assert len(online.monitor_.history) == 6
    assert online.score(X, LENGTHS) > start


@every_model
def test_online_em_keeps_the_past(name):
    """Two batches: the mean of their sums per row, with the weights of the step sizes."""
    X = rows(name)
    (one, n_one, _), (two, n_two, _), _ = blocks(X, [1] * 4)
    model = MODELS[name](random_state=0)
    before = copy.deepcopy(model.partial_fit(X, LENGTHS))
    start = copy.deepcopy(before)
    del start._online
    # both batches with the parameters of one model, so that their sums are those of partial
    a = HMMStatistics.partial(one, start, n_one)
    b = HMMStatistics.partial(two, start, n_two)
    start.partial_fit(one, n_one)
    kept = start._online["statistics"]
    np.testing.assert_allclose(kept["trans"], a.sums["trans"] / a.n_rows, rtol=1e-12)
    vars(start).update({k: v for k, v in vars(before).items() if k != "_online"})
    start.partial_fit(two, n_two)
    rate = 2.0**-0.7
    expected = (1 - rate) * a.sums["trans"] / a.n_rows + rate * b.sums["trans"] / b.n_rows
    np.testing.assert_allclose(start._online["statistics"]["trans"], expected, rtol=1e-12)
    assert start._online["rows"] == a.n_rows + b.n_rows


@pytest.mark.parametrize("family", COLUMNS)
def test_sums_of_a_family_add_up(family):
    """Also when the sums were taken about different centres, as those of batches are."""
    rng = np.random.default_rng(0)
    x = np.asarray(COLUMNS[family](np.repeat([0, 1, 2], 30), rng), dtype=float)
    weights = rng.random((90, 2))
    column = FAMILIES[family]
    p = column.start(x, 2)
    if family == "categorical":
        p["probabilities"] = np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])
    name = {"gaussian": "mean", "student_t": "location"}.get(family)
    whole = column.sums(x, weights, p)
    first, second = column.sums(x[:50], weights[:50], p), column.sums(x[50:], weights[50:], p)
    if name is not None:  # as if the second had been taken about another centre
        delta = np.array([0.7, -2.0])
        weight = second["total" if name == "mean" else "precision"]
        second = second | {
            "shift": second["shift"] + delta,
            "first": second["first"] - delta * weight,
            "second": second["second"] - 2 * delta * second["first"] + delta**2 * weight,
        }
    found = column.maximum(column.mixed(first, 1.0, second, 1.0), p)
    expected = column.maximum(whole, p)
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-10, err_msg=key)
    assert any(np.abs(found[key] - p[key]).max() > 1e-3 for key in found)


def test_sums_of_student_t_lead_to_the_likeliest_parameters():
    """Slowly: where the updates by rows (ECME) come to rest, those by sums do as well."""
    x = 2.0 + 1.5 * np.random.default_rng(0).standard_t(3.0, size=4000)
    weights, family = np.ones((4000, 1)), FAMILIES["student_t"]
    p = family.start(x, 1)
    for _ in range(40):
        p = family.update(x, weights, p)
    q = p | {"dof": np.array([4.0])}
    for _ in range(400):
        q = family.maximum(family.sums(x, weights, q), q)
    for key in p:
        np.testing.assert_allclose(q[key], p[key], rtol=1e-3, err_msg=key)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mixture", [False, True])
def test_parameters_set_by_hand_get_a_floor(kind, mixture):
    """A model that has seen no rows takes the variance that its floor is relative to from the sums."""
    X = np.r_[np.zeros(80), np.random.default_rng(0).normal(1000, 1, 20)][:, None]
    shape = {"spherical": (), "diag": (1,), "tied": (1, 1), "full": (1, 1)}[kind]
    if mixture:
        model = hmm.GMMHMM(2, 1, covariance_type=kind, variance_floor=1e-3)
        model.weights_, model.means_ = np.ones((2, 1)), np.array([[[0.0]], [[1000.0]]])
        model.covars_ = np.ones((2,) + (() if kind == "tied" else (1,)) + shape)
    else:
        model = hmm.GaussianHMM(2, kind, covars_prior=0.0, covars_weight=0.0, variance_floor=1e-3)
        model.means_ = [[0.0], [1000.0]]
        model.covars_ = np.ones(shape) if kind == "tied" else np.ones((2, *shape))
    model.startprob_, model.transmat_ = [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]
    moved = HMMStatistics.partial(X, model).finish(model)
    np.testing.assert_allclose(np.ravel(moved.covars_), 1e-3 * X.var(), rtol=1e-5)


def test_statistics_that_do_not_belong_together():
    X = rows("gaussian diag")
    two, three = (hmm.GaussianHMM(k, random_state=0).fit(X) for k in (2, 3))
    full = hmm.GaussianHMM(3, "full", random_state=0).fit(X)
    statistics = HMMStatistics.partial(X, three)
    for other in (two, full):
        with pytest.raises(ValueError, match="different kinds or sizes"):
            statistics.combine(HMMStatistics.partial(X, other))
    with pytest.raises(ValueError, match="of 3 states, the model has 2"):
        statistics.finish(two)
    with pytest.raises(ValueError, match="X has 1 features"):
        HMMStatistics.partial(X[:, :1], three)
    with pytest.raises(ValueError, match="add up to 7"):
        HMMStatistics.partial(X, three, [7])
    impossible = hmm.CategoricalHMM(1)
    impossible.startprob_, impossible.transmat_, impossible.emissionprob_ = [1.0], [[1.0]], [[1.0, 0.0]]
    with pytest.raises(ValueError, match="block has probability zero"):
        HMMStatistics.partial([[1]], impossible)


def test_letters_say_what_moves():
    X = rows("gaussian diag")
    start = hmm.GaussianHMM(3, n_iter=0, params="m", random_state=0).fit(X, LENGTHS)
    moved = HMMStatistics.partial(X, start, LENGTHS).finish(start)
    np.testing.assert_array_equal(moved.transmat_, start.transmat_)
    np.testing.assert_array_equal(moved.covars_, start.covars_)
    assert np.abs(moved.means_ - start.means_).max() > 1e-3


@pytest.mark.parametrize("jobs", [2, 7])
def test_threads_do_not_change_the_sums(jobs):
    X = rows("gaussian full")
    one = hmm.GaussianHMM(3, "full", n_iter=0, random_state=0, n_jobs=1).fit(X, LENGTHS)
    many = hmm.GaussianHMM(3, "full", n_iter=0, random_state=0, n_jobs=jobs).fit(X, LENGTHS)
    a, b = (HMMStatistics.partial(X, model, LENGTHS).sums for model in (one, many))
    assert all(np.array_equal(a[name], b[name]) for name in a)
