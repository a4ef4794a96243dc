"""scikit-learn's own checks over every public estimator, without expected failures."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from sweep import discover
from sweep.subjects import EstimatorSubject

ESTIMATORS = [EstimatorSubject(name, cls).make() for name, cls in discover.public_estimators().items()]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([cls() for cls in discover.public_estimators().values()])
def test_estimator_check_with_default_arguments(estimator, check):
    check(estimator)
