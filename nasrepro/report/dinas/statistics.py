"""DiNAS against the searches rerun, over all benchmarks: tests with correction, equivalence, critical differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.report.dinas.table_1_2 import SEARCHER_NAMES, TABLES
from nasrepro.report.dinas.table_3 import TITLES
from nasrepro.report.drawing import Canvas, Figure, render
from nasrepro.report.rendering import Table, number, tabulate, text
from nasrepro.report.rows import not_run
from nasrepro.report.verbs import holds
from nasrepro.runs import records
from nasrepro.runs.claims import Claim, load_claims
from nasrepro.runs.plan import Shown
from nasrepro.runs.records import Run
from nasrepro.runs.statistics import critical_difference, equivalence, holm, mean_ranks, permutation

_READINGS = {"ahead": "DiNAS ahead", "level": "no difference shown", "behind": "the search ahead"}
NAMES = {"dinas": "DiNAS", **SEARCHER_NAMES}
_PARTS = {spec.title: spec.part for spec in TABLES.values()}
_PARTS |= {title: f"dinas.table3.{name}" for name, title in TITLES.items()}
Values = dict[str, np.ndarray]  # best value of each run, by searcher


def best_values(runs: Shown) -> dict[str, Values]:
    """Return the best value of every run, by benchmark (its title) and searcher, as far as there are records.

    Runs that found nothing are 0. Benchmarks on which DiNAS or the searches have not been run are left out.
    """
    pairs = {title: (runs.run(p), runs.run(f"{p}.searches")) for title, p in _PARTS.items()}
    return {title: _values(a) | _values(b) for title, (a, b) in pairs.items() if a is not None and b is not None}


def _values(run: Run) -> Values:
    """Return the best value of each run of DiNAS, or of the searches, whichever the record is of."""
    folder, record = run
    runs = records.load_table(folder, record, "runs.parquet")
    wanted = set(SEARCHER_NAMES) if record.experiment == "baselines" else {"dinas"}
    runs = runs[(runs["protocol"] == "paper") & runs["searcher"].isin(wanted)]
    return {str(s): part["best_valid"].to_numpy() for s, part in runs.groupby("searcher")}


_TESTS = (
    text("Benchmark", "benchmark"),
    text("Search", lambda test: NAMES[test["search"]]),
    number("DiNAS", "dinas", 3),
    number("The search", "theirs", 3),
    number("Difference, points", lambda test: f"{test['dinas'] - test['theirs']:+.3f}"),
    number("p, Holm", lambda test: _p(test["p"])),
    text("Reading", lambda test: _READINGS[test["who"]]),
)


def _tests(found: Mapping[str, Values]) -> Iterator[dict[str, Any]]:
    """Yield benchmark, search, mean of DiNAS, of the search, corrected p-value, and who is ahead."""
    for title, values in found.items():
        others = [s for s in SEARCHER_NAMES if s in values]
        adjusted = holm([permutation(values["dinas"], values[s]) for s in others])
        for searcher, p in zip(others, adjusted, strict=True):
            means = {"dinas": values["dinas"].mean(), "theirs": values[searcher].mean()}
            who = "level" if p >= 0.05 else "ahead" if means["dinas"] > means["theirs"] else "behind"
            yield {"benchmark": title, "search": searcher, "p": p, "who": who} | means


def test_table(runs: Shown) -> Table:
    """Return the difference of DiNAS to each search on each benchmark, with p-values corrected within the benchmark."""
    caption = (
        "Best value found per run, the paper's protocol, DiNAS against each search rerun: difference of means and the "
        "two-sided p-value of a permutation test of the runs, Holm-corrected over the searches of a benchmark."
    )
    notes = not_run(runs, *(f"{part}{of}" for part in _PARTS.values() for of in ("", ".searches")))
    return tabulate(_TESTS, _tests(best_values(runs)), caption, notes, name="tests")


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote: in how many `tests` who is ahead (`ahead`, `behind`, `level`, `gp.ahead`), the words
    for it, and the first of the diagram."""
    found = best_values(runs)
    tests, (ranks, width) = pd.DataFrame(_tests(found), columns=["search", "who"]), _ranks(found)
    who = {name: [*tests["search"][tests["who"] == name]] for name in _READINGS}
    similar = all(_p_of(*item[1:]) < 0.05 for item in _printed_again(found))
    best = next(iter(ranks), None)
    return {name: len(searchers) for name, searchers in who.items()} | {
        "tests": len(tests),
        "benchmarks": len(found),
        "gp.ahead": who["ahead"].count("gp"),
        "random.every": holds(who["ahead"].count("random") == len(found), "every", "not every"),
        "behind.no": holds(not who["behind"], "no", "some"),
        "equivalent": holds(similar, "every", "not every"),
        "best": best,
        "best.rank": ranks.get(best or ""),
        "dinas.rank": ranks.get(NAMES["dinas"]),
        "critical": width,
    }


_EQUIVALENCE = (
    text("Benchmark", lambda item: item[0]),
    number("Printed mean, %", lambda item: item[2].printed, 2),
    number("Ours, %", lambda item: item[1].mean(), 3),
    number("Margin, points", lambda item: item[2].tolerance, 2),
    number("p of a larger difference", lambda item: _p(_p_of(*item[1:]))),
    number("Runs", lambda item: len(item[1])),
)


def _printed_again(found: Mapping[str, Values]) -> list[tuple[str, np.ndarray, Claim]]:
    """Return title, best values and claim of the tables of the same benchmark; Table 1 is by test accuracy, not the
    printed."""
    claims = {c.id: c for c in load_claims()}
    again = [spec for spec in TABLES.values() if spec.number != 1 and spec.title in found]
    return [(spec.title, found[spec.title]["dinas"], claims[f"{spec.part}.val"]) for spec in again]


def _p_of(values: np.ndarray, claim: Claim) -> float:
    return equivalence(values, claim.printed, claim.tolerance)


def equivalence_table(runs: Shown) -> Table:
    """Return whether DiNAS' mean equals the printed one within the claim's tolerance, where the benchmark is the
    same."""
    caption = (
        "Two one-sided t-tests (TOST) that the mean of best validation accuracies differs from the printed mean by "
        "less than the tolerance of its claim: a small p shows equivalence. The printed mean is taken as exact."
    )
    return tabulate(_EQUIVALENCE, _printed_again(best_values(runs)), caption, name="equivalence")


def _ranks(found: Mapping[str, Values]) -> tuple[dict[str, float], float | None]:
    """Return the mean rank of each method, best first, and the critical difference; nothing where fewer than three
    benchmarks or methods are known."""
    methods = [m for m in NAMES if found and all(m in values for values in found.values())]
    if len(found) < 3 or len(methods) < 3:
        return {}, None
    ranks = mean_ranks([[values[m].mean().round(6) for m in methods] for values in found.values()])
    named = sorted(zip(ranks.tolist(), methods, strict=True))
    return {NAMES[m]: rank for rank, m in named}, critical_difference(len(methods), len(found))


def rank_figure(runs: Shown) -> Figure | None:
    """Return the critical-difference diagram over benchmarks; None where there are fewer than three."""
    found = best_values(runs)
    ranks, width = _ranks(found)
    if width is None:
        return None
    groups, last = _groups(np.array([*ranks.values()]), width), len(ranks)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        better = (last + 1) // 2  # named on the left, the rest on the right: no line meets a name or another line
        for k, (name, rank) in enumerate(ranks.items()):
            side, depth, align = (0.7, -1 - k, "right") if k < better else (last + 0.3, k - last, "left")
            axes.plot([rank, rank, side], [0, depth, depth], color="#6b7280", linewidth=0.8)
            axes.plot(rank, 0, "o", color="#0b3c6f")
            axes.text(side, depth, f" {name}, {rank:.2f} ", ha=align, va="center")
        for k, (low, high) in enumerate(groups):
            axes.plot([low - 0.05, high + 0.05], [0.45 + 0.3 * k] * 2, color="#111827", linewidth=3)
        top = 0.75 + 0.3 * len(groups)
        axes.plot([1, 1 + width], [top, top], color="#b3540f", linewidth=2)
        axes.annotate(f"critical difference {width:.2f}", (1 + width / 2, top + 0.1), ha="center", va="bottom")
        axes.set(xlim=(0.7, last + 0.3), ylim=(-better - 0.7, top + 0.9), xticks=range(1, last + 1), yticks=[])
        axes.set_xlabel("mean rank (1 = best)")
        axes.spines[["left", "right", "top"]].set_visible(False)

    said = ", ".join(f"{name} {rank:.2f}" for name, rank in ranks.items())
    alt = f"Critical-difference diagram, {len(found)} benchmarks, mean ranks: {said}. Critical difference {width:.2f}."
    caption = "Mean ranks over the benchmarks; a bar joins methods that do not differ by the critical difference."
    data = pd.DataFrame(ranks.items(), columns=["method", "mean_rank"])
    return render(draw, (8.0, 3.4), alt, data).titled("ranks", caption)


def _groups(ranks: np.ndarray, width: float) -> list[tuple[float, float]]:
    """Return the maximal groups of methods (ranks increasing) that do not differ by the critical difference."""
    spans = [(float(r), float(ranks[ranks <= r + width].max())) for r in ranks]
    return [(a, b) for k, (a, b) in enumerate(spans) if b > a and not any(c <= a and b <= d for c, d in spans[:k])]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
