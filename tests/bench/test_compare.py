"""The harness of the comparisons: order, limits, ratios, tables, markers, and one real measurement."""

import dataclasses
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if not (ROOT / "bench" / "compare").is_dir():
    pytest.skip("the benchmarks are not part of this copy", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from bench.compare import child, limits, report, runner  # noqa: E402
from bench.compare.__main__ import main, publish  # noqa: E402
from bench.compare.areas import AREAS, area_of  # noqa: E402
from bench.compare.case import BEST, Case, Contender, Job, Outcome, Work  # noqa: E402
from bench.compare.data import Source, blobs, random_rows, sparse_topics  # noqa: E402
from bench.compare.kmeans import inertia, matrix, potential  # noqa: E402

MACHINE = {"cpu": "x", "threads": 2, "flops": {"float32": 100e9, "float64": 50e9}, "bandwidth": 10e9}


def result(seconds, inertia=100.0, **changes):
    run = {
        "seconds": seconds,
        "calls": 1,
        "calls_min": seconds,
        "calls_max": seconds,
        "peak_bytes": 2**20,
        "other_cpu": 0.0,
        "n_iter": 7,
        "quality": {"inertia": inertia},
        "note": "",
        **changes,
    }
    return {**runner.summarise([run]), "mismatch": 0.0}


def entry(contenders, **changes):
    packages = {name: name.split()[0] for name in contenders}
    return {
        "name": "row",
        "title": "A row",
        "goals": {BEST: 2.0},
        "reference": "peer a",
        "ours": "mlcore",
        "objective": "inertia",
        "slack": 1e-3,
        "threads": 2,
        "when": "2030-01-02 03:04",
        "absent": {},
        "packages": packages,
        "contenders": contenders,
        "work": {"flops": 1e9, "bytes": 1e6, "dtype": "float32"},
        **changes,
    }


def results(*rows, quick=False):
    return {
        "area": "kmeans",
        "quick": quick,
        "repeats": 3,
        "machine": MACHINE,
        "versions": {"python": "3"},
        "rows": list(rows),
    }


# --- order --------------------------------------------------------------------------------------------------
def test_every_round_has_everybody_once_and_the_order_alternates():
    names = ["a", "b", "c", "d"]
    rounds = [runner.turn(names, number) for number in range(8)]
    assert all(sorted(order) == names for order in rounds)
    assert rounds[0] == names
    for before, after in itertools.pairwise(rounds):
        assert before != after
    for name in names:  # over as many rounds as there are names, nobody is always first or last
        assert len({order.index(name) for order in rounds}) > 2


def test_the_reference_opens_the_first_round_only():
    assert runner.turn(["a", "b", "c"], 0, "b") == ["b", "a", "c"]
    assert runner.turn(["a", "b", "c"], 1, "b") == ["c", "b", "a"]
    assert runner.turn(["a", "b"], 0, "not installed") == ["a", "b"]
    assert runner.turn([], 3, "b") == []


def test_one_thread_budget_for_every_runtime():
    env = runner.environment(3, {"OMP_NUM_THREADS": "64", "HOME": "/"})
    assert {env[name] for name in runner.THREAD_VARIABLES} == {"3"}
    assert env["HOME"] == "/"


# --- limits -------------------------------------------------------------------------------------------------
def test_lower_bound_is_the_longer_of_arithmetic_and_memory():
    assert limits.lower_bound(Work(200e9, 1e9), MACHINE) == (2.0, "flops")
    assert limits.lower_bound(Work(200e9, 1e9, "float64"), MACHINE) == (4.0, "flops")
    assert limits.lower_bound(Work(1e9, 30e9), MACHINE) == (3.0, "bytes")
    assert limits.lower_bound(Work(1e9, 30e9, core_seconds=8.0), MACHINE) == (4.0, "steps")


def test_the_higher_peak_counts():
    other = {**MACHINE, "flops": {"float32": 120e9, "float64": 40e9}, "bandwidth": 9e9}
    assert limits.higher(MACHINE, other)["flops"] == {"float32": 120e9, "float64": 50e9}
    assert limits.higher(MACHINE, other)["bandwidth"] == 10e9


def test_peaks_can_be_measured():
    assert limits.matrix_product_flops("float32", size=64, seconds=0.0) > 0
    assert limits.copy_bandwidth(1, threads=2, seconds=0.0) > 0


# --- ratios -------------------------------------------------------------------------------------------------
def test_ratio_is_to_the_fastest_peer_of_equal_quality():
    row = entry({"mlcore": result(1.0), "peer a": result(4.0), "peer b": result(3.0)})
    assert report.best_peer(row) == "peer b"
    assert report.ratio(row) == 3.0
    assert report.unmet(row) == []


def test_a_peer_with_a_worse_objective_is_not_the_best():
    row = entry({"mlcore": result(1.0), "peer a": result(4.0), "peer b": result(3.0, inertia=100.2)})
    assert report.best_peer(row) == "peer a"
    row["slack"] = 0.01
    assert report.best_peer(row) == "peer b"


def test_the_quality_is_in_the_words_of_the_area():
    row = entry({"mlcore": result(1.0, inertia=100.2), "peer a": result(4.0)})
    assert report.quality(row, "mlcore") == "7 it., inertia +2e-03, labels equal"
    row["objective_name"] = "test loss"
    assert report.quality(row, "mlcore") == "7 it., test loss +2e-03, labels equal"
    row["contenders"]["mlcore"] = result(1.0)
    assert report.quality(row, "mlcore") == "7 it., test loss equal, labels equal"
    named = {name: {area_of(name).objective_of(row) for row in area_of(name).rows} for name in AREAS}
    assert named["kmeans"] == {"inertia"}
    assert named["svm"] == {
        "dual objective",
        "primal objective",
        "support vectors",
        "error of the best cell",
    }
    assert named["density"] == {"noise"}
    assert not [name for name in named if name != "kmeans" and "inertia" in named[name]]


def test_goals_by_package():
    contenders = {"mlcore": result(1.0), "peer a": result(4.0), "fast b": result(1.5)}
    row = entry(contenders, goals={"peer": 5.0, "fast": 1.0})
    assert report.ratio(row, "peer") == 4.0
    assert report.unmet(row) == ["peer"]
    assert "5× peer (is 4.00×)" in report.wanted(row)


def test_a_loss_is_shown_and_marked():
    lost = entry({"mlcore": result(2.0), "peer a": result(1.0)}, goals={})
    assert report.unmet(lost) == [BEST]
    table = report.summary_table(results(lost))
    assert "**0.50×**" in table


def test_times_above_the_limit():
    row = entry({"mlcore": result(0.04), "peer a": result(1.0)})  # 1e9 operations at 100e9 a second: 10 ms
    table = report.summary_table(results(row))
    assert "10 ms (flops)" in table
    assert "4.00×" in table


def test_rows_and_contenders_that_were_not_run_stay_visible():
    left_out = {"name": "other", "title": "Other row", "left_out": "needs real data"}
    row = entry({"mlcore": result(1.0), "peer a": result(4.0)}, absent={"peer z": "not installed"})
    table = report.full_table(results(row, left_out))
    assert "needs real data" in table
    assert "| peer z | not installed |" in table
    assert "| A row | **mlcore** |" in report.full_table(results(row))


def test_summary_of_repeats():
    runs = [result(s)["runs"][0] for s in (3.0, 1.0, 2.0)]
    runs[1]["peak_bytes"] = 5 * 2**20
    summary = runner.summarise(runs)
    assert (summary["min"], summary["seconds"], summary["max"]) == (1.0, 2.0, 3.0)
    assert summary["peak_bytes"] == 5 * 2**20


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.345, "12.3 s"), (1234.5, "1,234 s"), (0.0123, "12.3 ms"), (0.99951, "1 s"), (4.56e-6, "4.56 µs")],
)
def test_units(value, text):
    assert report.seconds(value) == text


# --- README -------------------------------------------------------------------------------------------------
def test_only_the_marked_section_changes():
    text = "head\n<!-- bench:kmeans -->\nold\nlines\n<!-- /bench:kmeans -->\ntail \\1\n"
    new = report.replace_between(text, "bench:kmeans", "| a \\1 |\n")
    assert new == "head\n<!-- bench:kmeans -->\n| a \\1 |\n<!-- /bench:kmeans -->\ntail \\1\n"
    assert report.replace_between(new, "bench:kmeans", "| a \\1 |\n") == new


@pytest.mark.parametrize("text", ["no markers", "<!-- bench:kmeans --> x", "<!-- /b --><!-- b -->"])
def test_a_missing_section_is_an_error(text):
    with pytest.raises(ValueError, match="expected one section"):
        report.replace_between(text, "bench:kmeans", "new")


def test_the_readme_has_a_section_for_each_published_area():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    published = [name for name in AREAS if (ROOT / "docs" / "benchmarks" / f"{name}.inc.md").is_file()]
    assert "kmeans" in published
    for name in published:
        assert "new table" in report.replace_between(readme, f"bench:{name}", "new table")


def test_publishing_writes_table_and_plot(tmp_path):
    (tmp_path / "README.md").write_text("<!-- bench:x -->\n<!-- /bench:x -->\n", encoding="utf-8")
    (tmp_path / "drawing.svg").write_text("<svg/>", encoding="utf-8")
    row = entry({"mlcore": result(1.0), "peer a": result(4.0)})
    publish("x", results(row), "- A note.", tmp_path / "drawing.svg", tmp_path)
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    page = (tmp_path / "docs" / "benchmarks" / "x.inc.md").read_text(encoding="utf-8")
    assert "4.00×" in readme
    assert "(docs/benchmarks/x.svg)" in readme
    assert "- A note." in page
    assert "- A note." not in readme
    assert (tmp_path / "docs" / "benchmarks" / "x.svg").read_text(encoding="utf-8") == "<svg/>"


def test_new_rows_replace_old_ones_and_the_rest_stays():
    old = results({"name": "a", "when": "old"}, {"name": "b", "when": "old"})
    new = results({"name": "b", "when": "new"})
    merged = runner.merge(old, new, ["a", "b", "c"])
    assert [(row["name"], row["when"]) for row in merged["rows"]] == [("a", "old"), ("b", "new")]


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    row = entry({"mlcore": result(1.0), "peer a": result(4.0), "peer b": result(0.5)})
    assert report.plot(results(row), tmp_path / "plot.svg")
    first = (tmp_path / "plot.svg").read_bytes()
    assert report.plot(results(row), tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_bytes() == first
    assert not report.plot(results(entry({"peer a": result(1.0)})), tmp_path / "none.svg")


# --- measurement --------------------------------------------------------------------------------------------
def test_job_is_a_difference_over_parts(monkeypatch):
    now = iter([0.0, 10.0, 10.0, 14.0])  # run takes 10, without takes 4
    monkeypatch.setattr(child.time, "perf_counter", lambda: next(now))
    seconds, calls, _ = child.timed(Job(Outcome, lambda: None, 3), 1)
    assert seconds == 2.0
    assert calls == [2.0]


def test_measure_checks_and_keeps_labels(tmp_path):
    area = area_of("kmeans")
    row = dataclasses.replace(area.row("tiny"), calls=2)
    arrays = row.make(Source(), 1)
    labels = np.arange(len(arrays["X"])) % 3
    job = Job(lambda: Outcome(labels, arrays["init"], 4))
    contender = Contender("x", "numpy", "numpy", lambda case: job)
    found = child.measure(row, contender, Case(arrays, 1), str(tmp_path / "labels.npy"))
    assert found["n_iter"] == 4
    assert found["calls"] == 2
    assert found["quality"]["inertia"] == pytest.approx(inertia(arrays, labels, arrays["init"]))
    assert runner.mismatch(tmp_path / "labels.npy", tmp_path / "labels.npy") == 0.0
    other = labels.copy()
    other[:30] = 9
    np.save(tmp_path / "other.npy", other)
    assert runner.mismatch(tmp_path / "labels.npy", tmp_path / "other.npy") == pytest.approx(30 / 150)
    assert runner.mismatch(tmp_path / "absent.npy", tmp_path / "other.npy") is None


def test_a_failing_child_gives_its_last_line():
    with pytest.raises(runner.ChildFailed, match="no-such-area"):
        runner.run_child({"area": "no-such-area", "row": "x"}, threads=1, timeout=120)


def test_a_row_in_fresh_processes(capsys, tmp_path):
    """The whole way on the smallest row: processes, tables, JSON, and the tables again from the JSON."""
    given = ["kmeans", "--only", "fit-digits", "--quick", "--threads", "1", "--output", str(tmp_path)]
    assert main(given) == 0
    assert "fit, digits" in capsys.readouterr().out
    found = json.loads((tmp_path / "kmeans-quick.json").read_text(encoding="utf-8"))
    (row,) = found["rows"]
    ours, reference = row["contenders"]["mlcore"], row["contenders"]["scikit-learn lloyd"]
    assert ours["quality"]["inertia"] == pytest.approx(reference["quality"]["inertia"], rel=1e-5)
    assert ours["seconds"] > 0
    assert main([*given, "--render"]) == 0
    assert main([*given, "--render", "--readme"]) == 2  # a quick run stays out of the README


def test_unknown_rows_are_refused(capsys, tmp_path):
    assert main(["kmeans", "--only", "no such row", "--output", str(tmp_path)]) == 2
    assert "no such row" in capsys.readouterr().err


# --- rows and data ------------------------------------------------------------------------------------------
def test_areas_are_the_modules_that_define_one():
    assert "kmeans" in AREAS
    assert not {"areas", "case", "runner", "report"} & set(AREAS)
    with pytest.raises(KeyError, match=r"there are: .*kmeans"):
        area_of("runner")


@pytest.mark.parametrize("name", AREAS)
def test_areas_are_consistent(name):
    area = area_of(name)
    names = [row.name for row in area.rows]
    assert len(set(names)) == len(names)
    for row in area.rows:
        contenders = [contender.name for contender in row.contenders]
        assert len(set(contenders)) == len(contenders)
        assert {row.reference, row.ours} <= set(contenders)
        assert set(row.goals) <= {BEST, *(contender.package for contender in row.contenders)}


def test_without_a_folder_real_data_are_left_out(monkeypatch):
    from bench.compare.case import Unavailable

    monkeypatch.delenv("MLCORE_DATA", raising=False)
    with pytest.raises(Unavailable, match="MLCORE_DATA"):
        area_of("kmeans").row("fit-mnist-10").make(Source(), 1)


def test_generators_are_seeded():
    X = blobs(200, 3, 5)
    np.testing.assert_array_equal(X, blobs(200, 3, 5))
    assert len(np.unique(random_rows(X, 50), axis=0)) == 50
    parts = sparse_topics(300, 400, 4, density=0.05)
    matrix_ = matrix(parts)
    assert matrix_.shape == (300, 400)
    assert matrix_.has_canonical_format
    np.testing.assert_allclose(matrix_.multiply(matrix_).sum(axis=1), 1.0, rtol=1e-5)


def test_inertia_and_potential_are_plain_sums():
    rng = np.random.default_rng(0)
    X, centers = rng.standard_normal((100, 4)).astype(np.float32), rng.standard_normal((5, 4))
    distances = ((X[:, None].astype(float) - centers) ** 2).sum(axis=2)
    labels = rng.integers(0, 5, 100)
    expected = distances[np.arange(100), labels].sum()
    assert inertia({"X": X}, labels, centers) == pytest.approx(expected)
    assert potential({"X": X}, centers) == pytest.approx(distances.min(axis=1).sum())
    parts = sparse_topics(60, 30, 3, density=0.2)
    dense = matrix(parts).toarray()
    centers = rng.standard_normal((5, 30))
    expected = ((dense.astype(float) - centers[labels[:60]]) ** 2).sum()
    assert inertia(parts, labels[:60], centers) == pytest.approx(expected)
