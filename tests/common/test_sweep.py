"""Every public estimator and function of data through our own checks: a new one is tested by existing."""

from __future__ import annotations

import pytest
from sweep import discover
from sweep.registry import CHECKS, applicable
from sweep.subjects import subject

# imported for their registration, in the order in which they run
from sweep import data_checks, process_checks, state_checks  # isort: skip

import cases

PUBLIC = discover.public_estimators() | discover.public_functions()
SUBJECTS = [subject(name, thing) for name, thing in PUBLIC.items()]
PAIRS = [(one, check) for one in SUBJECTS for check in applicable(one)]


@pytest.mark.parametrize(
    ("one", "check"), [pytest.param(*pair, id=f"{pair[0]}-{pair[1].name}") for pair in PAIRS]
)
def test_sweep(one, check):
    check.run(one)


def test_cases_name_public_things_only():
    assert not set(cases.CASES) - set(PUBLIC), "cases.py lists what is not public"


def test_every_exemption_has_a_reason():
    for name, case in cases.CASES.items():
        for check, reason in case.without.items():
            assert check in CHECKS, f"{name}: no check {check}"
            assert len(reason) > 20, f"{name}: {check} needs a reason"


def test_modules_of_checks_are_loaded():
    assert len(CHECKS) > 40
    assert all(module.__doc__ for module in (data_checks, process_checks, state_checks))
