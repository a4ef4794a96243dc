"""Feature maps whose inner products approximate a kernel: the road to kernel machines above 10^5 rows."""

from ._nystroem import Nystroem
from ._rbf_sampler import RBFSampler

__all__ = ["Nystroem", "RBFSampler"]
