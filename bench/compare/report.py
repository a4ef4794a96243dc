"""Tables, plot and README section out of a results file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .case import BEST, Work
from .limits import lower_bound


def seconds(value: float) -> str:
    """Three digits with a fitting unit."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        scaled = value * factor
        if scaled >= 0.9995:  # from here on it is not rounded to less than 1
            return f"{scaled:,.0f} {unit}" if scaled >= 999.5 else f"{scaled:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def megabytes(value: float) -> str:
    return f"{value / 2**20:.0f} MB" if value >= 2**20 else "< 1 MB"


def times(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}×" if value < 10 else f"{value:.0f}×"


def ours_of(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = entry.get("contenders", {}).get(entry.get("ours"))
    return found


def excess(entry: Mapping[str, Any], name: str) -> float | None:
    """Relative difference of a contender's objective to the reference's; None when unknown."""
    contenders = entry["contenders"]
    reference = contenders.get(entry["reference"])
    key = entry["objective"]
    if reference is None or key not in reference["quality"] or key not in contenders[name]["quality"]:
        return None
    base = reference["quality"][key]
    return float((contenders[name]["quality"][key] - base) / abs(base)) if base else None


def best_peer(entry: Mapping[str, Any], package: str | None = None) -> str | None:
    """Fastest of the others (or of one package) whose objective is within the slack of the reference's."""
    fit = []
    for name, result in entry["contenders"].items():
        if name == entry["ours"] or (package is not None and entry["packages"][name] != package):
            continue
        worse = excess(entry, name)
        if worse is None or worse <= entry["slack"]:
            fit.append((result["seconds"], name))
    return min(fit)[1] if fit else None


def ratio(entry: Mapping[str, Any], package: str = BEST) -> float | None:
    """Time of the best peer, or of the best of one package, over ours: above 1 is a win."""
    ours = ours_of(entry)
    peer = best_peer(entry) if package == BEST else best_peer(entry, package)
    if ours is None or peer is None:
        return None
    return float(entry["contenders"][peer]["seconds"] / ours["seconds"])


def unmet(entry: Mapping[str, Any]) -> list[str]:
    """Packages (or BEST) whose wanted ratio is missed; without goals, BEST where we are slower."""
    goals = entry["goals"] or {BEST: 1.0}
    ratios = {package: ratio(entry, package) for package in goals}
    return [package for package, value in ratios.items() if value is not None and value < goals[package]]


def wanted(entry: Mapping[str, Any]) -> str:
    """The goals in words, with what was reached where it is not the ratio to the best peer."""
    parts = []
    for package, goal in entry["goals"].items():
        if package == BEST:
            parts.append(f"{goal:g}×")
        else:
            parts.append(f"{goal:g}× {package} (is {times(ratio(entry, package)) or 'absent'})")
    return ", ".join(parts)


def limit(entry: Mapping[str, Any], machine: Mapping[str, Any]) -> tuple[float, str] | None:
    if "work" not in entry:
        return None
    return lower_bound(Work(**entry["work"]), machine)


def quality(entry: Mapping[str, Any], name: str) -> str:
    result = entry["contenders"][name]
    parts = []
    if result["n_iter"] is not None:
        parts.append(f"{result['n_iter']} it.")
    worse = excess(entry, name)
    if worse is not None and name != entry["reference"]:
        objective = entry.get("objective_name", entry["objective"])
        parts.append(f"{objective} {worse:+.0e}" if abs(worse) >= 5e-8 else f"{objective} equal")
    shown = [key for key in entry.get("shown", ()) if key in result["quality"]]
    parts += [f"{key.replace('_', ' ')} {result['quality'][key]:.4g}" for key in shown]
    if result.get("mismatch") is not None and name != entry["reference"]:
        parts.append(f"differs {result['mismatch']:.2g}" if result["mismatch"] else "labels equal")
    if result["note"]:
        parts.append(result["note"])
    return ", ".join(parts)


def _grid(header: Sequence[str], align: str, lines: Sequence[Sequence[str]]) -> str:
    rule = ["---" if c == "l" else "--:" for c in align]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *lines])


def summary_table(results: Mapping[str, Any]) -> str:
    """One line a row: ours, the best peer, the ratio, what was wanted, the limit. Goals missed are bold."""
    lines = []
    for entry in results["rows"]:
        if "left_out" in entry:
            lines.append([entry["title"], f"left out: {entry['left_out']}", *[""] * 8])
            continue
        ours, peer = ours_of(entry), best_peer(entry)
        value, bound = ratio(entry), limit(entry, results["machine"])
        if ours is None:
            lines.append([entry["title"], entry["absent"].get(entry["ours"], "absent"), *[""] * 8])
            continue
        other = entry["contenders"][peer] if peer else None
        gained = times(value)
        lost = bool(unmet(entry))
        lines.append(
            [
                entry["title"],
                seconds(ours["seconds"]),
                peer or "none",
                seconds(other["seconds"]) if other else "",
                f"**{gained}**" if lost else gained,
                wanted(entry),
                quality(entry, entry["ours"]),
                f"{megabytes(ours['peak_bytes'])} / {megabytes(other['peak_bytes'])}" if other else "",
                f"{seconds(bound[0])} ({bound[1]})" if bound else "",
                times(ours["seconds"] / bound[0]) if bound else "",
            ]
        )
    header = [
        "Task",
        "mlcore",
        "Best peer",
        "its time",
        "Ratio",
        "Wanted",
        "Quality",
        "Memory",
        "Limit",
        "Above it",
    ]
    return _grid(header, "lrlrrrlrrr", lines)


def full_table(results: Mapping[str, Any]) -> str:
    """One line for every contender of every row."""
    lines = []
    for entry in results["rows"]:
        if "left_out" in entry:
            lines.append([entry["title"], f"left out: {entry['left_out']}", *[""] * 7])
            continue
        bound = limit(entry, results["machine"])
        best = best_peer(entry)
        ours = ours_of(entry)
        for name, result in entry["contenders"].items():
            lines.append(
                [
                    entry["title"],
                    f"**{name}**" if name in (entry["ours"], best) else name,
                    seconds(result["seconds"]),
                    f"{seconds(result['min'])} to {seconds(result['max'])}",
                    times(result["seconds"] / ours["seconds"]) if ours else "",
                    quality(entry, name),
                    megabytes(result["peak_bytes"]),
                    times(result["seconds"] / bound[0]) if bound else "",
                    f"{result['other_cpu']:.1f}" if result["other_cpu"] is not None else "",
                ]
            )
        lines += [[entry["title"], name, why, *[""] * 6] for name, why in entry["absent"].items()]
    header = [
        "Task",
        "Library",
        "Median",
        "Range",
        "Time / ours",
        "Quality",
        "Memory",
        "Above limit",
        "Other load",
    ]
    return _grid(header, "llrrrlrrr", lines)


def machine_line(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    flops = machine["flops"]
    packages = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    dates = sorted(entry["when"][:10] for entry in results["rows"] if "when" in entry)
    when = (
        f" {dates[0]}" if dates and dates[0] == dates[-1] else f" {dates[0]} to {dates[-1]}" if dates else ""
    )
    return (
        f"Measured{when} on {machine['cpu']}, {machine['threads']} threads; matrix product "
        f"{flops['float32'] / 1e9:.0f} GFLOP/s in float32, {flops['float64'] / 1e9:.0f} in float64; copy "
        f"{machine['bandwidth'] / 1e9:.0f} GB/s. "
        f"Median of up to {results['repeats']} fresh processes each. {packages}."
    )


def markdown(results: Mapping[str, Any], notes: str, *, full: bool) -> str:
    warning = [
        "*Quick run on data a twentieth of the size: says that everything works, not how fast it is.*",
        "",
    ]
    parts = warning if results["quick"] else []
    parts += [summary_table(results), "", machine_line(results)]
    if full:
        parts += ["", notes, full_table(results)]
    return "\n".join(parts) + "\n"


def replace_between(text: str, name: str, content: str) -> str:
    """`text` with everything between the markers <!-- name --> and <!-- /name --> replaced by `content`."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.S)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"expected one section {start} ... {end}")
    return pattern.sub(lambda _: f"{start}\n{content.strip()}\n{end}", text)


def plot(results: Mapping[str, Any], path: Path) -> bool:
    """Bars of every contender's time over ours, one group a row, as SVG. False when Matplotlib is absent."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "mlcore"  # the same picture gives the same file
    from matplotlib.figure import Figure

    entries = [e for e in results["rows"] if ours_of(e) is not None and len(e["contenders"]) > 1]
    if not entries:
        return False
    names = list(dict.fromkeys(n for e in entries for n in e["contenders"] if n != e["ours"]))
    height = sum(len(e["contenders"]) for e in entries) * 0.2 + len(entries) * 0.12 + 1.2
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.subplots()
    position, ticks, seen = 0.0, [], set()
    for entry in entries:
        ours = ours_of(entry)
        assert ours is not None
        start = position
        for i, name in enumerate(names):
            result = entry["contenders"].get(name)
            if result is None or name == entry["ours"]:
                continue
            value = result["seconds"] / ours["seconds"]
            label = None if name in seen else name
            seen.add(name)
            axes.barh(position, value - 1.0, left=1.0, height=0.9, color=f"C{i}", label=label)
            axes.annotate(
                f" {times(value)} ",
                (value, position),
                va="center",
                ha="left" if value >= 1 else "right",
                size=7,
            )
            position -= 1.0
        if BEST in entry["goals"]:
            axes.plot(
                [entry["goals"][BEST]] * 2, [start + 0.5, position + 0.5], color="black", lw=1.2, ls=":"
            )
        ticks.append(((start + position + 1.0) / 2, entry["title"]))
        position -= 0.6
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low / 1.8, high * 1.8)
    axes.axvline(1.0, color="black", lw=1)
    axes.set_yticks([at for at, _ in ticks], [title for _, title in ticks], size=8)
    axes.set_ylim(position + 0.5, 1.0)
    axes.set_xlabel("time over mlcore's (above 1: mlcore is faster; dotted: wanted)", size=9)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value >= 0.1 else f"{value:.2g}")
    figure.legend(loc="outside upper center", ncols=min(4, len(names)), fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    return True


def finite(value: Any) -> Any:
    """JSON knows no infinity: a slack without bound is written as a huge number."""
    if isinstance(value, float) and math.isinf(value):
        return math.copysign(1e300, value)
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value
