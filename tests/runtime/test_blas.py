"""Dense linear algebra of the core, by SciPy's BLAS and by our own kernels, against NumPy."""

import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.linalg import cython_blas, cython_lapack

import mlcore
from mlcore import _blas, _core, _native_blas

blas = _core._testing.blas

DTYPES = [np.float32, np.float64]
LAYOUTS = ["C", "F", "C padded", "F padded", "gaps", "backwards"]
both_dtypes = pytest.mark.parametrize("dtype", DTYPES)
both_servers = pytest.mark.parametrize("own", [False, True], ids=["scipy", "own"])


def tolerance(dtype, depth=1):
    return 8 * np.finfo(dtype).eps * (4 + np.sqrt(depth))


def make(rng, shape, dtype, layout="C"):
    """Random numbers whose array has this layout; the memory around it holds NaN."""
    rows, cols = shape
    if layout in ("C", "F"):
        out = np.empty(shape, dtype, order=layout)
    else:
        around = np.full(
            (2 * rows + 3, 2 * cols + 5), np.nan, dtype, order="F" if layout == "F padded" else "C"
        )
        part = {"gaps": around[::2, ::2], "backwards": around[::-1, ::-1]}.get(layout, around[1:, 2:])
        out = part[:rows, :cols]
    out[...] = rng.standard_normal(shape)
    return out


@pytest.fixture(autouse=True)
def _installed():
    """Every test begins and ends with SciPy's BLAS in place."""
    assert _native_blas.install().serving == "scipy"
    yield
    blas.set_largest_piece(0)
    assert _native_blas.install().serving == "scipy"


@pytest.fixture
def rng():
    return np.random.default_rng(7)


class Served:
    """Did the calls in the block go to SciPy's BLAS?"""

    def __enter__(self):
        self.before = blas.calls()
        return self

    def __exit__(self, *_):
        self.calls = blas.calls() - self.before


def scaled(c, beta):
    return beta * c.astype(float) if beta else np.zeros(c.shape)


@both_dtypes
@both_servers
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1), (1, 7, 5), (7, 1, 3), (31, 33, 17), (97, 65, 300)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gemm(rng, dtype, own, shape, layout):
    m, n, k = shape
    # Every layout of one operand meets two layouts of the others.
    for others in ("C", "F padded"):
        for which in range(3):
            layouts = [layout if i == which else others for i in range(3)]
            a = make(rng, (m, k), dtype, layouts[0])
            b = make(rng, (k, n), dtype, layouts[1])
            c = make(rng, (m, n), dtype, layouts[2])
            expected = 1.5 * a.astype(float) @ b.astype(float) - 0.5 * c.astype(float)
            with Served() as served:
                blas.gemm(1.5, a, b, -0.5, c, own=own)
            if layout in ("gaps", "backwards") and min(shape) > 1:
                assert served.calls == 0
            elif layout in ("C", "F", "C padded", "F padded"):
                assert served.calls == (0 if own else 1)
            np.testing.assert_allclose(c, expected, rtol=0, atol=tolerance(dtype, k) * np.sqrt(k))


@both_dtypes
@both_servers
@pytest.mark.parametrize("delta", [-1, 0, 1])
def test_gemm_around_the_sizes_of_tiles_and_blocks(rng, dtype, own, delta):
    for m, n, k in [(12, 32, 5), (96, 64, 256), (24, 1536, 3), (193, 16, 512)]:
        a, b = make(rng, (m + delta, k + delta), dtype), make(rng, (k + delta, n + delta), dtype, "F")
        c = np.full((m + delta, n + delta), np.nan, dtype)
        blas.gemm(1.0, a, b, 0.0, c, own=own)
        np.testing.assert_allclose(
            c, a.astype(float) @ b.astype(float), rtol=0, atol=tolerance(dtype, k) * np.sqrt(k)
        )


@both_dtypes
@both_servers
@pytest.mark.parametrize("layout", ["C", "F"])
def test_beta_zero_does_not_read_the_output(rng, dtype, own, layout):
    # More than a tile of every level: whole tiles and the rests at the edges are written by different code.
    a, b = make(rng, (29, 5), dtype), make(rng, (5, 71), dtype)
    c = np.full((29, 71), np.nan, dtype, order=layout)
    blas.gemm(1.0, a, b, 0.0, c, own=own)
    assert np.isfinite(c).all()
    y = np.full(29, np.nan, dtype)
    blas.gemv(1.0, np.asarray(a, order=layout), b[:, 0].copy(), 0.0, y, own=own)
    assert np.isfinite(y).all()
    square = np.full((29, 29), np.nan, dtype, order=layout)
    blas.syrk(True, 1.0, a, 0.0, square, own=own)
    assert np.isfinite(square[np.tril_indices(29)]).all()
    assert np.isnan(square[np.triu_indices(29, 1)]).all()


@both_dtypes
@both_servers
def test_alpha_zero_does_not_read_the_inputs(rng, dtype, own):
    a, b = np.full((9, 5), np.nan, dtype), np.full((5, 13), np.nan, dtype)
    c = make(rng, (9, 13), dtype)
    expected = 0.5 * c
    blas.gemm(0.0, a, b, 0.5, c, own=own)
    np.testing.assert_array_equal(c, expected)
    y = make(rng, (1, 9), dtype)[0]
    expected = 0.5 * y
    blas.gemv(0.0, a, b[:, 0].copy(), 0.5, y, own=own)
    np.testing.assert_array_equal(y, expected)
    square = make(rng, (9, 9), dtype)
    expected = np.where(np.tri(9, dtype=bool), 0.5 * square, square)
    blas.syrk(True, 0.0, a, 0.5, square, own=own)
    np.testing.assert_array_equal(square, expected)
    blas.trsm(True, False, 0.0, square * np.nan, c, own=own)
    np.testing.assert_array_equal(c, np.zeros((9, 13)))
    z = y.copy()
    blas.axpy(0.0, np.full(9, np.nan, dtype), z, own=own)
    np.testing.assert_array_equal(z, y)


@both_dtypes
@both_servers
def test_nan_and_infinity_in_the_inputs_reach_the_output(rng, dtype, own):
    a, b, c = make(rng, (20, 7), dtype), make(rng, (7, 40), dtype), np.zeros((20, 40), dtype)
    a[3, 2] = np.nan
    b[1, 5] = np.inf
    blas.gemm(1.0, a, b, 0.0, c, own=own)
    expected = np.zeros((20, 40), bool)
    expected[3] = expected[:, 5] = True
    np.testing.assert_array_equal(~np.isfinite(c), expected)


@both_dtypes
@both_servers
def test_empty_sizes(dtype, own):
    def empty(*shape):
        return np.empty(shape, dtype)

    with Served() as served:
        blas.gemm(1.0, empty(0, 3), empty(3, 4), 0.0, empty(0, 4), own=own)
        blas.gemm(1.0, empty(4, 3), empty(3, 0), 0.0, empty(4, 0), own=own)
        c = np.full((2, 3), np.nan, dtype)
        blas.gemm(1.0, empty(2, 0), empty(0, 3), 0.0, c, own=own)
        np.testing.assert_array_equal(c, np.zeros((2, 3)))
        c = np.ones((2, 2), dtype)
        blas.syrk(True, 1.0, empty(2, 0), 0.5, c, own=own)
        np.testing.assert_array_equal(c, [[0.5, 1.0], [0.5, 0.5]])
        blas.syrk(True, 1.0, empty(0, 2), 0.5, empty(0, 0), own=own)
        y = np.ones(2, dtype)
        blas.gemv(1.0, empty(2, 0), empty(0), 0.5, y, own=own)
        np.testing.assert_array_equal(y, [0.5, 0.5])
        blas.gemv(1.0, empty(0, 2), np.ones(2, dtype), 0.5, empty(0), own=own)
        blas.trsm(True, False, 1.0, empty(0, 0), empty(0, 5), own=own)
        blas.trsm(True, False, 1.0, np.eye(3, dtype=dtype), empty(3, 0), own=own)
        assert blas.potrf(True, empty(0, 0), own=own) == 0
    assert served.calls == 0
    assert blas.dot(empty(0), empty(0), own=own) == 0
    assert blas.nrm2(empty(0), own=own) == 0
    blas.axpy(1.0, empty(0), empty(0), own=own)


@both_dtypes
@both_servers
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (33, 65), (130, 67)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gemv(rng, dtype, own, shape, layout):
    a = make(rng, shape, dtype, layout)
    x, y = make(rng, (1, shape[1]), dtype)[0], make(rng, (1, shape[0]), dtype)[0]
    expected = 1.5 * a.astype(float) @ x.astype(float) - 0.5 * y.astype(float)
    with Served() as served:
        blas.gemv(1.5, a, x, -0.5, y, own=own)
    if layout not in ("gaps", "backwards"):
        assert served.calls == (0 if own else 1)
    np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance(dtype, shape[1]) * np.sqrt(shape[1]))


@both_dtypes
@both_servers
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (64, 3), (65, 30), (150, 20)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_syrk_writes_one_triangle(rng, dtype, own, lower, shape, layout):
    n, k = shape
    triangle = np.tri(n, dtype=bool) if lower else np.tri(n, dtype=bool).T
    for a_layout, c_layout in [(layout, "C"), ("F", layout)]:
        a, c = make(rng, (n, k), dtype, a_layout), make(rng, (n, n), dtype, c_layout)
        expected = np.where(triangle, 1.5 * a.astype(float) @ a.T.astype(float) - 0.5 * c.astype(float), c)
        with Served() as served:
            blas.syrk(lower, 1.5, a, -0.5, c, own=own)
        if layout not in ("gaps", "backwards"):
            assert served.calls == (0 if own else 1)
        np.testing.assert_allclose(c, expected, rtol=0, atol=tolerance(dtype, k) * k)
        np.testing.assert_array_equal(c[~triangle], expected[~triangle])


@both_dtypes
@both_servers
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (33, 1), (70, 31)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_trsm(rng, dtype, own, lower, unit, shape, layout):
    m, n = shape
    for a_layout, b_layout in [(layout, "C"), ("F", layout), ("C", layout)]:
        a, b = make(rng, (m, m), dtype, a_layout), make(rng, (m, n), dtype, b_layout)
        a /= m
        a[np.diag_indices(m)] = np.nan if unit else rng.uniform(1, 2, m)
        used = np.tri(m, dtype=bool) if lower else np.tri(m, dtype=bool).T
        a[~used] = np.nan
        whole = np.where(used, a, 0).astype(float)
        if unit:
            whole[np.diag_indices(m)] = 1
        expected = np.linalg.solve(whole, 1.5 * b.astype(float))
        with Served() as served:
            blas.trsm(lower, unit, 1.5, a, b, own=own)
        if layout not in ("gaps", "backwards"):
            assert served.calls == (0 if own else 1)
        np.testing.assert_allclose(b, expected, rtol=0, atol=20 * tolerance(dtype, m))


@both_dtypes
@both_servers
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 100])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_potrf(rng, dtype, own, lower, n, layout):
    factor = np.tril(rng.standard_normal((n, n))) / np.sqrt(n)
    factor[np.diag_indices(n)] = rng.uniform(1, 2, n)
    a = make(rng, (n, n), dtype, layout)
    used = np.tri(n, dtype=bool) if lower else np.tri(n, dtype=bool).T
    a[...] = np.where(used, factor @ factor.T, np.nan)
    with Served() as served:
        assert blas.potrf(lower, a, own=own) == 0
    if layout not in ("gaps", "backwards"):
        assert served.calls == (0 if own else 1)
    expected = np.where(used, factor if lower else factor.T, np.nan)
    np.testing.assert_allclose(a, expected, rtol=0, atol=20 * tolerance(dtype, n))


@both_dtypes
@both_servers
@pytest.mark.parametrize("bad", [1, 20, 33, 50])
@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan])
def test_potrf_reports_the_first_bad_minor(dtype, own, bad, value):
    for lower in (True, False):
        a = np.eye(50, dtype=dtype)
        a[bad - 1, bad - 1] = value
        assert blas.potrf(lower, a, own=own) == bad


@both_dtypes
@both_servers
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 63, 64, 65, 1000])
def test_dot_axpy_nrm2(rng, dtype, own, n):
    x, y = make(rng, (2, n), dtype)
    with Served() as served:
        total = blas.dot(x, y, own=own)
        length = blas.nrm2(x, own=own)
        z = y.copy()
        blas.axpy(1.5, x, z, own=own)
    assert served.calls == (0 if own else 3)
    np.testing.assert_allclose(
        total, x.astype(float) @ y.astype(float), rtol=0, atol=tolerance(dtype, n) * np.sqrt(n)
    )
    np.testing.assert_allclose(length, np.linalg.norm(x.astype(float)), rtol=tolerance(dtype, n))
    np.testing.assert_allclose(z, 1.5 * x.astype(float) + y, rtol=0, atol=tolerance(dtype))


@both_dtypes
@both_servers
def test_nrm2_neither_overflows_nor_underflows(dtype, own):
    info = np.finfo(dtype)
    for size in (
        info.max / 4,
        info.tiny,
        4 * info.smallest_subnormal,
        float(info.tiny) ** 0.5,
        float(info.max) ** 0.5,
    ):
        x = np.full(4, size, dtype)
        # Doubling is exact, so the length is 2 |x| to the last bits.
        np.testing.assert_allclose(blas.nrm2(x, own=own), 2 * x[0].astype(float), rtol=4 * info.eps)
    assert blas.nrm2(np.array([1.0, np.inf], dtype), own=own) == np.inf
    assert np.isnan(blas.nrm2(np.array([np.nan, 1.0], dtype), own=own))


@both_dtypes
def test_large_sizes_are_cut_into_pieces(rng, dtype):
    """With pieces of 7, as if the integers of the BLAS ended there."""
    blas.set_largest_piece(7)
    m, n, k = 20, 16, 15
    for layout in ("C", "F"):
        a, b, c = (make(rng, shape, dtype, layout) for shape in [(m, k), (k, n), (m, n)])
        expected = 1.5 * a.astype(float) @ b.astype(float) - 0.5 * c.astype(float)
        with Served() as served:
            blas.gemm(1.5, a, b, -0.5, c)
        assert served.calls == 3 * 3 * 3
        np.testing.assert_allclose(c, expected, rtol=0, atol=tolerance(dtype, k) * np.sqrt(k))

        x, y = make(rng, (1, k), dtype)[0], make(rng, (1, m), dtype)[0]
        expected = 1.5 * a.astype(float) @ x - 0.5 * y.astype(float)
        with Served() as served:
            blas.gemv(1.5, a, x, -0.5, y)
        assert served.calls == 3 * 3
        np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance(dtype, k) * np.sqrt(k))

        a, c = make(rng, (6, k), dtype, layout), np.full((6, 6), np.nan, dtype, order=layout)
        with Served() as served:
            blas.syrk(True, 1.0, a, 0.0, c)
        assert served.calls == 3
        product = a.astype(float) @ a.T.astype(float)
        lower = np.tril_indices(6)
        np.testing.assert_allclose(c[lower], product[lower], rtol=0, atol=tolerance(dtype, k) * k)

        a, b = np.asarray(np.eye(6, dtype=dtype) * 2, order=layout), make(rng, (6, 20), dtype, layout)
        expected = b / 2
        with Served() as served:
            blas.trsm(True, False, 1.0, a, b)
        assert served.calls == 3
        np.testing.assert_array_equal(b, expected)

    x, y = make(rng, (2, 20), dtype)
    z = y.copy()
    with Served() as served:
        blas.axpy(2.0, x, z)
        np.testing.assert_allclose(
            blas.dot(x, y), x.astype(float) @ y.astype(float), rtol=0, atol=tolerance(dtype, 20)
        )
        np.testing.assert_allclose(blas.nrm2(x), np.linalg.norm(x.astype(float)), rtol=tolerance(dtype, 20))
    assert served.calls == 9
    np.testing.assert_allclose(z, 2 * x + y, rtol=0, atol=tolerance(dtype))


@both_dtypes
def test_sizes_that_cannot_be_cut_are_served_by_our_own_kernels(rng, dtype):
    blas.set_largest_piece(7)
    a = np.eye(8, dtype=dtype) * 4
    with Served() as served:
        assert blas.potrf(True, a) == 0
        blas.trsm(True, False, 1.0, a, np.ones((8, 2), dtype))
        blas.syrk(True, 1.0, np.ones((8, 2), dtype), 0.0, a)
    assert served.calls == 0


@both_dtypes
def test_inside_a_parallel_region_our_own_kernels_serve(rng, dtype):
    a, b, c = make(rng, (300, 40), dtype), make(rng, (40, 50), dtype), np.empty((300, 50), dtype)
    with Served() as served:
        blas.gemm_in_parallel_region(a, b, c)
    assert served.calls == 0
    np.testing.assert_allclose(c, a.astype(float) @ b.astype(float), rtol=0, atol=tolerance(dtype, 40) * 7)


@both_dtypes
def test_own_kernels_give_the_same_bits_for_every_number_of_threads(rng, dtype):
    script = f"""
import numpy as np, sys, hashlib
from mlcore import _core
rng = np.random.default_rng(1)
dtype = np.{dtype.__name__}
a, b = rng.standard_normal((700, 300)).astype(dtype), rng.standard_normal((300, 90)).astype(dtype)
c = np.empty((700, 90), dtype)
_core._testing.blas.gemm(1.0, a, b, 0.0, c, own=True)
print(hashlib.sha256(c.tobytes()).hexdigest(), _core.resolve_threads()[0])
"""
    digests = set()
    seen = set()
    for threads in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": threads},
        )
        digest, used = run.stdout.split()
        digests.add(digest)
        seen.add(used)
    assert len(digests) == 1
    if min(_core.affinity_count(), _core.cgroup_quota() or 2) > 1:
        assert seen == {"1", "2"}


@pytest.mark.parametrize("level", _core.isa_levels_compiled())
def test_own_kernels_of_every_level(level):
    """The other tests run on one level; this one runs those of our own kernels again on each of the rest."""
    levels = _core.isa_levels_compiled()
    if levels.index(level) > levels.index(_core.isa_level_of_cpu()):
        pytest.skip(f"this processor has no {level}")
    if level == _core.isa_level():
        pytest.skip(f"the other tests have just run on {level}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    run = subprocess.run(
        [*command, "-k", "own and (gemm or gemv or dot_axpy or nrm2)"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MLCORE_ISA": level},
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert " passed" in run.stdout


@both_servers
def test_shapes_are_checked(own):
    def ones(*shape):
        return np.ones(shape)

    for call in (
        lambda: blas.gemm(1.0, ones(2, 3), ones(4, 2), 0.0, ones(2, 2), own=own),
        lambda: blas.gemm(1.0, ones(2, 3), ones(3, 2), 0.0, ones(3, 2), own=own),
        lambda: blas.gemv(1.0, ones(2, 3), ones(2), 0.0, ones(2), own=own),
        lambda: blas.syrk(True, 1.0, ones(2, 3), 0.0, ones(3, 3), own=own),
        lambda: blas.trsm(True, False, 1.0, ones(2, 2), ones(3, 2), own=own),
        lambda: blas.dot(ones(2), ones(3), own=own),
        lambda: blas.axpy(1.0, ones(2), ones(3), own=own),
    ):
        with pytest.raises(ValueError, match="shapes do not match"):
            call()
    with pytest.raises(ValueError, match="not square"):
        blas.potrf(True, ones(2, 3), own=own)


# --- finding SciPy's functions ---


def capsule(name, address=1):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    keep.append(name.encode())
    return new(address, keep[-1], None)


keep = []  # a capsule does not own its name


def signatures_as(replace):
    """SciPy's tables with other signatures at the same addresses."""
    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype = ctypes.c_void_p
    address.argtypes = [ctypes.py_object, ctypes.c_char_p]
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype = ctypes.c_char_p
    name_of.argtypes = [ctypes.py_object]
    wanted = {letter + name for letter in "sd" for name in _names()}
    return tuple(
        {
            name: capsule(replace(name, name_of(item).decode()), address(item, name_of(item)))
            for name, item in module.__pyx_capi__.items()
            if name in wanted
        }
        for module in (cython_blas, cython_lapack)
    )


def _names():
    return ["gemm", "gemv", "syrk", "trsm", "potrf", "dot", "axpy", "nrm2"]


def test_scipys_functions_are_found():
    addresses, bits = _blas.entry_points(cython_blas.__pyx_capi__, cython_lapack.__pyx_capi__)
    assert set(addresses) == {letter + name for letter in "sd" for name in _names()}
    assert len(set(addresses.values())) == 16
    assert bits in (32, 64)
    assert _core.blas_info() == (True, bits)


def test_64_bit_integers_are_recognised():
    tables = signatures_as(lambda name, text: text.replace("int *", "int64_t *"))
    addresses, bits = _blas.entry_points(*tables)
    assert bits == 64
    assert addresses == _blas.entry_points(cython_blas.__pyx_capi__, cython_lapack.__pyx_capi__)[0]


@pytest.mark.skipif(sys.byteorder != "little", reason="a small 64-bit integer read as 32 bits")
def test_64_bit_integers_are_passed(rng):
    """A 32-bit BLAS on a little-endian machine reads the low half of what we pass, so we can try it out."""
    addresses, _ = _blas.entry_points(cython_blas.__pyx_capi__, cython_lapack.__pyx_capi__)
    _core.install_blas(addresses, 64)
    assert _core.blas_info() == (True, 64)
    a, b, c = rng.random((5, 3)), rng.random((3, 4)), np.empty((5, 4))
    with Served() as served:
        blas.gemm(1.0, a, b, 0.0, c)
    assert served.calls == 1
    np.testing.assert_allclose(c, a @ b, rtol=1e-14)
    assert blas.potrf(True, np.array([[1.0, 0.0], [0.0, -1.0]])) == 2


@pytest.mark.parametrize(
    "replace",
    [
        lambda name, text: text.replace("void", "int") if name == "dgemm" else text,
        lambda name, text: text.replace(", int *)", ")") if name == "saxpy" else text,
        lambda name, text: text.replace("_d *", "_s *") if name == "dtrsm" else text,
        lambda name, text: (
            text.replace("double *", "float *").replace("_d", "_s") if name == "dnrm2" else text
        ),
        lambda name, text: text.replace("int *", "int") if name == "ssyrk" else text,
        lambda name, text: text.replace("int *", "short *"),
        lambda name, text: text.replace("int *", "int64_t *", 1) if name == "dpotrf" else text,
        lambda name, text: text.replace("int *", "int64_t *") if name == "dpotrf" else text,
        lambda name, text: "nonsense" if name == "sdot" else text,
    ],
)
def test_signatures_that_differ_are_refused(replace):
    with pytest.raises(ValueError, match=r"unexpected signature|different widths"):
        _blas.entry_points(*signatures_as(replace))


def test_a_missing_function_is_refused():
    blas_table, lapack_table = signatures_as(lambda name, text: text)
    del blas_table["sgemv"]
    with pytest.raises(ValueError, match="sgemv is missing"):
        _blas.entry_points(blas_table, lapack_table)
    with pytest.raises(ValueError, match="missing"):
        _core.install_blas({"sgemm": 1}, 32)
    with pytest.raises(ValueError, match="32 or 64 bits"):
        _core.install_blas({}, 16)


def test_a_scipy_that_is_not_understood_leaves_our_own_kernels(monkeypatch, rng):
    monkeypatch.setattr(
        _blas, "entry_points", lambda *tables: (_ for _ in ()).throw(ValueError("other signature"))
    )
    status = _native_blas.install()
    monkeypatch.undo()
    assert status == _native_blas.BlasStatus("own", "ValueError: other signature")
    assert _core.blas_info() == (False, 0)
    a, c = rng.random((5, 3)), np.empty((5, 5))
    with Served() as served:
        blas.gemm(1.0, a, a.T, 0.0, c)
    assert served.calls == 0
    np.testing.assert_allclose(c, a @ a.T, rtol=1e-14)


def test_environment_chooses(monkeypatch):
    monkeypatch.setenv("MLCORE_BLAS", "own")
    assert _native_blas.install() == _native_blas.BlasStatus("own", "MLCORE_BLAS=own")
    assert _core.blas_info() == (False, 0)
    monkeypatch.setenv("MLCORE_BLAS", "mine")
    with pytest.warns(RuntimeWarning, match="MLCORE_BLAS=mine is not known"):
        assert _native_blas.install().serving == "scipy"
    monkeypatch.delenv("MLCORE_BLAS")


def test_import_works_without_the_cython_module():
    script = """
import sys
sys.modules["mlcore._blas"] = None
import mlcore
print(mlcore._config.blas_status)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "serving='own'" in run.stdout
    assert "ImportError" in run.stdout or "ModuleNotFoundError" in run.stdout
    assert mlcore._config.blas_status.serving == "scipy"
