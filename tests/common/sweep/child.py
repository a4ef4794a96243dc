"""A second process that answers questions about subjects: other instruction-set levels, pickles that travel.

`python -m sweep.child` reads pickled (function name, arguments) from its input and writes pickled answers.
"""

from __future__ import annotations

import atexit
import functools
import os
import pickle
import subprocess
import sys
from typing import Any


class Child:
    """A running child process; `ask` calls one of the functions below in it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sweep.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | environment,
        )
        atexit.register(self.stop)

    def ask(self, function: str, *arguments: Any) -> Any:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        pickle.dump((function, arguments), stdin)
        stdin.flush()
        ok, answer = pickle.load(stdout)
        if not ok:
            raise RuntimeError(f"in the other process: {answer}")
        return answer

    def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=30)


@functools.cache
def child(isa: str = "") -> Child:
    """One child per level, kept for the session; '' for the level of this process."""
    return Child({"MLCORE_ISA": isa} if isa else {})


# -- what a child can do


def isa_level() -> str:
    from mlcore import _core

    return str(_core.isa_level())


def run(name: str, X: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    from sweep.subjects import load

    return load(name).run(X, **arguments)


def answer_of_pickle(name: str, data: bytes, X: Any) -> dict[str, Any]:
    from sweep.subjects import EstimatorSubject, load

    subject = load(name)
    assert isinstance(subject, EstimatorSubject)
    return subject.results(pickle.loads(data), X)


def serve() -> None:
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # prints of estimators must not mix with answers
    while True:
        try:
            function, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, globals()[function](*arguments))
        except Exception as error:
            answer = (False, f"{type(error).__name__}: {error}")
        pickle.dump(answer, channel)
        channel.flush()


if __name__ == "__main__":
    serve()
