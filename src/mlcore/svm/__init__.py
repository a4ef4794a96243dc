"""Support vector machines."""

from ._kernels import (
    ConstantKernel,
    Kernel,
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
    SigmoidKernel,
    is_psd_kernel,
)
from ._l1_min_c import l1_min_c
from ._linear import LinearSVC, LinearSVR
from ._nu_svc import NuSVC
from ._one_class import OneClassSVM
from ._search import SVCSearch
from ._svc import SVC
from ._svr import SVR, NuSVR
from ._teaching import Margins, SmoStep, margins, smo_step

__all__ = [
    "SVC",
    "SVR",
    "ConstantKernel",
    "Kernel",
    "LinearKernel",
    "LinearSVC",
    "LinearSVR",
    "Margins",
    "NuSVC",
    "NuSVR",
    "OneClassSVM",
    "PolynomialKernel",
    "RBFKernel",
    "SVCSearch",
    "SigmoidKernel",
    "SmoStep",
    "is_psd_kernel",
    "l1_min_c",
    "margins",
    "smo_step",
]
