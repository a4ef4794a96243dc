"""mlcore: classical machine learning with native kernels behind scikit-learn's API."""

# First of all: libgomp takes static TLS, which a late import may not find free.
from . import _core as _core

# isort: split
from . import callbacks
from ._config import show_config  # the import also hands SciPy's BLAS to the core
from ._version import __version__

__all__ = ["__version__", "callbacks", "show_config"]
