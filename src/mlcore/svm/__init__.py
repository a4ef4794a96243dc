"""Support vector machines."""

from ._l1_min_c import l1_min_c
from ._linear import LinearSVC, LinearSVR
from ._nu_svc import NuSVC
from ._one_class import OneClassSVM
from ._svc import SVC
from ._svr import SVR, NuSVR

__all__ = ["SVC", "SVR", "LinearSVC", "LinearSVR", "NuSVC", "NuSVR", "OneClassSVM", "l1_min_c"]
