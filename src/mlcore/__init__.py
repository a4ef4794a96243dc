"""mlcore: classical machine learning with native kernels behind scikit-learn's API."""

from . import _core  # first: libgomp takes static TLS, which a late import may not find free
from ._version import __version__

__all__ = ["__version__"]
