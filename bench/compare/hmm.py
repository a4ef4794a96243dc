"""Hidden Markov models against hmmlearn, in probability space ("scaling") and in log space, and pomegranate.

Everybody starts EM from the same parameters and runs the same number of iterations without a stopping rule.
The log-likelihood of the fitted parameters and the state paths are checked outside the timed part.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .case import BEST, Area, Arrays, Case, Contender, Job, Outcome, Row, Work
from .data import Source

OURS, SCALING, LOG, POMEGRANATE = "mlcore", "hmmlearn scaling", "hmmlearn log", "pomegranate"
PARAMETERS = ("startprob_", "transmat_", "means_", "covars_", "emissionprob_")


# --- data ---------------------------------------------------------------------------------------------------
def chain(rng: np.random.Generator, K: int, stay: float = 0.7) -> np.ndarray:
    A = (1 - stay) * rng.dirichlet(np.ones(K), K) + stay * np.eye(K)
    return A / A.sum(axis=1, keepdims=True)


def draw_states(rng: np.random.Generator, A: np.ndarray, sequences: int, length: int) -> np.ndarray:
    """Sequences side by side, so that the Python loop is over time only."""
    cumulated = np.cumsum(A, axis=1)
    states = np.empty((length, sequences), dtype=np.int64)
    states[0] = rng.integers(len(A), size=sequences)
    for t in range(1, length):
        u = rng.random(sequences)
        states[t] = np.minimum((cumulated[states[t - 1]] < u[:, None]).sum(axis=1), len(A) - 1)
    return states.T.ravel()


def gaussian(K: int, d: int, sequences: int, length: int, kind: str) -> Callable[[Source, int], Arrays]:
    def make(_: Source, shrink: int) -> Arrays:
        rng = np.random.default_rng(0)
        n = max(2, length // shrink) if sequences == 1 else length
        count = 1 if sequences == 1 else max(2, sequences // shrink)
        means = 2.0 * rng.standard_normal((K, d))
        # A long sequence is drawn in 100 pieces: nobody is faster or slower for that.
        pieces = 100 if count == 1 and n % 100 == 0 else 1
        states = draw_states(rng, chain(rng, K), count * pieces, n // pieces)
        X = means[states] + rng.standard_normal((len(states), d))
        covars = np.ones((K, d)) if kind == "diag" else np.tile(np.eye(d), (K, 1, 1))
        return {
            "X": X,
            "lengths": np.full(count, n, dtype=np.int64),
            "startprob_": np.full(K, 1 / K),
            "transmat_": chain(rng, K, 0.5),
            "means_": means + 0.5 * rng.standard_normal((K, d)),
            "covars_": covars,
        }

    return make


def with_categorical_start(symbols: np.ndarray, K: int, M: int, seed: int = 1) -> Arrays:
    rng = np.random.default_rng(seed)
    emission = rng.dirichlet(np.full(M, 5.0), K)
    return {
        "X": np.ascontiguousarray(symbols[:, None]),
        "lengths": np.array([len(symbols)], dtype=np.int64),
        "startprob_": np.full(K, 1 / K),
        "transmat_": chain(rng, K, 0.5),
        "emissionprob_": emission,
    }


def categorical(K: int, M: int, length: int) -> Callable[[Source, int], Arrays]:
    def make(_: Source, shrink: int) -> Arrays:
        rng = np.random.default_rng(0)
        states = draw_states(rng, chain(rng, K), 100, length // 100 // shrink)
        cumulated = np.cumsum(rng.dirichlet(np.full(M, 0.3), K), axis=1)
        u = rng.random(len(states))
        symbols = np.minimum((cumulated[states] < u[:, None]).sum(axis=1), M - 1)
        return with_categorical_start(symbols, K, M)

    return make


def dna(source: Source, shrink: int) -> Arrays:
    codes = np.asarray(source.load("dna_lambda").codes, dtype=np.int64)
    return with_categorical_start(codes[: len(codes) // shrink], 5, 4)


# --- contenders ---------------------------------------------------------------------------------------------
def model_of(case: Case, library: str, n_iter: int = 1, **given: Any) -> Any:
    """An unfitted model that holds the start parameters."""
    gaussian_case = "means_" in case.arrays
    name = "GaussianHMM" if gaussian_case else "CategoricalHMM"
    if library == "mlcore":
        import mlcore.hmm as module

        given["n_jobs"] = case.threads
    else:
        import hmmlearn.hmm as module  # type: ignore[no-redef]
    options: dict[str, Any] = {"n_iter": n_iter, "tol": -np.inf, "init_params": "", **given}
    if gaussian_case:
        options["covariance_type"] = "diag" if case["covars_"].ndim == 2 else "full"
    model = getattr(module, name)(len(case["startprob_"]), **options)
    if not gaussian_case:
        model.n_features = case["emissionprob_"].shape[1]
    for parameter in PARAMETERS:
        if parameter in case.arrays:
            setattr(model, parameter, case[parameter].copy())
    return model


def packed(model: Any) -> np.ndarray:
    return np.concatenate([np.ravel(getattr(model, p)) for p in PARAMETERS if hasattr(model, p)])


def em(library: str, n_iter: int, **given: Any) -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        X, lengths = case["X"], case["lengths"]

        def run() -> Outcome:
            model = model_of(case, library, n_iter, **given).fit(X, lengths)
            return Outcome(centers=packed(model), n_iter=int(model.monitor_.iter))

        return Job(run)

    return prepare


def call(library: str, method: str, **given: Any) -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        X, lengths = case["X"], case["lengths"]
        model = model_of(case, library, **given)

        def run() -> Outcome:
            result = getattr(model, method)(X, lengths)
            if method == "predict":
                return Outcome(labels=result)
            if method == "predict_proba":
                return Outcome(centers=result)
            return Outcome(quality={"loss": -float(result)})

        return Job(run)

    return prepare


def sample(library: str, steps: int) -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        model = model_of(case, library)

        def run() -> Outcome:
            X, _ = model.sample(steps, random_state=0)
            return Outcome(quality={"mean": float(np.mean(X))})

        return Job(run)

    return prepare


# --- pomegranate: sequences of one length, all at once, a loop in Python over time --------------------------
def pomegranate_model(case: Case, n_iter: int = 1) -> tuple[Any, Any]:
    """A model with the start parameters in float64, and the sequences as a tensor (sequences, T, d)."""
    import torch

    try:
        import apricot  # noqa: F401
    except ImportError:
        # Needs numba, and is used for choosing exemplars to start from, which nobody does here.
        stand_in = types.ModuleType("apricot")
        stand_in.FacilityLocationSelection = stand_in.FeatureBasedSelection = None  # type: ignore[attr-defined]
        sys.modules["apricot"] = stand_in
    from pomegranate.distributions import Normal  # type: ignore[import-not-found]
    from pomegranate.hmm import DenseHMM  # type: ignore[import-not-found]

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(case.threads)
    kind = "diag" if case["covars_"].ndim == 2 else "full"
    K, d = case["means_"].shape
    end = 1e-12  # it knows chains with an end only, and estimates its probability
    model = DenseHMM(
        [
            Normal(torch.tensor(mean), torch.tensor(covar), covariance_type=kind)
            for mean, covar in zip(case["means_"], case["covars_"])
        ],
        edges=case["transmat_"] * (1 - end),
        starts=case["startprob_"],
        ends=np.full(K, end),
        max_iter=n_iter,
        tol=0,
    )
    return model, torch.tensor(case["X"].reshape(len(case["lengths"]), -1, d))


def pomegranate_em(n_iter: int) -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        def run() -> Outcome:
            model, X = pomegranate_model(case, n_iter)
            model.fit(X)
            parts = [model.starts.exp(), model.edges.exp()]
            parts += [
                t for name in ("means", "covs") for t in (getattr(s, name) for s in model.distributions)
            ]
            return Outcome(centers=np.concatenate([p.detach().numpy().ravel() for p in parts]), n_iter=n_iter)

        return Job(run)

    return prepare


def pomegranate_call(method: str) -> Callable[[Case], Job]:
    def prepare(case: Case) -> Job:
        model, X = pomegranate_model(case)

        def run() -> Outcome:
            # Its `predict` is that of the posteriors.
            if method == "predict":
                return Outcome(labels=model.viterbi(X).numpy().ravel())
            return Outcome(centers=model.predict_proba(X).numpy().reshape(len(case["X"]), -1))

        return Job(run)

    return prepare


def contenders(
    make: Callable[..., Any], *arguments: Any, log: bool = True, batch: bool = False
) -> tuple[Contender, ...]:
    found = [
        Contender(OURS, "mlcore", "mlcore.hmm", make("mlcore", *arguments)),
        Contender(
            SCALING, "hmmlearn", "hmmlearn.hmm", make("hmmlearn", *arguments, implementation="scaling")
        ),
    ]
    if log:
        found.append(
            Contender(LOG, "hmmlearn", "hmmlearn.hmm", make("hmmlearn", *arguments, implementation="log"))
        )
    if batch:
        other = {em: pomegranate_em, call: pomegranate_call}[make]
        found.append(Contender(POMEGRANATE, "pomegranate", "pomegranate", other(*arguments)))
    return tuple(found)


# --- checks and limits --------------------------------------------------------------------------------------
def log_likelihood(arrays: Arrays, parameters: np.ndarray) -> float:
    """Of packed parameters, for everybody by the same code."""
    from mlcore import _core

    parts: dict[str, np.ndarray] = {}
    at = 0
    K = len(arrays["startprob_"])
    for name in PARAMETERS:
        if name not in arrays:
            continue
        shape = arrays[name].shape
        if name == "covars_" and len(shape) == 2:
            # hmmlearn hands out diagonal covariances as matrices
            size = parameters.size - at
            shape = (K, shape[1], shape[1]) if size == K * shape[1] ** 2 else shape
        size = int(np.prod(shape))
        parts[name] = parameters[at : at + size].reshape(shape).copy()
        at += size
    offsets = np.concatenate([[0], np.cumsum(arrays["lengths"])]).astype(np.int64)
    X = arrays["X"]
    if "means_" in parts:
        covars = parts["covars_"]
        kind = "diag" if arrays["covars_"].ndim == 2 else "full"
        if kind == "diag" and covars.ndim == 3:
            covars = np.einsum("kii->ki", covars).copy()
        emission: tuple[Any, ...] = ("gaussian", kind, parts["means_"], covars)
    else:
        emission, X = ("categorical", parts["emissionprob_"]), np.ascontiguousarray(X[:, 0])
    scores = _core.hmm.score(emission, X, offsets, parts["startprob_"], parts["transmat_"], None, 0)
    return float(scores.sum())


def check_fit(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    assert outcome.centers is not None
    return {"loss": -log_likelihood(arrays, outcome.centers)}


def check_posteriors(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    """Compared by the most probable state of each row, which is not part of the timed work."""
    assert outcome.centers is not None
    outcome.labels = outcome.centers.argmax(axis=1)
    return {"loss": 0.0}


def check_nothing(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    return {"loss": outcome.quality.get("loss", 0.0)}


def passes(iterations: float, sweeps: float, statistics: bool) -> Callable[[Arrays, Mapping[str, Any]], Work]:
    """`sweeps` products of K^2 multiply-adds an observation, densities, and the sums of an E-step."""

    def work(arrays: Arrays, result: Mapping[str, Any]) -> Work:
        X, K = arrays["X"], len(arrays["startprob_"])
        n, d = X.shape
        per_row = sweeps * 2.0 * K * K + 20.0 * K  # an exponential or a division costs about that much
        if "means_" in arrays:
            columns = 2 * d if arrays["covars_"].ndim == 2 else d * (d + 3) // 2
            per_row += 2.0 * K * columns * (2.0 if statistics else 1.0)
        return Work(iterations * n * per_row, iterations * float(X.nbytes), "float64")

    return work


def few(arrays: Arrays) -> Arrays:
    """The first 200 observations, as one sequence; all for many states, too many for the peers to fit."""
    if len(arrays["startprob_"]) > 20:
        return arrays
    n = min(200, int(arrays["lengths"][0]))
    return {**arrays, "X": arrays["X"][:n].copy(), "lengths": np.array([n], dtype=np.int64)}


# --- rows ---------------------------------------------------------------------------------------------------
def em_row(name: str, title: str, make: Any, n_iter: int, goal: float, batch: bool = False) -> Row:
    return Row(
        f"em-{name}",
        f"EM, {n_iter} iterations, {title}",
        contenders(em, n_iter, batch=batch),
        make,
        passes(n_iter, 3.0, True),
        check_fit,
        SCALING,
        warm=few,
        goals={BEST: goal},
        objective="loss",
        slack=1e-8,
        calls=3 if name == "dna" else 1,
    )


def call_row(
    name: str, title: str, method: str, make: Any, goal: float, calls: int, batch: bool = False
) -> Row:
    return Row(
        name,
        title,
        contenders(call, method, batch=batch),
        make,
        passes(1, 2.0 if method == "predict_proba" else 1.0, False),
        check_posteriors if method == "predict_proba" else check_nothing,
        SCALING,
        warm=few,
        goals={BEST: goal},
        objective="loss",
        slack=1e-8,
        calls=calls,
    )


def sampling(library: str, steps: int, **_: Any) -> Callable[[Case], Job]:
    return sample(library, steps)


def rows() -> tuple[Row, ...]:
    small, large = (8, 4, 100, 1000), (50, 10, 200, 50)
    found = []
    for kind in ("diag", "full"):
        for K, d, sequences, length in (small, large):
            title = f"GaussianHMM {kind}, K = {K}, d = {d}, {sequences} × {length:,}"
            make = gaussian(K, d, sequences, length, kind)
            found.append(em_row(f"{kind}-{K}", title, make, 10, 10.0, batch=True))
    symbols = categorical(16, 64, 1_000_000)
    long = gaussian(4, 4, 1, 1_000_000, "diag")
    short = gaussian(3, 4, 10_000, 20, "diag")
    found += [
        em_row("symbols", "CategoricalHMM, K = 16, M = 64, 1,000,000 symbols", symbols, 2, 15.0),
        em_row("dna", "CategoricalHMM, K = 5, phage lambda (48,502)", dna, 10, 15.0),
        em_row("long", "GaussianHMM diag, K = 4, d = 4, 1 × 1,000,000", long, 3, 8.0),
        em_row("short", "GaussianHMM diag, K = 3, d = 4, 10,000 × 20", short, 3, 8.0, batch=True),
    ]
    decoded = (
        ("gauss", "K = 8, d = 4, 100 × 1,000", gaussian(*small, "diag"), True),
        ("gauss-50", "K = 50, d = 10, 200 × 50", gaussian(*large, "diag"), True),
        ("symbols", "K = 16, M = 64, 1,000,000 symbols", symbols, False),
        ("dna", "K = 5, phage lambda (48,502)", dna, False),
        ("long", "K = 4, d = 4, 1 × 1,000,000", long, False),
        ("short", "K = 3, d = 4, 10,000 × 20", short, True),
    )
    for name, title, make, batch in decoded:
        calls = 3 if name in ("symbols", "long") else 15
        for task, method in (("viterbi", "predict"), ("posterior", "predict_proba")):
            words = {"viterbi": "Viterbi", "posterior": "posteriors"}[task]
            found.append(
                call_row(f"{task}-{name}", f"{words}, {title}", method, make, 8.0, calls=calls, batch=batch)
            )
    found.append(
        Row(
            "sample",
            "sample 1,000,000 steps, GaussianHMM diag, K = 8, d = 4",
            contenders(sampling, 1_000_000, log=False),
            gaussian(*small, "diag"),
            lambda arrays, result: Work(1e6 * 100.0, 1e6 * 5 * 8.0, "float64"),
            check_nothing,
            SCALING,
            goals={BEST: 100.0},
            objective="loss",
            slack=float("inf"),
        )
    )
    found.append(
        call_row(
            "tiny", "score, K = 3, d = 4, 1 × 50", "score", gaussian(3, 4, 1, 50, "diag"), 3.0, calls=300
        )
    )
    return tuple(found)


NOTES = """\
- Same data, same start parameters, the same number of EM iterations, no stopping rule; float64. **loss** is
  the negative log-likelihood of the fitted parameters, computed for everybody by the same code; a peer that
  ends more than 1e-8 (relative) above the reference is shown but is not the best peer.
- pomegranate knows chains with an end only and estimates its probability, so its log-likelihood is another
  one; it takes part where all sequences have one length. Its loop over time is in Python: on one sequence of
  48,502 symbols an iteration takes seconds, on 1,000,000 steps minutes.
- **Limit** is the time of 2 K^2 operations for each of the forward, backward and pair sums, of the densities
  and moments, and of 20 operations per state and observation for exponentials, at the measured rate of
  matrix products; or of one reading of X at the measured copy bandwidth.
- **Differs** is the share of rows whose state is not the reference's.
"""

AREA = Area("hmm", rows(), NOTES)
