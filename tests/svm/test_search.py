"""SVCSearch against GridSearchCV: the same folds, scores and ranks."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.svm import SVC as PeerSVC

from mlcore.svm import SVC, NuSVC, RBFKernel, SVCSearch

GRID = {"C": [0.1, 1, 10], "gamma": [0.03, 0.3, 3]}
TOL = 1e-6


def problem(rows=240, classes=2):
    return make_classification(
        rows, 6, n_informative=4, n_redundant=0, n_classes=classes, flip_y=0.1, random_state=0
    )


def compare(search, grid_search, X, y, **fit):
    """Scores are shares of rows that are right: a decision within tol of zero may fall either way."""
    ours, theirs = search.fit(X, y, **fit), grid_search.fit(X, y, **fit)
    assert [dict(params) for params in ours.cv_results_["params"]] == theirs.cv_results_["params"]
    for key in theirs.cv_results_:
        if key.endswith("_score"):
            np.testing.assert_allclose(
                ours.cv_results_[key], theirs.cv_results_[key], atol=1e-12, err_msg=key
            )
        elif key.startswith("param_"):
            assert ours.cv_results_[key].tolist() == theirs.cv_results_[key].tolist()
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_index_ == theirs.best_index_
    assert ours.best_score_ == pytest.approx(theirs.best_score_)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)
    assert ours.score(X, y) == theirs.score(X, y)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shared", [True, False])
def test_equal_to_grid_search(classes, shared):
    X, y = problem(classes=classes)
    search = SVCSearch(SVC(tol=TOL), GRID, return_train_score=True, cache_size=2000 if shared else 1e-3)
    compare(search, GridSearchCV(PeerSVC(tol=TOL), GRID, return_train_score=True), X, y)


@pytest.mark.parametrize(
    ("params", "grid"),
    [
        ({"kernel": "linear"}, {"C": [0.1, 1]}),
        ({"kernel": "poly", "degree": 2, "coef0": 1.0}, {"C": [0.1, 1], "gamma": [0.1, 0.2]}),
        ({"kernel": "sigmoid"}, {"C": [0.1, 1], "gamma": [0.01, 0.05]}),
        ({"class_weight": "balanced"}, {"C": [0.1, 1], "gamma": ["scale"]}),
        ({"C": 2.0}, {"gamma": [0.1, "scale", "auto"]}),
        ({"decision_function_shape": "ovo"}, [{"C": [1, 0.1]}, {"gamma": [0.5]}]),
    ],
)
def test_kernels_weights_and_grids(params, grid):
    X, y = problem()
    y = np.where(y == 1, "yes", "no")
    search = SVCSearch(SVC(tol=TOL, **params), grid, cv=StratifiedKFold(4, shuffle=True, random_state=0))
    compare(search, GridSearchCV(PeerSVC(tol=TOL, **params), grid, cv=search.cv), X, y)


def test_sample_weights_and_lists_of_folds():
    X, y = problem()
    weights = np.random.default_rng(0).uniform(0.2, 3.0, len(y))
    folds = list(KFold(3).split(X))
    compare(
        SVCSearch(SVC(tol=TOL), GRID, cv=folds),
        GridSearchCV(PeerSVC(tol=TOL), GRID, cv=folds),
        X,
        y,
        sample_weight=weights,
    )


@pytest.mark.parametrize("scoring", ["roc_auc", "f1_macro", "balanced_accuracy"])
def test_scorers(scoring):
    X, y = problem()
    expected = GridSearchCV(PeerSVC(tol=1e-9), GRID, scoring=scoring)
    compare(SVCSearch(SVC(tol=1e-9), GRID, scoring=scoring), expected, X, y)


def test_a_scorer_of_ones_own_gets_the_rows():
    X, y = problem()
    seen = []

    def scorer(model, rows, target):
        seen.append(rows.shape)
        assert (model.predict(rows) == model.classes_[(model.decision_function(rows) > 0).astype(int)]).all()
        return float(np.mean(model.predict(rows) == target))

    search = SVCSearch(SVC(), GRID, scoring=scorer).fit(X, y)
    assert seen == [(48, 6)] * 45
    assert search.best_score_ == SVCSearch(SVC(), GRID).fit(X, y).best_score_


@pytest.mark.parametrize("shared", [True, False])
def test_sparse_precomputed_and_callable(shared):
    X, y = problem()
    size = 2000 if shared else 1e-3
    expected = SVCSearch(SVC(tol=TOL), GRID).fit(X, y).cv_results_["mean_test_score"]
    sparse = SVCSearch(SVC(tol=TOL), GRID, cache_size=size).fit(sp.csr_matrix(X), y)
    np.testing.assert_allclose(sparse.cv_results_["mean_test_score"], expected, atol=1e-12)
    gram = SVCSearch(SVC(kernel="precomputed", tol=TOL), {"C": GRID["C"]}).fit(RBFKernel(0.3)(X), y)
    combined = SVCSearch(SVC(kernel=RBFKernel(0.3), tol=TOL), {"C": GRID["C"]}).fit(X, y)
    for search in (gram, combined):
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected[1::3], atol=1e-12)


def test_the_same_bits_for_any_number_of_threads():
    X, y = problem(600, classes=3)
    results = [SVCSearch(SVC(), GRID, n_jobs=threads).fit(X, y) for threads in (1, 2, 7)]
    for other in results[1:]:
        for key, values in results[0].cv_results_.items():
            assert np.asarray(values).tolist() == np.asarray(other.cv_results_[key]).tolist()


def test_fits_start_from_the_smaller_C():
    X, y = problem()
    values = [1.1, 1.0, 1.05, 1e3, 1e4]
    search = SVCSearch(SVC(), {"C": values, "gamma": [3.0]}, cv=[(np.arange(200), np.arange(200, 240))])
    steps = dict(zip(values, search.fit(X, y).n_iter_[:, 0]))
    cold = {C: SVC(C=C, gamma=3.0).fit(X[:200], y[:200]).n_iter_[0] for C in values}
    assert steps[1.0] == cold[1.0]
    assert steps[1.05] < 0.8 * cold[1.05]
    assert steps[1.1] < 0.8 * cold[1.1]
    assert steps[1e4] < 0.1 * cold[1e4]  # no multiplier is larger than 1000


def test_fits_that_end_early_are_reported_once():
    X, y = problem()
    with pytest.warns(ConvergenceWarning) as caught:
        SVCSearch(SVC(max_iter=3), GRID, refit=False).fit(X, y)
    assert len(caught) == 1
    assert "45 of 45 fits" in str(caught[0].message)


def test_without_refit():
    X, y = problem()
    search = SVCSearch(param_grid=GRID, refit=False).fit(X, y)
    assert set(search.best_params_) == {"C", "gamma"}
    assert not hasattr(search, "best_estimator_")
    with pytest.raises(AttributeError, match="refit=True"):
        search.predict(X)
    with pytest.raises(AttributeError, match="refit=True"):
        _ = search.classes_


def test_default_grid_and_estimator():
    X, y = load_iris(return_X_y=True)
    search = SVCSearch().fit(X, y)
    assert len(search.cv_results_["params"]) == 30
    assert search.best_score_ > 0.95
    assert clone(search).get_params()["param_grid"] is None


@pytest.mark.parametrize(
    ("search", "error", "message"),
    [
        (SVCSearch(NuSVC()), TypeError, "must be an SVC"),
        (SVCSearch(param_grid={"degree": [1, 2]}), ValueError, "C and gamma only"),
        (SVCSearch(param_grid={"C": [-1.0]}), ValueError, "'C' parameter"),
        (SVCSearch(cv=[(np.arange(5), np.arange(5, 40))]), ValueError, "number of classes"),
    ],
)
def test_what_is_refused(search, error, message):
    X, y = problem(40)
    with pytest.raises(error, match=message):
        search.fit(X, np.sort(y))
