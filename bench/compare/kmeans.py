"""k-means against scikit-learn, scikit-learn-intelex and faiss.

All contenders of a row start from the same centres (but for the seeding rows) and stop by the same rule:
scikit-learn's relative tolerance 1e-4, at most 300 iterations. faiss has no tolerance and
scikit-learn-intelex compares the objective instead of the centres, so both get scikit-learn's iteration count
as their maximum. The inertia and the labels are checked outside the timed part, for everybody by the same
float64 code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .case import BEST, Area, Arrays, Case, Contender, Job, Outcome, Row, Unavailable, Work
from .data import Source, blobs, random_rows, sparse_topics, tfidf

MAX_ITER = 300
TOL = 1e-4
SEED = 0
STEPS = 20


def matrix(arrays: Mapping[str, np.ndarray]) -> Any:
    """X of a case: the dense array or the CSR matrix."""
    if "X" in arrays:
        return arrays["X"]
    from scipy.sparse import csr_matrix

    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    return csr_matrix(parts, shape=tuple(arrays["shape"]))


# --- checks -------------------------------------------------------------------------------------------------
def inertia(arrays: Arrays, labels: np.ndarray, centers: np.ndarray) -> float:
    """Sum of squared distances of the rows to the centres that the labels name, in float64."""
    X, centers = matrix(arrays), np.asarray(centers, dtype=np.float64)
    total, block = 0.0, 8192
    for start in range(0, X.shape[0], block):
        rows, own = X[start : start + block], labels[start : start + block]
        if "X" in arrays:
            difference = rows.astype(np.float64) - centers[own]
            total += float(np.einsum("ij,ij->", difference, difference))
        else:
            rows = rows.astype(np.float64)
            cross = np.asarray(rows.multiply(centers[own]).sum())
            total += float(rows.multiply(rows).sum() - 2.0 * cross + np.sum(centers[own] ** 2))
    return total


def potential(arrays: Arrays, centers: np.ndarray) -> float:
    """Sum of squared distances to the nearest centre, in float64: what seeding wants small."""
    X, centers = arrays["X"], np.asarray(centers, dtype=np.float64)
    total, block, norms = 0.0, 8192, np.einsum("ij,ij->i", centers, centers)
    for start in range(0, X.shape[0], block):
        rows = X[start : start + block].astype(np.float64)
        nearest = (norms - 2.0 * (rows @ centers.T)).min(axis=1) + np.einsum("ij,ij->i", rows, rows)
        total += float(np.maximum(nearest, 0.0).sum())
    return total


def check_fit(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    assert outcome.labels is not None
    assert outcome.centers is not None
    return {"inertia": inertia(arrays, outcome.labels, outcome.centers)}


def check_seeds(arrays: Arrays, outcome: Outcome) -> dict[str, float]:
    assert outcome.centers is not None
    return {"inertia": potential(arrays, outcome.centers)}


# --- contenders ---------------------------------------------------------------------------------------------
def report(model: Any) -> Outcome:
    """Outcome of a fitted estimator of scikit-learn's kind."""
    return Outcome(model.labels_, model.cluster_centers_, int(model.n_iter_))


def intel(model: Any) -> Outcome:
    outcome = report(model)
    if not hasattr(model, "_onedal_estimator"):
        outcome.note = "fell back to scikit-learn"
    return outcome


def iteration_limit(case: Case) -> int:
    return int(case.known.get("n_iter") or MAX_ITER)


def sklearn_class(name: str = "KMeans") -> Any:
    import sklearn.cluster

    return getattr(sklearn.cluster, name)


def mlcore_class(name: str = "KMeans") -> Any:
    import mlcore.cluster

    return getattr(mlcore.cluster, name)


def intel_class() -> Any:
    from sklearnex.cluster import KMeans

    return KMeans


def fit_of(
    load: Callable[[], Any], show: Callable[[Any], Outcome] = report, capped: bool = False, **given: Any
) -> Any:
    """Contender function: a whole fit from the case's centres, `capped` at the reference's iterations."""

    def prepare(case: Case) -> Job:
        X, init, KMeans = matrix(case.arrays), case["init"], load()
        options = {"max_iter": iteration_limit(case) if capped else MAX_ITER, "tol": TOL, **given}
        return Job(lambda: show(KMeans(len(init), init=init, n_init=1, **options).fit(X)))

    return prepare


def step_of(load: Callable[[], Any], show: Callable[[Any], Outcome] = report, **given: Any) -> Any:
    """Contender function: one dense Lloyd step, as a twentieth of the difference of 21 iterations and one."""

    def prepare(case: Case) -> Job:
        X, init, KMeans = case["X"], case["init"], load()

        def fit(iterations: int) -> Any:
            return KMeans(len(init), init=init, n_init=1, max_iter=iterations, tol=0.0, **given).fit(X)

        return Job(lambda: show(fit(STEPS + 1)), lambda: fit(1), STEPS)

    return prepare


def predict_of(
    load: Callable[[], Any], show: Callable[[np.ndarray], np.ndarray] = np.asarray, **given: Any
) -> Any:
    """Contender function: labels of all rows. Fitted to the centres as data, which leaves them unmoved.

    Each centre is there twice because scikit-learn-intelex does not take over a fit with as many rows as
    clusters.
    """

    def prepare(case: Case) -> Job:
        X, init, KMeans = case["X"], case["init"], load()
        model = KMeans(len(init), init=init, n_init=1, max_iter=1, **given).fit(np.concatenate([init, init]))
        return Job(lambda: Outcome(show(model.predict(X)), model.cluster_centers_))

    return prepare


def faiss_kmeans(case: Case, iterations: int) -> Any:
    import faiss

    faiss.omp_set_num_threads(case.threads)
    X, init = case["X"], case["init"]
    # Without the two limits faiss would train on a sample, or complain about few points.
    model = faiss.Kmeans(
        X.shape[1],
        len(init),
        niter=iterations,
        nredo=1,
        seed=1,
        min_points_per_centroid=1,
        max_points_per_centroid=2**31 - 1,
    )
    model.train(X, init_centroids=init)
    return model


def faiss_fit(case: Case) -> Job:
    iterations = iteration_limit(case)

    def run() -> Outcome:  # a fit of the others includes labels_
        model = faiss_kmeans(case, iterations)
        labels = model.index.search(case["X"], 1)[1].ravel()
        return Outcome(labels, model.centroids, iterations)

    return Job(run)


def faiss_step(case: Case) -> Job:
    def run() -> Outcome:
        model = faiss_kmeans(case, STEPS + 1)
        return Outcome(model.index.search(case["X"], 1)[1].ravel(), model.centroids, STEPS + 1)

    def without() -> object:
        return faiss_kmeans(case, 1).index.search(case["X"], 1)

    return Job(run, without, STEPS)


def faiss_predict(case: Case) -> Job:
    import faiss

    faiss.omp_set_num_threads(case.threads)
    index = faiss.IndexFlatL2(case["X"].shape[1])
    index.add(case["init"])
    return Job(lambda: Outcome(index.search(case["X"], 1)[1].ravel(), case["init"]))


def seeding_of(load: Callable[[], Callable[..., Any]]) -> Any:
    """Contender function: k-means++ with the default number of greedy candidates."""

    def prepare(case: Case) -> Job:
        seed, X, k = load(), case["X"], len(case["init"])
        return Job(lambda: Outcome(centers=seed(X, k, random_state=SEED)[0]))

    return prepare


def sklearn_seeding() -> Any:
    from sklearn.cluster import kmeans_plusplus

    return kmeans_plusplus


def mlcore_seeding() -> Any:
    from mlcore.cluster import kmeans_plusplus

    return kmeans_plusplus


def intel_seeding(case: Case) -> Job:
    X, init, KMeans = case["X"], case["init"], intel_class()

    def fit(start: Any) -> Any:
        return KMeans(len(init), init=start, n_init=1, max_iter=1, random_state=SEED, algorithm="lloyd").fit(
            X
        )

    def run() -> Outcome:
        outcome = intel(fit("k-means++"))
        outcome.note = outcome.note or "inertia after one further Lloyd iteration"
        return outcome

    return Job(run, lambda: fit(init))


def minibatch_of(load: Callable[[], Any]) -> Any:
    """Contender function: five epochs in batches of 4,096, without early stopping."""

    def prepare(case: Case) -> Job:
        X, init, MiniBatchKMeans = case["X"], case["init"], load()
        options = {
            "batch_size": 4096,
            "max_iter": 5,
            "max_no_improvement": None,
            "tol": 0.0,
            "random_state": SEED,
        }
        return Job(lambda: report(MiniBatchKMeans(len(init), init=init, n_init=1, **options).fit(X)))

    return prepare


def threads_of(n_jobs: int | None) -> Any:
    """Contender function: twenty iterations with one thread or with all of the budget."""

    def prepare(case: Case) -> Job:
        X, init, KMeans = case["X"], case["init"], mlcore_class()
        options = {"max_iter": 20, "tol": 0.0, "n_jobs": n_jobs}
        return Job(lambda: report(KMeans(len(init), init=init, n_init=1, **options).fit(X)))

    return prepare


def mlcore(prepare: Any, name: str = "mlcore") -> Contender:
    return Contender(name, "mlcore", "mlcore", prepare)


def sklearn(prepare: Any, name: str = "scikit-learn") -> Contender:
    return Contender(name, "scikit-learn", "sklearn", prepare)


def sklearnex(prepare: Any) -> Contender:
    return Contender("scikit-learn-intelex", "scikit-learn-intelex", "sklearnex", prepare)


def faiss(prepare: Any) -> Contender:
    return Contender("faiss", "faiss-cpu", "faiss", prepare)


LLOYD = "scikit-learn lloyd"
FITS_SPARSE = (
    mlcore(fit_of(mlcore_class)),
    sklearn(fit_of(sklearn_class, algorithm="lloyd"), LLOYD),
    sklearnex(fit_of(intel_class, intel, capped=True, algorithm="lloyd")),
)
# scikit-learn's elkan takes minutes on CSR, ten times as long as its lloyd.
FITS = (
    *FITS_SPARSE,
    sklearn(fit_of(sklearn_class, algorithm="elkan"), "scikit-learn elkan"),
    faiss(faiss_fit),
)
STEP = (
    mlcore(step_of(mlcore_class, algorithm="lloyd")),
    sklearn(step_of(sklearn_class, algorithm="lloyd"), LLOYD),
    sklearnex(step_of(intel_class, intel, algorithm="lloyd")),
    faiss(faiss_step),
)
PREDICT = (
    mlcore(predict_of(mlcore_class)),
    sklearn(predict_of(sklearn_class)),
    sklearnex(predict_of(intel_class)),
    faiss(faiss_predict),
)
SEEDING = (
    mlcore(seeding_of(mlcore_seeding)),
    sklearn(seeding_of(sklearn_seeding)),
    sklearnex(intel_seeding),
)
MINIBATCH = (
    mlcore(minibatch_of(lambda: mlcore_class("MiniBatchKMeans"))),
    sklearn(minibatch_of(lambda: sklearn_class("MiniBatchKMeans"))),
)
THREADS = (
    mlcore(threads_of(None), "mlcore all threads"),
    mlcore(threads_of(1), "mlcore 1 thread"),
)


# --- data ---------------------------------------------------------------------------------------------------
def overlapping(n: int, d: int, k: int, dtype: str = "float32") -> Callable[[Source, int], Arrays]:
    def make(source: Source, shrink: int) -> Arrays:
        X = blobs(max(n // shrink, 2 * k), d, k).astype(dtype)
        return {"X": X, "init": random_rows(X, k)}

    return make


def handwritten(k: int, dtype: str = "float32") -> Callable[[Source, int], Arrays]:
    """MNIST's training images."""

    def make(source: Source, shrink: int) -> Arrays:
        images = source.load("mnist")
        X = np.ascontiguousarray(images.X[images.train][::shrink], dtype=dtype)
        return {"X": X, "init": random_rows(X, k)}

    return make


def digits(source: Source, shrink: int) -> Arrays:
    from sklearn.datasets import load_digits

    X = np.ascontiguousarray(load_digits().data, dtype=np.float32)
    return {"X": X, "init": random_rows(X, 10)}


def iris(source: Source, shrink: int) -> Arrays:
    from sklearn.datasets import load_iris

    X = np.ascontiguousarray(load_iris().data, dtype=np.float32)
    return {"X": X, "init": random_rows(X, 3)}


def dense_rows(parts: Arrays, k: int) -> np.ndarray:
    """Starting centres of a sparse case."""
    X = matrix(parts)
    chosen = np.sort(np.random.default_rng(1).choice(X.shape[0], k, replace=False))
    return np.ascontiguousarray(X[chosen].toarray())


def synthetic_sparse(source: Source, shrink: int) -> Arrays:
    parts = sparse_topics(50_000 // shrink, 5_000, 50)
    return {**parts, "init": dense_rows(parts, 50)}


def newsgroups_float64(source: Source, shrink: int) -> Arrays:
    arrays = newsgroups(source, shrink)
    wide = {name: arrays[name].astype(np.float64) for name in ("data", "init")}
    return {**arrays, **wide}


def newsgroups(source: Source, shrink: int) -> Arrays:
    texts = source.load("newsgroups20").texts[::shrink]
    counts, _ = source.module().count_matrix(texts, min_df=5)
    if not hasattr(counts, "toarray"):
        raise Unavailable("needs SciPy")
    parts = tfidf(counts)
    return {**parts, "init": dense_rows(parts, 20)}


def few_rows(arrays: Arrays) -> Arrays:
    """Small case of the same kind for the warm-up call."""
    k = len(arrays["init"])
    n = max(4 * k, 500)
    if "X" in arrays:
        return {**arrays, "X": np.ascontiguousarray(arrays["X"][:n])}
    n = min(n, len(arrays["indptr"]) - 1)
    end = int(arrays["indptr"][n])
    return {
        "data": arrays["data"][:end],
        "indices": arrays["indices"][:end],
        "indptr": arrays["indptr"][: n + 1],
        "shape": np.array([n, int(arrays["shape"][1])], dtype=np.int64),
        "init": arrays["init"],
    }


# --- limits -------------------------------------------------------------------------------------------------
def distances(passes: Callable[[Mapping[str, Any]], float]) -> Callable[[Arrays, Mapping[str, Any]], Work]:
    """Work of `passes` times 2 n k d operations (CSR: 2 nnz k) and one reading of X."""

    def work(arrays: Arrays, result: Mapping[str, Any]) -> Work:
        k = len(arrays["init"])
        if "X" in arrays:
            X, stored = arrays["X"], arrays["X"].size
            dtype, size = str(X.dtype), X.nbytes
        else:
            stored = arrays["data"].size
            dtype, size = str(arrays["data"].dtype), arrays["data"].nbytes + arrays["indices"].nbytes
        times = passes(result)
        return Work(2.0 * stored * k * times, size * times, dtype)

    return work


def whole_fit(result: Mapping[str, Any]) -> float:
    return float(result["n_iter"] or 1) + 1.0  # the last pass gives labels that fit the final centres


def one_pass(result: Mapping[str, Any]) -> float:
    return 1.0


def seeding_work(arrays: Arrays, result: Mapping[str, Any]) -> Work:
    """Each of the k - 1 rounds measures 2 + log k candidates against all rows."""
    X, k = arrays["X"], len(arrays["init"])
    candidates = 2 + int(np.log(k))
    return Work(2.0 * X.size * candidates * (k - 1), float(X.nbytes) * (k - 1), str(X.dtype))


# --- rows ---------------------------------------------------------------------------------------------------
def fit_row(
    name: str, title: str, make: Any, goal: float | None, contenders: tuple[Contender, ...] = FITS
) -> Row:
    return Row(
        name,
        title,
        contenders,
        make,
        distances(whole_fit),
        check_fit,
        LLOYD,
        warm=few_rows,
        goals={BEST: goal} if goal else {},
    )


NO_FLOAT64 = tuple(contender for contender in FITS if contender.name != "faiss")  # faiss knows float32 only
LARGE = (("16", 500_000, 16, 64), ("128", 100_000, 128, 256))


def shape(n: int, d: int, k: int) -> str:
    return f"{n:,} × {d}, k = {k}"


def rows() -> tuple[Row, ...]:
    found = [
        fit_row(f"fit-{i}", f"fit, blobs {shape(n, d, k)}", overlapping(n, d, k), 3.0) for i, n, d, k in LARGE
    ]
    found += [
        fit_row(f"fit-mnist-{k}", f"fit, MNIST {shape(60_000, 784, k)}", handwritten(k), 2.0)
        for k in (10, 100)
    ]
    found += [
        fit_row(
            f"fit-{i}-float64",
            f"fit, blobs {shape(n, d, k)}, float64",
            overlapping(n, d, k, "float64"),
            None,
            NO_FLOAT64,
        )
        for i, n, d, k in LARGE
    ]
    found.append(
        fit_row(
            "fit-mnist-100-float64",
            f"fit, MNIST {shape(60_000, 784, 100)}, float64",
            handwritten(100, "float64"),
            None,
            NO_FLOAT64,
        )
    )
    found.append(fit_row("fit-digits", f"fit, digits {shape(1_797, 64, 10)}", digits, None))
    for (i, n, d, k), goal in zip(LARGE, (1.5, 1.2)):
        found.append(
            Row(
                f"step-{i}",
                f"one dense Lloyd step, {shape(n, d, k)}",
                STEP,
                overlapping(n, d, k),
                distances(one_pass),
                check_fit,
                LLOYD,
                warm=few_rows,
                goals={BEST: goal},
                calls=3,
            )
        )
    for i, n, d, k in LARGE:
        found.append(
            Row(
                f"seed-{i}",
                f"k-means++ seeding, {shape(n, d, k)}",
                SEEDING,
                overlapping(n, d, k),
                seeding_work,
                check_seeds,
                "scikit-learn",
                warm=few_rows,
                goals={"scikit-learn": 10.0, "scikit-learn-intelex": 1.0},
                slack=float("inf"),
            )
        )
    for i, n, d, k in LARGE:
        found.append(
            Row(
                f"predict-{i}",
                f"predict, {shape(n, d, k)}",
                PREDICT,
                overlapping(n, d, k),
                distances(one_pass),
                check_fit,
                "scikit-learn",
                warm=few_rows,
                goals={BEST: 1.5},
                calls=5,
            )
        )
    found.append(
        Row(
            "tiny",
            f"fit, iris {shape(150, 4, 3)}",
            FITS,
            iris,
            distances(whole_fit),
            check_fit,
            LLOYD,
            warm=dict,
            goals={"scikit-learn": 5.0},
            calls=300,
        )
    )
    for i, n, d, k in LARGE:
        found.append(
            Row(
                f"minibatch-{i}",
                f"MiniBatchKMeans, 5 epochs of 4,096, {shape(n, d, k)}",
                MINIBATCH,
                overlapping(n, d, k),
                distances(lambda result: 6.0),
                check_fit,
                "scikit-learn",
                warm=few_rows,
                slack=float("inf"),
            )
        )
    found.append(
        fit_row("sparse", "fit, CSR 50,000 × 5,000, 1 %, k = 50", synthetic_sparse, None, FITS_SPARSE),
    )
    found.append(
        fit_row("sparse-news", "fit, CSR 20 newsgroups tf-idf, k = 20", newsgroups, None, FITS_SPARSE),
    )
    found.append(
        fit_row(
            "sparse-news-float64",
            "fit, CSR 20 newsgroups tf-idf, k = 20, float64",
            newsgroups_float64,
            None,
            FITS_SPARSE,
        ),
    )
    for n, calls in ((100, 300), (1_000, 100), (10_000, 20), (100_000, 5), (1_000_000, 1)):
        found.append(
            Row(
                f"threads-{n}",
                f"all threads against one, {shape(n, 16, 16)}, 20 iterations",
                THREADS,
                overlapping(n, 16, 16),
                distances(whole_fit),
                check_fit,
                "mlcore 1 thread",
                ours="mlcore all threads",
                warm=dict,
                goals={BEST: 0.95},
                calls=calls,
            )
        )
    return tuple(found)


NOTES = """\
- Same data, same starting centres, relative tolerance 1e-4, at most 300 iterations; float32 unless said.
  scikit-learn-intelex and faiss run at most as many iterations as scikit-learn needs; faiss's time includes
  the labels.
- **Limit** is the time of plain Lloyd's arithmetic (2 n k d operations a pass) at the measured matrix-product
  peak, or of reading X once a pass at the measured copy bandwidth, whichever is longer. Bound-based
  algorithms skip distances and can be faster than this limit; a figure below 1 means that. So can mlcore
  where the processor's matrix unit screens the centres in bfloat16.
- One Lloyd step is (21 iterations - 1 iteration) / 20 with tolerance 0. Seeding of scikit-learn-intelex is
  (k-means++ and 1 iteration) - (1 iteration).
- **Differs** is the share of rows whose label is not the reference's, **inertia** the relative difference to
  the reference's. In float32 long fits part ways by rounding; the float64 rows of the same data show whether
  the libraries take the same steps.
"""

AREA = Area("kmeans", rows(), NOTES)
