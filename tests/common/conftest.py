"""Makes `cases` and the package `sweep` importable, here and in the processes that the tests start."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:
    sys.path.insert(0, HERE)
os.environ["PYTHONPATH"] = os.pathsep.join(
    [HERE, *(part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != HERE)]
)
