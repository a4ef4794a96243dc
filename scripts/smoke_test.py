"""Run by an environment that holds the wheel and its dependencies only, far from the source tree."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import mlcore

warnings.simplefilter("error")


def main() -> None:
    package = Path(mlcore.__file__).resolve().parent
    assert Path(sys.prefix).resolve() in package.parents, f"{package} is not part of {sys.prefix}"

    from mlcore import _blas, _core

    for module in (_core, _blas):
        assert Path(module.__file__).parent == package, module.__file__

    import threadpoolctl

    runtimes = [lib["filepath"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "openmp"]
    # auditwheel and delvewheel put it beside the package, delocate inside.
    vendored = [path for path in runtimes if "mlcore.libs" in path or package in Path(path).resolve().parents]
    assert vendored, f"threadpoolctl does not see the OpenMP runtime of the wheel: {runtimes}"

    import numpy as np
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from mlcore.cluster import KMeans

    X = load_iris().data
    for dtype in (np.float32, np.float64):
        pipeline = make_pipeline(StandardScaler(), KMeans(n_clusters=3, n_init=5, random_state=0))
        labels = pipeline.fit_predict(X.astype(dtype))
        assert sorted(set(labels.tolist())) == [0, 1, 2]
        assert abs(pipeline[-1].inertia_ - 139.82) < 0.01, pipeline[-1].inertia_
        assert (pipeline.predict(X.astype(dtype)) == labels).all()
    print(f"smoke test passed: mlcore {mlcore.__version__}, Python {sys.version.split()[0]}, {package}")


if __name__ == "__main__":
    main()
