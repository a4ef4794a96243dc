"""Cases of `mlcore.kernel_approximation`."""

from __future__ import annotations

from . import Case

CASES: dict[str, Case] = {
    "kernel_approximation.Nystroem": Case(
        same_dtype=False,  # components_ are rows of X
        without={"control_c": "a fit is one LAPACK call on n_components rows, which cannot be interrupted"},
    ),
    "kernel_approximation.RBFSampler": Case(
        without={"control_c": "a fit draws numbers and does not look at the rows: milliseconds at any size"},
    ),
}
