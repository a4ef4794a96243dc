"""The sweep tested on itself: a good toy passes every check, and every check refuses the toys made for it."""

import pytest
import toys
from cases import Case
from sklearn.utils.validation import validate_data
from sweep.registry import CHECKS
from sweep.subjects import EstimatorSubject, FunctionSubject

from sweep import data_checks, discover, process_checks, state_checks  # noqa: F401  isort: skip


def toy_subject(cls):
    return EstimatorSubject(f"toys:{cls.__name__}", cls, toys.CASE)


class Strict(toys.Toy):
    """Without sparse input, for the one check that wants that."""

    __doc__ = toys.Toy.__doc__

    def _check(self, X, reset):
        return validate_data(self, X, reset=reset, dtype=["float64", "float32"])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


@pytest.mark.parametrize("name", CHECKS)
def test_good_toy_passes(name):
    subject = toy_subject(Strict if name == "sparse_is_refused" else toys.Toy)
    assert CHECKS[name].applies(subject)
    CHECKS[name].run(subject)


@pytest.mark.parametrize(
    ("name", "cls", "error"),
    [
        pytest.param(name, cls, error, id=f"{name}-{cls.__name__}")
        for name, broken in toys.BROKEN.items()
        for cls, error in broken
    ],
)
def test_broken_toy_is_refused(name, cls, error):
    subject = toy_subject(cls)
    assert CHECKS[name].applies(subject)
    with pytest.raises(Exception) as raised:
        CHECKS[name].run(subject)
    print(raised.value)
    assert type(raised.value) is error


def test_every_check_is_shown_to_fail():
    assert set(CHECKS) == set(toys.BROKEN)


def good_function(X, n_clusters, *, sample_weight=None, random_state=None):
    model = toys.Toy(n_clusters, random_state=random_state).fit(X, sample_weight=sample_weight)
    return model.centers_, model.labels_


def forgets_the_seed(X, n_clusters, *, random_state=None):
    return good_function(X, n_clusters)


def changes_its_input(X, n_clusters, *, random_state=None):
    result = good_function(X, n_clusters, random_state=random_state)
    if not isinstance(X, list) and getattr(getattr(X, "flags", None), "writeable", False):
        X[0] = 0
    return result


def test_functions():
    good = FunctionSubject("good", good_function, toys.CASE)
    for name in (
        "memory_layouts",
        "the_same_seed_gives_the_same_bits",
        "inputs_are_not_changed",
        "nan_and_infinity",
    ):
        CHECKS[name].run(FunctionSubject("good", good_function, Case()))
    assert good.takes_weights
    assert not CHECKS["clone"].applies(good)
    with pytest.raises(AssertionError, match="differ"):
        CHECKS["the_same_seed_gives_the_same_bits"].run(FunctionSubject("f", forgets_the_seed, Case()))
    with pytest.raises(AssertionError, match="X was changed"):
        CHECKS["inputs_are_not_changed"].run(FunctionSubject("f", changes_its_input, Case()))


def test_discovery_walks_public_modules_only(monkeypatch):
    names = [module.__name__ for module in discover.public_modules()]
    assert "mlcore" in names
    assert "mlcore.callbacks" in names
    assert not [name for name in names if "._" in name]
    import mlcore.callbacks

    monkeypatch.setattr(mlcore.callbacks, "Toy", toys.Toy, raising=False)
    monkeypatch.setattr(mlcore.callbacks, "__all__", [*mlcore.callbacks.__all__, "Toy"])
    assert discover.public_estimators()["callbacks.Toy"] is toys.Toy
