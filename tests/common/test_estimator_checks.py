"""scikit-learn's own checks over every public estimator; one may fail only where `cases` say why."""

import cases
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from sweep import discover
from sweep.subjects import EstimatorSubject

NAMES = {cls: name for name, cls in discover.public_estimators().items()}
CHEAP = [EstimatorSubject(name, cls).make() for cls, name in NAMES.items()]


def expected_failures(estimator):
    case = cases.CASES.get(NAMES[type(estimator)])
    return dict(case.estimator_checks_fail) if case is not None else {}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(CHEAP, expected_failed_checks=expected_failures)
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([cls() for cls in NAMES], expected_failed_checks=expected_failures)
def test_estimator_check_with_default_arguments(estimator, check):
    check(estimator)
