"""The one resolver: explicit value, OpenMP limit, affinity, cgroup quota, nested, work that pays."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mlcore import _core

testing = _core._testing
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
#: What a quota leaves of them.
ALLOWED = min(PROCESSORS, _core.cgroup_quota() or PROCESSORS)
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def resolve_in_child(setup="", n_jobs=0, **environment):
    """resolve_threads in a fresh process, after `setup`, with OMP_* taken from `environment` only."""
    code = (
        f"import json, os, sys\n{setup}\nfrom mlcore import _core\n"
        f"print(json.dumps(_core.resolve_threads({n_jobs})))"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return tuple(json.loads(done.stdout))


def test_explicit_value():
    for n_jobs in (1, 2, 3, 7, 64):
        assert _core.resolve_threads(n_jobs) == (n_jobs, "n_jobs")


def test_absurd_values_are_capped():
    cap = testing.thread_cap()
    assert cap >= 64
    assert cap >= 4 * PROCESSORS
    for n_jobs in (cap, cap + 1, 10**6, 2**31 - 1):
        assert _core.resolve_threads(n_jobs) == (cap, "n_jobs")
    # and so many threads do no harm
    assert testing.parallel_for(1000, _core.resolve_threads(10**6)[0]) == [1] * 1000


def test_negative_values_count_down_from_the_default():
    default = _core.resolve_threads()[0]
    assert _core.resolve_threads(-1)[0] == default
    for n_jobs in (-2, -3, -PROCESSORS - 1, -1000, -(2**31)):
        assert _core.resolve_threads(n_jobs) == (max(1, default + 1 + n_jobs), "n_jobs")


@linux
def test_default_is_the_affinity_mask():
    assert _core.affinity_count() == PROCESSORS
    if _core.cgroup_quota() == 0:
        assert resolve_in_child() == (PROCESSORS, "affinity")


@linux
@pytest.mark.skipif(ALLOWED < 2, reason="needs two processors")
def test_affinity_set_in_the_process_counts():
    one = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert resolve_in_child(one) == (1, "affinity")
    # also when it is set after the library was loaded (OpenMP counts processors only once)
    assert resolve_in_child(f"from mlcore import _core\n{one}") == (1, "affinity")
    assert resolve_in_child(one, n_jobs=3) == (3, "n_jobs")
    assert resolve_in_child(one, n_jobs=-1) == (1, "n_jobs")


@pytest.mark.skipif(ALLOWED < 2, reason="needs two processors")
def test_omp_num_threads_lowers_and_never_raises():
    assert resolve_in_child(OMP_NUM_THREADS="1") == (1, "OpenMP limit")
    assert resolve_in_child(OMP_THREAD_LIMIT="1") == (1, "OpenMP limit")
    assert resolve_in_child(OMP_NUM_THREADS="1", n_jobs=2) == (2, "n_jobs")
    assert resolve_in_child(OMP_THREAD_LIMIT="3", n_jobs=5) == (3, "n_jobs")
    threads, source = resolve_in_child(OMP_NUM_THREADS="1000")
    assert threads <= PROCESSORS
    assert source in ("affinity", "cgroup quota")


@pytest.mark.skipif(ALLOWED < 2, reason="needs two processors")
def test_threadpool_limits_is_honoured():
    before = _core.resolve_threads()
    with threadpool_limits(1):
        assert _core.resolve_threads() == (1, "OpenMP limit")
        assert _core.resolve_threads(-1) == (1, "n_jobs")
    with threadpool_limits(1, user_api="openmp"):
        assert _core.resolve_threads() == (1, "OpenMP limit")
    assert _core.resolve_threads() == before
    assert any(pool["user_api"] == "openmp" for pool in threadpool_info())


def test_python_threads_resolve_like_the_main_thread():
    expected = _core.resolve_threads()[0]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: _core.resolve_threads()[0], range(50))) == {expected}
        assert all(nested.threads == [1, 1, 1] for nested in pool.map(lambda _: testing.nested(3), range(50)))


def test_threads_for_work():
    unit = 50e3  # nanoseconds of work that pay for one thread
    assert testing.threads_for_work(8, 0.0) == 1
    assert testing.threads_for_work(8, 1.9 * unit) == 1
    assert testing.threads_for_work(8, 2.0 * unit) == 2
    assert testing.threads_for_work(8, 5.5 * unit) == 5
    assert testing.threads_for_work(8, 1e18) == 8
    assert testing.threads_for_work(8, float("inf")) == 8
    assert testing.threads_for_work(1, 1e18) == 1
    for nonsense in (-1.0, float("nan"), float("-inf")):
        assert testing.threads_for_work(8, nonsense) == 1
    for allowed in (0, -3):
        assert testing.threads_for_work(allowed, 1e18) == 1


# -- CPU quota


@pytest.fixture
def cgroups(tmp_path):
    """quota(groups, files): what cgroup_quota says of a made-up tree; files maps 'a/cpu.max' to text."""

    def quota(groups, files):
        root = tmp_path / "cgroup"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        proc = tmp_path / "self"
        proc.write_text(groups)
        return _core.cgroup_quota(str(root), str(proc))

    return quota


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", 0),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),  # fractions are rounded up
        ("1000 100000\n", 1),
        ("50000 50000", 1),
        ("300001 100000\n", 4),
        ("6400000 50000\n", 128),
        ("", 0),
        ("nonsense\n", 0),
        ("200000\n", 0),
        ("200000 0\n", 0),
        ("-1 100000\n", 0),
        ("9223372036854775807 1\n", 1_000_000),
    ],
)
def test_version_2_values(cgroups, text, cores):
    assert cgroups("0::/job\n", {"job/cpu.max": text}) == cores


def test_version_2_takes_the_smallest_of_all_parents(cgroups):
    files = {
        "a/b/c/cpu.max": "max 100000\n",
        "a/b/cpu.max": "400000 100000\n",
        "a/cpu.max": "300000 100000\n",
        "other/cpu.max": "100000 100000\n",
    }
    assert cgroups("0::/a/b/c\n", files) == 3
    assert cgroups("0::/a/b/c\n", files | {"a/b/c/cpu.max": "100000 100000\n"}) == 1
    assert cgroups("0::/elsewhere\n", files) == 0


def test_version_2_root_of_a_container(cgroups):
    # inside a container with its own cgroup namespace the group's own file lies at the root
    assert cgroups("0::/\n", {"cpu.max": "200000 100000\n"}) == 2
    assert cgroups("0::/../../outside\n", {"cpu.max": "200000 100000\n"}) == 2


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
def test_version_1(cgroups, mount):
    groups = f"12:memory:/x\n4:{mount}:/docker/ab:c\n1:name=systemd:/\n"
    group = f"{mount}/docker/ab:c"
    period = {f"{group}/cpu.cfs_period_us": "100000\n"}
    assert cgroups(groups, period | {f"{group}/cpu.cfs_quota_us": "250000\n"}) == 3
    assert cgroups(groups, period | {f"{group}/cpu.cfs_quota_us": "-1\n"}) == 0
    parent = {f"{mount}/docker/cpu.cfs_period_us": "50000\n", f"{mount}/docker/cpu.cfs_quota_us": "50000\n"}
    assert cgroups(groups, period | parent) == 1


def test_version_1_inside_a_container(cgroups):
    # the path of the group is the host's, the mount shows the group itself
    files = {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert cgroups("4:cpu,cpuacct:/docker/abc\n", files) == 1


def test_both_versions_at_once_take_the_smaller(cgroups):
    files = {
        "job/cpu.max": "400000 100000\n",
        "cpu/job/cpu.cfs_quota_us": "200000\n",
        "cpu/job/cpu.cfs_period_us": "100000\n",
    }
    assert cgroups("4:cpu:/job\n0::/job\n", files) == 2


@pytest.mark.parametrize("groups", ["", "nonsense", "0:", "0::", "::::\n0::/a\n", "\n\n"])
def test_malformed_group_lists(cgroups, groups):
    assert cgroups(groups, {}) == 0


def test_no_cgroups_at_all(tmp_path):
    assert _core.cgroup_quota(str(tmp_path / "no"), str(tmp_path / "where")) == 0


@linux
@pytest.mark.skipif(
    "MLCORE_TEST_CGROUP" not in os.environ, reason="writes a real control group: set MLCORE_TEST_CGROUP"
)
@pytest.mark.skipif(ALLOWED < 2, reason="needs two processors")
def test_a_real_quota(tmp_path):
    root = "/sys/fs/cgroup/cpu" if os.path.isdir("/sys/fs/cgroup/cpu") else "/sys/fs/cgroup"
    group = os.path.join(root, f"mlcore-test-{os.getpid()}")
    os.mkdir(group)
    try:
        if root.endswith("cpu"):
            files = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"}
        else:
            files = {"cpu.max": "100000 100000"}
        for name, text in files.items():
            with open(os.path.join(group, name), "w") as file:
                file.write(text)
        enter = f"open({os.path.join(group, 'cgroup.procs')!r}, 'w').write(str(os.getpid()))"
        assert resolve_in_child(enter) == (1, "cgroup quota")
        assert resolve_in_child(enter, n_jobs=2) == (2, "n_jobs")
    finally:
        os.rmdir(group)
