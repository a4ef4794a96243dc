"""scikit-learn's checks on models without lengths: fit(X, y) does not go with hmmlearn's fit(X, lengths).

So most of them fail on the classes themselves (tests/common/cases/hmm.py says which); here they
run on subclasses whose second argument is ignored.
"""

import functools

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlcore import hmm


@functools.cache
def without_lengths(cls):
    class Plain(cls):
        __doc__ = cls.__doc__

        def fit(self, X, y=None):
            """Fit one sequence."""
            return super().fit(X)

        if hasattr(cls, "partial_fit"):

            def partial_fit(self, X, y=None):
                """Take in one sequence."""
                return super().partial_fit(X)

        def score(self, X, y=None):
            """Log-likelihood of one sequence."""
            return super().score(X)

        def score_samples(self, X):
            """Posteriors of one sequence."""
            return super().score_samples(X)[1]

    Plain.__name__ = Plain.__qualname__ = f"Plain{cls.__name__}"
    globals()[Plain.__name__] = Plain  # where pickle looks for it
    return Plain


MODELS = [
    without_lengths(hmm.GaussianHMM)(2, random_state=0),
    without_lengths(hmm.GaussianHMM)(2, "full", random_state=0),
    without_lengths(hmm.GMMHMM)(2, 2, random_state=0),
    without_lengths(hmm.VariationalGaussianHMM)(2, random_state=0, n_iter=10),
    without_lengths(hmm.MixedHMM)(2, random_state=0),
    without_lengths(hmm.HSMM)(2, max_duration=3, random_state=0),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(MODELS)
def test_estimator_check(estimator, check):
    check(estimator)
