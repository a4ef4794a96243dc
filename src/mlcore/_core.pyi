"""Signatures of the native module.

Its submodules cannot be imported by name, so they are attributes here, of classes with one static method for
each function. tests/structure/test_stub.py compares names and parameters with the built module.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypedDict

import numpy as np

_Matrix: TypeAlias = (
    np.ndarray[Any, Any] | tuple[Any, Any, Any, int]
)  # dense; (data, indices, indptr, n_features)
_Array: TypeAlias = np.ndarray[Any, Any]
_Statistics: TypeAlias = tuple[_Array, _Array, float]  # sums, weights, inertia
_Emission: TypeAlias = tuple[Any, ...]  # family and its parameters
_Observer: TypeAlias = Callable[[dict[str, Any]], bool]

class _Cluster:
    @staticmethod
    def kmeans_fit(
        X: _Matrix,
        sample_weight: _Array | None,
        init: str | _Array,
        n_clusters: int,
        n_init: int,
        algorithm: str,
        max_iter: int,
        tol: float,
        seed: int,
        n_threads: int,
        observer: _Observer | None = None,
    ) -> tuple[_Array, float, _Array, int, int, int]: ...
    @staticmethod
    def kmeans_plusplus(
        X: _Matrix,
        sample_weight: _Array | None,
        n_clusters: int,
        n_local_trials: int,
        seed: int,
        n_threads: int,
    ) -> _Array: ...
    @staticmethod
    def kmeans_parallel_init(
        X: _Matrix, sample_weight: _Array | None, n_clusters: int, seed: int, n_threads: int
    ) -> _Array: ...
    @staticmethod
    def assign(X: _Matrix, centers: _Array, n_threads: int) -> _Array: ...
    @staticmethod
    def assign_with_distance(X: _Matrix, centers: _Array, n_threads: int) -> tuple[_Array, _Array]: ...
    @staticmethod
    def inertia(
        X: _Matrix, sample_weight: _Array | None, centers: _Array, labels: _Array, n_threads: int
    ) -> float: ...
    @staticmethod
    def transform(X: _Matrix, centers: _Array, n_threads: int) -> _Array: ...
    @staticmethod
    def partial(X: _Matrix, sample_weight: _Array | None, centers: _Array, n_threads: int) -> _Statistics: ...
    @staticmethod
    def combine(a: _Statistics, b: _Statistics) -> _Statistics: ...
    @staticmethod
    def finish(statistics: _Statistics, centers: _Array) -> _Array: ...
    @staticmethod
    def distinct_rows(X: _Matrix, sample_weight: _Array | None) -> tuple[_Array, _Array]: ...
    @staticmethod
    def minibatch_fit(
        X: _Matrix,
        sample_weight: _Array | None,
        centers: _Array,
        batch_size: int,
        max_steps: int,
        tol: float,
        patience: int,
        reassignment_ratio: float,
        seed: int,
        n_threads: int,
        observer: _Observer | None = None,
    ) -> tuple[_Array, _Array, int, int, float, int]: ...
    @staticmethod
    def minibatch_step(
        X: _Matrix,
        sample_weight: _Array | None,
        centers: _Array,
        counts: _Array,
        unchecked: int,
        reassignment_ratio: float,
        seed: int,
        number: int,
        n_threads: int,
    ) -> tuple[_Array, _Array, int, float, int]: ...
    @staticmethod
    def spherical_fit(
        X: _Matrix,
        sample_weight: _Array | None,
        init: _Array,
        max_iter: int,
        tol: float,
        restart: int,
        n_threads: int,
        observer: _Observer | None = None,
    ) -> tuple[_Array, float, _Array, int, int]: ...
    @staticmethod
    def spherical_assign(
        X: _Matrix, sample_weight: _Array | None, centers: _Array, n_threads: int
    ) -> tuple[_Array, float]: ...
    @staticmethod
    def spherical_seed(
        X: _Matrix,
        sample_weight: _Array | None,
        order: _Array | None,
        n_clusters: int,
        plusplus: bool,
        seed: int,
        restart: int,
        n_threads: int,
    ) -> _Array: ...
    @staticmethod
    def dbscan_fit(
        X: _Array,
        sample_weight: _Array | None,
        metric: str,
        p: float,
        eps: float,
        min_samples: float,
        n_threads: int,
    ) -> tuple[_Array, _Array]: ...
    @staticmethod
    def dbscan_predict(
        components: _Array, labels: _Array, X: _Array, metric: str, p: float, eps: float, n_threads: int
    ) -> _Array: ...
    @staticmethod
    def dbscan_matrix(
        distances: _Matrix, sample_weight: _Array | None, eps: float, min_samples: float, n_threads: int
    ) -> tuple[_Array, _Array]: ...

cluster: _Cluster

_TreeArrays: TypeAlias = dict[str, _Array]

class _BinnedMatrix:
    n_rows: int
    n_features: int
    n_groups: int
    nbytes: int
    def __init__(
        self, X: _Array, thresholds: list[_Array], n_categories: _Array | None = None, n_threads: int = 0
    ) -> None: ...
    @staticmethod
    def of_columns(
        columns: tuple[_Array, _Array, _Array, int],
        thresholds: list[_Array],
        absent_is_missing: bool,
        bundle: bool = False,
        n_threads: int = 0,
    ) -> _BinnedMatrix: ...
    def bins(self, column: int) -> _Array: ...
    def n_bins(self) -> _Array: ...
    def has_missing(self) -> _Array: ...

class _Grower:
    def __init__(
        self,
        binned: _BinnedMatrix,
        *,
        learning_rate: float = 1.0,
        max_leaf_nodes: int = 31,
        max_depth: int = 0,
        min_samples_leaf: int = 20,
        min_child_weight: float = 1e-3,
        l2: float = 0.0,
        l1: float = 0.0,
        min_split_gain: float = 0.0,
        max_delta_step: float = 0.0,
        growth: str = "leaf",
        monotonic_cst: _Array | None = None,
        interaction_cst: list[list[int]] | None = None,
        colsample_bylevel: float = 1.0,
        colsample_bynode: float = 1.0,
        cat_smooth: float = 10.0,
        min_cat_support: int = 10,
        histogram_bytes: int = 536870912,
        n_threads: int = 0,
    ) -> None: ...
    def grow(
        self,
        gradients: _Array,
        hessians: _Array,
        rows: _Array | None = None,
        feature_mask: _Array | None = None,
        seed: int = 0,
    ) -> _TreeArrays: ...
    def leaf_rows(self) -> tuple[_Array, _Array, _Array]: ...
    def update_raw(self, raw: _Array, values: _Array | None = None) -> None: ...
    def renew_leaves(
        self, kind: str, y: _Array, raw: _Array, sample_weight: _Array | None, alpha: float
    ) -> _Array: ...
    def order_leaves(self, values: _Array) -> _Array: ...

class _SortedMatrix:
    def __init__(self, X: _Array, n_categories: _Array | None = None, n_threads: int = 0) -> None: ...

class _ExactGrower:
    def __init__(
        self,
        binned: _SortedMatrix,
        *,
        learning_rate: float = 1.0,
        max_leaf_nodes: int = 31,
        max_depth: int = 0,
        min_samples_leaf: int = 20,
        min_child_weight: float = 1e-3,
        l2: float = 0.0,
        l1: float = 0.0,
        min_split_gain: float = 0.0,
        max_delta_step: float = 0.0,
        growth: str = "leaf",
        monotonic_cst: _Array | None = None,
        interaction_cst: list[list[int]] | None = None,
        colsample_bylevel: float = 1.0,
        colsample_bynode: float = 1.0,
        cat_smooth: float = 10.0,
        min_cat_support: int = 10,
        histogram_bytes: int = 536870912,
        n_threads: int = 0,
    ) -> None: ...
    def grow(
        self,
        gradients: _Array,
        hessians: _Array,
        rows: _Array | None = None,
        feature_mask: _Array | None = None,
        seed: int = 0,
    ) -> _TreeArrays: ...
    def leaf_rows(self) -> tuple[_Array, _Array, _Array]: ...
    def update_raw(self, raw: _Array, values: _Array | None = None) -> None: ...
    def renew_leaves(
        self, kind: str, y: _Array, raw: _Array, sample_weight: _Array | None, alpha: float
    ) -> _Array: ...
    def order_leaves(self, values: _Array) -> _Array: ...

class _Forest:
    n_trees: int
    def __init__(self, trees: list[_TreeArrays], tree_index: _Array | None, n_outputs: int) -> None: ...
    def predict_raw(self, X: _Array, raw: _Array, first: int, last: int, n_threads: int = 0) -> None: ...
    def predict_raw_binned(
        self, binned: _BinnedMatrix, raw: _Array, first: int, last: int, n_threads: int = 0
    ) -> None: ...
    def apply(self, X: _Array, first: int, last: int, n_threads: int = 0) -> _Array: ...
    def partial_dependence(self, grid: _Array, features: list[int], n_threads: int = 0) -> _Array: ...

class _Tree:
    BinnedMatrix: type[_BinnedMatrix]
    Grower: type[_Grower]
    SortedMatrix: type[_SortedMatrix]
    ExactGrower: type[_ExactGrower]
    Forest: type[_Forest]
    @staticmethod
    def find_bins(
        X: _Array,
        sample_weight: _Array | None,
        rows: _Array | None,
        max_bins: int,
        is_categorical: _Array | None,
        n_threads: int,
    ) -> list[_Array]: ...
    @staticmethod
    def find_bins_of_columns(
        columns: tuple[_Array, _Array, _Array, int],
        sample_weight: _Array | None,
        max_bins: int,
        absent_is_missing: bool,
        n_threads: int,
    ) -> list[_Array]: ...
    @staticmethod
    def sketch_bins(
        X: _Array,
        weights: _Array,
        rows: _Array | None,
        max_bins: int,
        is_categorical: _Array | None,
        n_threads: int,
    ) -> list[_Array]: ...
    @staticmethod
    def linear_leaves(
        X: _Array,
        tree: _TreeArrays,
        nodes: _Array,
        offsets: _Array,
        rows: _Array,
        gradients: _Array,
        hessians: _Array,
        *,
        ridge: float,
        l2: float,
        l1: float,
        learning_rate: float,
        n_threads: int,
    ) -> _TreeArrays: ...
    @staticmethod
    def histogram_partial(
        binned: _BinnedMatrix,
        gradients: _Array,
        hessians: _Array,
        rows: _Array | None,
        resolution: float,
        n_threads: int,
    ) -> tuple[_Array, _Array, _Array]: ...
    @staticmethod
    def histogram_finish(
        gradients: _Array,
        hessians: _Array,
        counts: _Array,
        cells: list[int],
        resolution: float,
        *,
        l2: float,
        l1: float,
        min_split_gain: float,
        min_child_weight: float,
        min_samples_leaf: int,
    ) -> tuple[float, int, int, bool, int, int, int] | None: ...
    @staticmethod
    def add_tree(tree: _TreeArrays, binned: _BinnedMatrix, raw: _Array, n_threads: int = 0) -> None: ...

tree: _Tree

class _Ensemble:
    @staticmethod
    def gradients(
        loss: str,
        parameter: float,
        y: _Array,
        raw: _Array,
        sample_weight: _Array | None,
        gradients: _Array,
        hessians: _Array,
        n_threads: int = 0,
    ) -> None: ...
    @staticmethod
    def loss(
        loss: str,
        parameter: float,
        y: _Array,
        raw: _Array,
        sample_weight: _Array | None,
        n_threads: int = 0,
    ) -> float: ...
    @staticmethod
    def call_objective(
        address: int,
        y: _Array,
        raw: _Array,
        sample_weight: _Array | None,
        gradients: _Array,
        hessians: _Array,
        n_threads: int = 0,
    ) -> None: ...
    @staticmethod
    def goss(
        gradients: _Array,
        hessians: _Array,
        top_rate: float,
        other_rate: float,
        seed: int,
        n_threads: int = 0,
    ) -> _Array: ...

ensemble: _Ensemble

class _Hmm:
    @staticmethod
    def log_densities(emission: _Emission, X: _Array | None, n_threads: int) -> _Array: ...
    @staticmethod
    def score(
        emission: _Emission,
        X: _Array | None,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        labels: _Array | None,
        n_threads: int,
    ) -> _Array: ...
    @staticmethod
    def posteriors(
        emission: _Emission,
        X: _Array | None,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        labels: _Array | None,
        n_threads: int,
    ) -> tuple[_Array, _Array]: ...
    @staticmethod
    def viterbi(
        emission: _Emission,
        X: _Array | None,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        labels: _Array | None,
        n_threads: int,
    ) -> tuple[_Array, _Array]: ...
    @staticmethod
    def estep(
        emission: _Emission,
        X: _Array | None,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        weights: _Array | None,
        labels: _Array | None,
        n_threads: int,
    ) -> dict[str, Any]: ...
    @staticmethod
    def combine(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]: ...
    @staticmethod
    def filter(
        emission: _Emission,
        X: _Array | None,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        n_threads: int,
    ) -> tuple[_Array, _Array]: ...
    @staticmethod
    def forward(log_density: _Array, startprob: _Array, transmat: _Array) -> tuple[float, _Array]: ...
    @staticmethod
    def backward(log_density: _Array, startprob: _Array, transmat: _Array) -> _Array: ...
    @staticmethod
    def duration_score(
        log_density: _Array,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        durations: _Array,
        labels: _Array | None,
        n_threads: int,
    ) -> _Array: ...
    @staticmethod
    def duration_posteriors(
        log_density: _Array,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        durations: _Array,
        labels: _Array | None,
        n_threads: int,
    ) -> tuple[_Array, _Array]: ...
    @staticmethod
    def duration_viterbi(
        log_density: _Array,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        durations: _Array,
        labels: _Array | None,
        n_threads: int,
    ) -> tuple[_Array, _Array]: ...
    @staticmethod
    def duration_estep(
        log_density: _Array,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        durations: _Array,
        weights: _Array | None,
        labels: _Array | None,
        n_threads: int,
    ) -> dict[str, Any]: ...
    @staticmethod
    def viterbi_k_best(
        emission: _Emission,
        X: _Array | None,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        labels: _Array | None,
        k: int,
        parts: int,
        n_threads: int,
    ) -> tuple[_Array, _Array]: ...
    @staticmethod
    def viterbi_beam(
        emission: _Emission,
        X: _Array | None,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        labels: _Array | None,
        beam: int,
        n_threads: int,
    ) -> tuple[_Array, _Array]: ...
    @staticmethod
    def sample_states(
        startprob: _Array, transmat: _Array, lengths: _Array, seed: int, n_threads: int
    ) -> _Array: ...
    @staticmethod
    def sample_posterior(
        emission: _Emission,
        X: _Array | None,
        offsets: _Array,
        startprob: _Array,
        transmat: _Array,
        n_samples: int,
        seed: int,
        n_threads: int,
    ) -> _Array: ...

hmm: _Hmm
_Kernel: TypeAlias = tuple[int, float, float, int]  # kind, gamma, coef0, degree

class _StopFlag:
    def set(self) -> None: ...

class _Svm:
    StopFlag: type[_StopFlag]
    @staticmethod
    def svc_fit(
        X: _Matrix,
        labels: _Array,
        n_classes: int,
        bounds: _Array,
        nu: float | None,
        kernel: _Kernel,
        tol: float,
        cache_bytes: float,
        shrinking: bool,
        max_iter: int,
        max_seconds: float,
        start: tuple[_Array, _Array] | None,
        n_threads: int,
        stop: _StopFlag | None = None,
    ) -> tuple[_Array, _Array, _Array, _Array, _Array, _Array, _Array, _Array, int, _Array, bool]: ...
    @staticmethod
    def single_fit(
        X: _Matrix,
        problem: int,
        targets: _Array,
        bounds: _Array,
        epsilon: float,
        nu: float,
        kernel: _Kernel,
        tol: float,
        cache_bytes: float,
        shrinking: bool,
        max_iter: int,
        max_seconds: float,
        start: tuple[_Array, _Array] | None,
        n_threads: int,
    ) -> tuple[_Array, _Array, float, float, int, float, float, float, int, int, bool]: ...
    @staticmethod
    def linear_fit(
        X: _Matrix,
        loss: int,
        method: int,
        targets: _Array,
        costs: _Array,
        positive_costs: _Array,
        negative_costs: _Array,
        bias: float,
        epsilon: float,
        tol: float,
        max_iter: int,
        seed: int,
        n_threads: int,
    ) -> tuple[_Array, _Array, _Array]: ...
    @staticmethod
    def kernel_matrix(X: _Matrix, Z: _Matrix | None, kernel: _Kernel, n_threads: int) -> _Array: ...
    @staticmethod
    def decide(
        X: _Matrix,
        vectors: _Matrix,
        coef: _Array,
        per_class: _Array,
        rho: _Array,
        support: _Array,
        kernel: _Kernel,
        labels: bool,
        n_threads: int,
    ) -> _Array: ...

svm: _Svm

class _Neighbors:
    @staticmethod
    def nearest(
        fitted: _Array,
        X: _Array | None,
        k: int,
        metric: str,
        p: float,
        want_rows: bool,
        farthest_alone: bool,
        n_threads: int,
    ) -> tuple[_Array, _Array | None]: ...

neighbors: _Neighbors

# Internals for the test suite.
_testing: Any

# input
def all_finite(X: Any, n_jobs: int = 0) -> bool: ...

# runtime
def isa_level() -> str: ...
def isa_level_of_cpu() -> str: ...
def amx_bf16() -> bool: ...
def isa_levels_compiled() -> list[str]: ...
def resolve_threads(n_jobs: int = 0) -> tuple[int, str]: ...
def affinity_count() -> int: ...
def cgroup_quota(root: str = "/sys/fs/cgroup", proc_self_cgroup: str = "/proc/self/cgroup") -> int: ...

# BLAS
def install_blas(addresses: dict[str, int], int_bits: int) -> None: ...
def uninstall_blas() -> None: ...
def blas_info() -> tuple[bool, int]: ...

# build
class _BuildInfo(TypedDict):
    compiler: str
    build_type: str
    flags: str
    openmp_date: int
    openmp_library: str

def build_info() -> _BuildInfo: ...
