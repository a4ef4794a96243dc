"""A small estimator that passes the whole sweep, and for every check one that breaks what it guards.

Every class is an attribute of this package: other processes know a toy by the name `toys:Name`.
"""

from toys import inputs, objects, processes  # noqa: F401 - they fill BROKEN
from toys.good import BROKEN, CASE, CASES, Toy

globals().update({cls.__name__: cls for broken in BROKEN.values() for cls, _ in broken})
__all__ = ["BROKEN", "CASE", "CASES", "Toy"]
