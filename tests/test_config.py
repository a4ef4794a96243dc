"""show_config and `python -m mlcore info`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import scipy
import sklearn

import mlcore
import mlcore.__main__
from mlcore import _config, _core
from mlcore._threads import blas_threads

SECTIONS = ["versions", "build", "instruction set", "threads", "BLAS", "OpenMP"]


def python(script, **environment):
    run = subprocess.run(
        [sys.executable, "-W", "default", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert run.returncode == 0, run.stderr
    return run


def config_with(**environment):
    script = "import json, mlcore; print(json.dumps(mlcore.show_config(mode='dict')))"
    run = python(script, **environment)
    return json.loads(run.stdout), run.stderr


@pytest.fixture(scope="module")
def config():
    return mlcore.show_config(mode="dict")


def test_sections_and_json(config):
    assert list(config) == SECTIONS
    assert json.loads(json.dumps(config)) == config


def test_versions(config):
    versions = config["versions"]
    assert versions["mlcore"] == mlcore.__version__
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions["numpy"] == numpy.__version__
    assert versions["scipy"] == scipy.__version__
    assert versions["scikit-learn"] == sklearn.__version__


def test_build(config):
    build = config["build"]
    assert build["type"] in ("Release", "Debug", "RelWithDebInfo", "MinSizeRel")
    assert build["compiler"].split()[0] in ("GCC", "Clang")
    assert "-ffp-contract=off" in build["flags"].split()
    assert "-ffast-math" not in build["flags"]


def test_instruction_set(config):
    facts = config["instruction set"]
    assert facts["compiled"][0] == "base"
    assert facts["available"] in facts["compiled"]
    assert facts["chosen"] == _core.isa_level()


def test_instruction_set_can_be_lowered():
    facts, err = config_with(MLCORE_ISA="base")
    assert facts["instruction set"]["chosen"] == "base"
    assert facts["instruction set"]["MLCORE_ISA"] == "base"
    assert facts["instruction set"]["available"] == _core.isa_level_of_cpu()
    assert facts["instruction set"]["matrix unit"] is False
    assert "Warning" not in err


def test_a_named_level_is_without_the_matrix_unit():
    facts, _ = config_with(MLCORE_ISA=_core.isa_level_of_cpu())
    assert facts["instruction set"]["chosen"] == _core.isa_level_of_cpu()
    assert facts["instruction set"]["matrix unit"] is False


def test_an_unknown_instruction_set_is_a_warning():
    facts, err = config_with(MLCORE_ISA="avx9000")
    assert "RuntimeWarning: MLCORE_ISA=avx9000 is not known and is ignored" in err
    assert facts["instruction set"]["chosen"] == _core.isa_level_of_cpu()


def test_more_than_the_processor_has_is_a_warning(monkeypatch):
    monkeypatch.setattr(_core, "isa_level", lambda: "v3")
    monkeypatch.setenv("MLCORE_ISA", "v4")
    with pytest.warns(RuntimeWarning, match=r"MLCORE_ISA=v4 is more than .*: v3 is used"):
        _config._check_isa()


@pytest.mark.parametrize("value", ["", None])
def test_no_instruction_set_asked_for_is_no_warning(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("MLCORE_ISA", raising=False)
    else:
        monkeypatch.setenv("MLCORE_ISA", value)
    _config._check_isa()


def test_threads(config):
    threads = config["threads"]
    assert threads["default"] == _core.resolve_threads()[0]
    assert threads["from"] == _core.resolve_threads()[1]
    assert 1 <= threads["affinity"] <= threads["processors"]


def test_where_the_thread_number_comes_from():
    facts, _ = config_with(OMP_NUM_THREADS="1")
    assert facts["threads"]["default"] == 1
    assert facts["threads"]["OMP_NUM_THREADS"] == "1"
    assert "OpenMP" in facts["threads"]["from"] or facts["threads"]["affinity"] == 1


def test_blas_of_scipy(config):
    blas = config["BLAS"]
    assert blas["serving"] == "SciPy's"
    assert blas["reason"] is None
    assert blas["integers"] in ("32 bits (LP64)", "64 bits (ILP64)")
    if blas["library"] is not None:
        assert Path(blas["library"]["path"]).exists()
        assert blas["library"]["threads"] >= 1


def test_the_library_of_scipy_is_told_from_that_of_numpy():
    home = Path(scipy.__file__).parent.with_name("scipy.libs")
    of_scipy = {"filepath": str(home / "libopenblas.so")}
    of_numpy = {"filepath": str(home.with_name("numpy.libs") / "libopenblas.so")}
    assert _config._library_of_scipy([of_numpy, of_scipy]) is of_scipy
    assert _config._library_of_scipy([of_numpy]) is of_numpy
    assert _config._library_of_scipy([of_numpy, of_numpy]) is None
    assert _config._library_of_scipy([]) is None


def test_own_kernels_are_reported_with_the_reason():
    facts, _ = config_with(MLCORE_BLAS="own")
    assert facts["BLAS"]["serving"] == "mlcore's own kernels"
    assert facts["BLAS"]["reason"] == "MLCORE_BLAS=own"
    assert facts["BLAS"]["library"] is None


def test_openmp(config):
    openmp = config["OpenMP"]
    assert openmp["API date"] >= 201511
    if openmp["library"] is not None:
        assert Path(openmp["library"]).exists()
        assert "omp" in Path(openmp["library"]).name


def test_a_scipy_without_a_report_is_no_error(monkeypatch):
    def broken(**arguments):
        raise KeyError

    monkeypatch.setattr(scipy, "show_config", broken)
    assert mlcore.show_config(mode="dict")["BLAS"]["SciPy built with"] == ""


def test_printed(capsys):
    assert mlcore.show_config() is None
    printed = capsys.readouterr().out.splitlines()
    assert [line[:-1] for line in printed if not line.startswith(" ")] == SECTIONS
    assert f"  mlcore         {mlcore.__version__}" in printed
    assert mlcore.__main__.main(["info"]) == 0
    assert capsys.readouterr().out.splitlines() == printed


def test_info_as_json(config, capsys):
    assert mlcore.__main__.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == config


def test_unknown_mode():
    with pytest.raises(ValueError, match="mode must be 'stdout' or 'dict'"):
        mlcore.show_config(mode="yaml")


# --- threads of the BLAS ---


def blas_pools():
    from threadpoolctl import threadpool_info

    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_threads_are_limited_and_restored():
    before = blas_pools()
    for _ in range(2):  # the second time with the cached controller
        with blas_threads(1):
            assert set(blas_pools()) <= {1}
        assert blas_pools() == before
    with blas_threads(None):
        assert blas_pools() == before
    with blas_threads(-1):
        assert set(blas_pools()) <= {_core.resolve_threads(-1)[0]}
    with pytest.raises(ValueError, match="n_jobs == 0 has no meaning"):
        blas_threads(0)
