"""The callback protocol: from a list of Python callbacks to the native observer and back."""

import copy
import dataclasses
import io
import math
import pickle

import numpy as np
import pytest

from mlcore import _core
from mlcore._callbacks import check_callbacks, observe
from mlcore.callbacks import Callback, EarlyStop, History, IterationInfo, ProgressBar, TimeLimit


class Recorder:
    def __init__(self, log, name="", stop_at=None, raise_at=None):
        self.log, self.name, self.stop_at, self.raise_at = log, name, stop_at, raise_at

    def on_fit_begin(self, estimator):
        self.log.append((self.name, "begin", type(estimator).__name__))

    def on_iteration(self, info):
        self.log.append((self.name, info.restart, info.iteration))
        if info.iteration == self.raise_at:
            raise LookupError("from the callback")
        return info.iteration == self.stop_at

    def on_fit_end(self, estimator):
        self.log.append((self.name, "end", type(estimator).__name__))


class Estimator:
    pass


def fit(callbacks=None, iterations=4, restarts=1, verbose=0, objective="objective"):
    with observe(Estimator(), callbacks=callbacks, verbose=verbose, objective=objective) as observer:
        return _core._testing.run_observed(iterations, restarts, observer)


def info(iteration=1, *, max_iterations=10, restart=0, objective=1.0, change=0.1, elapsed=0.0):
    return IterationInfo("Estimator", iteration, max_iterations, restart, objective, change, elapsed)


def test_nobody_listening_gives_native_code_no_observer():
    with observe(Estimator(), callbacks=None) as observer:
        assert observer is None
    with observe(Estimator(), callbacks=[]) as observer:
        assert observer is None
    assert fit() == 4


def test_a_callback_sees_every_iteration_with_its_numbers():
    history = History()
    assert fit([history], iterations=3, restarts=2) == 6
    seen = [(r.restart, r.iteration) for r in history.records]
    assert seen == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    last = history.records[-1]
    assert last.estimator == "Estimator"
    assert last.max_iterations == 3
    assert last.objective == 100.0 / 3
    assert last.change == 1.0 / 3
    times = [r.elapsed for r in history.records]
    assert times[0] >= 0
    assert times == sorted(times)


def test_info_is_frozen_and_pickles():
    record = info()
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.iteration = 2
    assert pickle.loads(pickle.dumps(record)) == record


def test_begin_and_end_surround_the_fit():
    log = []
    fit([Recorder(log, "a"), Recorder(log, "b")], iterations=1)
    assert log == [
        ("a", "begin", "Estimator"),
        ("b", "begin", "Estimator"),
        ("a", 0, 1),
        ("b", 0, 1),
        ("b", "end", "Estimator"),
        ("a", "end", "Estimator"),
    ]


@pytest.mark.parametrize("truth", [True, 1, np.True_])
def test_a_true_answer_stops_the_fit_and_its_restarts(truth):
    class Stop:
        seen = 0

        def on_iteration(self, info):
            self.seen += 1
            return truth if info.iteration == 2 else None

    stop = Stop()
    # The fake core starts the other two restarts all the same; they are stopped at once and not reported.
    assert fit([stop], iterations=10, restarts=3) == 2 + 1 + 1
    assert stop.seen == 2


def test_all_callbacks_see_the_iteration_that_one_of_them_stops():
    log = []
    assert fit([Recorder(log, "a", stop_at=1), Recorder(log, "b")], iterations=5) == 1
    assert ("b", 0, 1) in log


def test_an_exception_of_a_callback_leaves_the_fit():
    log = []
    with pytest.raises(LookupError, match="from the callback"):
        fit([Recorder(log, "a", raise_at=2)], iterations=5, restarts=3)
    # Nothing is called after the exception but the end.
    assert log == [("a", "begin", "Estimator"), ("a", 0, 1), ("a", 0, 2), ("a", "end", "Estimator")]


def test_keyboard_interrupt_in_a_callback_leaves_the_fit():
    class Interrupting:
        def on_iteration(self, info):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit([Interrupting()])
    assert fit() == 4  # no exception is left pending in the interpreter


def test_an_answer_without_a_truth_value_is_an_error_of_the_fit():
    class Bad:
        def on_iteration(self, info):
            return np.array([True, False])

    with pytest.raises(ValueError, match="truth value"):
        fit([Bad()])
    with pytest.raises(ValueError, match="truth value"):
        _core._testing.run_observed(3, 1, lambda values: np.array([True, False]))


def test_on_fit_end_of_all_is_called_when_one_raises_and_when_begin_raises():
    class BadEnd:
        def on_iteration(self, info):
            return False

        def on_fit_end(self, estimator):
            raise ArithmeticError

    class BadBegin(BadEnd):
        def on_fit_begin(self, estimator):
            raise LookupError

        def on_fit_end(self, estimator):
            pytest.fail("ended what has not begun")

    log = []
    with pytest.raises(ArithmeticError):
        fit([Recorder(log, "a"), BadEnd()], iterations=1)
    assert log[-1] == ("a", "end", "Estimator")
    log.clear()
    with pytest.raises(LookupError):
        fit([Recorder(log, "a"), BadBegin()])
    assert log == [("a", "begin", "Estimator"), ("a", "end", "Estimator")]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (7, "callbacks must be a list"),
        ("verbose", "callbacks must be a list"),
        (History(), "callbacks must be a list"),
        ([History], "instances, got the class History"),
        ([print], "must have a method on_iteration"),
    ],
)
def test_wrong_callbacks_are_a_type_error(callbacks, message):
    with pytest.raises(TypeError, match=message):
        check_callbacks(callbacks)


def test_native_observer_must_be_callable():
    with pytest.raises(TypeError, match="observer must be callable"):
        _core._testing.run_observed(3, 1, 5)


def test_verbose_prints_in_scikit_learns_words(capsys):
    log = []
    fit([Recorder(log)], iterations=2, restarts=2, verbose=1, objective="inertia")
    out = capsys.readouterr().out.splitlines()
    assert out == ["Initialization complete", "Iteration 1, inertia 100.0.", "Iteration 2, inertia 50.0."] * 2
    assert ("", 1, 2) in log


def test_shipped_callbacks_follow_the_protocol_and_can_be_cloned():
    for callback in (History(), TimeLimit(1.0), EarlyStop(), ProgressBar()):
        assert isinstance(callback, Callback)
        twin = pickle.loads(pickle.dumps(copy.deepcopy(callback)))
        assert fit([twin], iterations=1) == 1


def test_time_limit():
    assert not TimeLimit(2.0).on_iteration(info(elapsed=1.9))
    assert TimeLimit(2.0).on_iteration(info(elapsed=2.0))
    assert fit([TimeLimit(0.0)], iterations=50) == 1


def test_early_stop_counts_iterations_that_stand_still():
    stop = EarlyStop(min_change=0.01, patience=2)
    objectives = [100.0, 50.0, 49.9, 40.0, 39.9, 39.8, 39.7]
    answers = [stop.on_iteration(info(i + 1, objective=value)) for i, value in enumerate(objectives)]
    assert answers == [False] * 5 + [True, True]
    # A new restart and a new fit begin from nothing.
    assert not stop.on_iteration(info(1, restart=1, objective=39.7))
    stop.on_fit_begin(None)
    assert not stop.on_iteration(info(1, restart=1, objective=39.7))
    assert not stop.on_iteration(info(2, restart=1, objective=39.7))
    assert stop.on_iteration(info(3, restart=1, objective=39.7))


def test_early_stop_never_stops_on_an_unknown_objective():
    stop = EarlyStop(min_change=1.0, patience=1)
    assert not any(stop.on_iteration(info(i, objective=math.nan)) for i in range(1, 5))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_bar_writes_plain_lines_to_a_file():
    stream = io.StringIO()
    fit([ProgressBar(min_interval=0, stream=stream)], iterations=4)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("Estimator [##########          ] 2/4  objective 50  change 0.5")
    assert "\r" not in stream.getvalue()


def test_progress_bar_writes_the_last_state_even_if_it_is_too_early():
    stream = io.StringIO()
    fit([ProgressBar(min_interval=1e9, stream=stream)], iterations=30)
    assert [line.split("]")[1].split()[0] for line in stream.getvalue().splitlines()] == ["1/30", "30/30"]


def test_progress_bar_redraws_one_line_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "41")
    stream = Terminal()
    fit([ProgressBar(min_interval=0, stream=stream)], iterations=3)
    text = stream.getvalue()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    drawings = text[:-1].split("\r")[1:]
    assert [len(drawing) for drawing in drawings] == [40] * 3


def test_progress_bar_says_which_restart_and_leaves_out_what_is_not_known():
    line = ProgressBar().line(info(2, restart=3, objective=math.nan, change=math.nan, max_iterations=0))
    assert line == "Estimator [                    ] 2/0  restart 3  0.0 s"


def test_progress_bar_goes_to_stderr_and_lives_without_one(monkeypatch, capsys):
    fit([ProgressBar(min_interval=0)], iterations=2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 2
    monkeypatch.setattr("sys.stderr", None)
    assert fit([ProgressBar(min_interval=0)], iterations=2) == 2
