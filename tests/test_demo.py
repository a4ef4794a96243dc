"""The demonstration framework, with demonstrations that take no time."""

import dataclasses
import io
import os
import subprocess
import sys

import pytest

import mlcore.__main__
from mlcore import _demo
from mlcore._demo import Demonstration


def fake(name="fake", log=None, **changes):
    log = [] if log is None else log

    def note(what, result):
        log.append(what)
        return result

    demonstration = Demonstration(
        name=name,
        task="adding up",
        data="three numbers",
        peer="other.Adder",
        quality="the sum (higher is better)",
        load=lambda: note("load", [1, 2, 3]),
        run_ours=lambda data: note("ours", sum(data)),
        run_peer=lambda data: note("peer", sum(data) - 0.5),
        measure=lambda data, result: note("measure", result / len(data)),
    )
    return dataclasses.replace(demonstration, **changes)


def clock_of(durations):
    """A clock under which the timed runs take these seconds, in order of the runs."""
    times = []
    now = 0.0
    for duration in durations:
        times += [now, now + duration]
        now += 100
    return iter(times).__next__


def run_all(demonstrations, folder, **arguments):
    out, err = io.StringIO(), io.StringIO()
    status = _demo.run_all(demonstrations, folder=folder, out=out, err=err, **arguments)
    return status, out.getvalue(), err.getvalue()


def test_ours_and_the_peer_take_turns_and_the_median_counts():
    log = []
    # ours, peer, peer, ours, ours, peer
    outcome = _demo.run(fake(log=log), repeat=3, clock=clock_of([1, 10, 20, 2, 9, 30]))
    assert log == ["load", "ours", "peer", "peer", "ours", "ours", "peer", "measure", "measure"]
    assert outcome.our_seconds == [1, 2, 9]
    assert outcome.peer_seconds == [10, 20, 30]
    assert outcome.ratio == 10.0
    assert (outcome.our_quality, outcome.peer_quality) == (2.0, 5.5 / 3)


def test_table_shows_everything():
    outcome = _demo.run(fake(), repeat=1, clock=clock_of([0.5, 2.0]))
    lines = _demo.format_table([outcome]).splitlines()
    cells = [cell.strip() for cell in lines[2].split("  ") if cell.strip()]
    assert cells == ["adding up", "three numbers", "other.Adder", "0.5", "2", "4.00x", "2", "1.83333"]
    assert len({len(line) for line in lines}) == 1


def test_pictures_are_written_into_the_folder(tmp_path):
    def draw(data, result, folder):
        path = folder / "sum.txt"
        path.write_text(str(result))
        return [path]

    folder = tmp_path / "new" / "folder"
    status, out, err = run_all([fake(draw=draw)], folder, repeat=2)
    assert status == 0
    assert (folder / "sum.txt").read_text() == "6"
    assert f"fake: wrote {folder / 'sum.txt'}" in out
    assert "the sum (higher is better)" in out
    assert err.splitlines()[0] == "[0/4] fake: loading data"
    assert "[3/4] fake: mlcore" in err


def test_a_missing_peer_and_missing_matplotlib_are_remarks(tmp_path):
    def absent(module):
        def run(*arguments):
            raise ModuleNotFoundError(f"No module named '{module}'", name=module)

        return run

    demonstration = fake(run_peer=absent("other"), draw=absent("matplotlib.pyplot"))
    status, out, _ = run_all([demonstration], tmp_path, repeat=2)
    assert status == 0
    assert "fake: other.Adder was not run: No module named 'other'" in out
    assert "matplotlib is not installed" in out
    row = out.splitlines()[2].split()
    assert row[-1] == "-"
    assert row[-3:-1] == ["-", "2"]


def test_other_missing_modules_are_failures(tmp_path):
    def draw(*arguments):
        raise ModuleNotFoundError("No module named 'own'", name="own")

    status, out, _ = run_all([fake(draw=draw)], tmp_path)
    assert status == 1
    assert "failed: ModuleNotFoundError: No module named 'own'" in out


def test_a_failure_leaves_the_others_running(tmp_path):
    def broken(data):
        raise ArithmeticError("broken")

    status, out, err = run_all([fake("bad", run_ours=broken), fake("good")], tmp_path, repeat=1)
    assert status == 1
    assert "bad: failed: ArithmeticError: broken" in out
    assert "4.00x" not in out
    assert "good: quality is" in out
    assert "[2/4] good: loading data" in err


def make_family(folder, name, text):
    family = folder / name
    family.mkdir(parents=True)
    (family / "__init__.py").write_text("")
    if text is not None:
        (family / "_demo.py").write_text(text)


FAMILY = """
from mlcore._demo import Demonstration
def nothing(*arguments): return 0
DEMONSTRATIONS = [Demonstration(name, *"tdpq", *[nothing] * 4) for name in NAMES]
"""


def test_families_are_found_by_their_demo_module(tmp_path, monkeypatch):
    package = tmp_path / "zoo_of_families"
    make_family(package, "ants", FAMILY.replace("NAMES", "['a1', 'a2']"))
    make_family(package, "bees", None)
    make_family(package, "cats", FAMILY.replace("NAMES", "['c']"))
    (package / "__init__.py").write_text("")
    (package / "_demo.py").write_text("raise AssertionError('not a family')")
    monkeypatch.syspath_prepend(tmp_path)
    assert [demonstration.name for demonstration in _demo.discover("zoo_of_families")] == ["a1", "a2", "c"]


def test_two_demonstrations_with_one_name_are_refused(tmp_path, monkeypatch):
    package = tmp_path / "zoo_with_twins"
    make_family(package, "ants", FAMILY.replace("NAMES", "['same', 'same']"))
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="same name"):
        _demo.discover("zoo_with_twins")


def test_a_demo_module_that_cannot_be_imported_is_an_error(tmp_path, monkeypatch):
    package = tmp_path / "zoo_with_a_bug"
    make_family(package, "ants", "import module_that_does_not_exist")
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="module_that_does_not_exist"):
        _demo.discover("zoo_with_a_bug")


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr(_demo, "discover", lambda: [fake("one"), fake("two")])


def test_command_line_runs_what_it_is_asked_for(two, tmp_path, capsys):
    arguments = ["demo", "--only", "two", "--repeat", "1", "--output", str(tmp_path)]
    assert mlcore.__main__.main(arguments) == 0
    captured = capsys.readouterr()
    assert "two: quality" in captured.out
    assert "one: quality" not in captured.out
    assert "median of 1." in captured.out
    assert "[0/2] two: loading data" in captured.err


def test_command_line_lists_and_refuses_unknown_names(two, capsys):
    assert mlcore.__main__.main(["demo", "--list"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["one", "two"]
    for wrong in (["demo", "--only", "three"], ["demo", "--repeat", "0"], ["nonsense"], []):
        with pytest.raises(SystemExit) as stopped:
            mlcore.__main__.main(wrong)
        assert stopped.value.code == 2
    assert "there are: one, two" in capsys.readouterr().err


def test_the_module_can_be_run():
    done = subprocess.run(
        [sys.executable, "-m", "mlcore", "demo", "--list"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
