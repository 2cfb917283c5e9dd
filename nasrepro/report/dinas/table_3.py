"""Table 3 of DiNAS: spaces that are not numbered, scored by our surrogates.

The printed numbers are of other surrogates. They stand beside ours for the order of the methods, never as values to
be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from nasrepro.parameters.base import ADDED
from nasrepro.report.dinas.table_1_2 import SEARCHER_NAMES
from nasrepro.report.rendering import Table, number, tabulate, text
from nasrepro.report.rows import RECIPE, search_row, to_make
from nasrepro.report.verbs import holds, quoted, standing
from nasrepro.runs import records
from nasrepro.runs.plan import Shown, load_plan, planned
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record, Run
from nasrepro.runs.statistics import holm, permutation

TITLES = {"nb301": "NAS-Bench-301", "nlp": "NAS-Bench-NLP"}
TRIAL_SEED = 1  # of the runs in which the guidance scale was chosen
WHAT = {
    "nb301": "accuracy in % on CIFAR-10 after 100 epochs as our surrogate predicts it (validation; there is no test)",
    "nlp": "100 minus the loss on Penn Treebank after 50 epochs as our surrogate predicts it (trained on test losses, "
    "the only public ones)",
}
_QUERIES = {"nb301": 192, "nlp": 304}  # of the printed methods beside DiNAS
# what a further row of DiNAS may vary, each alone, and how the row says so
_VARIED = {"guidance_scale": "guidance scale {:g}", "cells": "{:,} labels"}
TOP_CLASS = "Uniform draw from the labelled top class"
_Line = Mapping[str, Any]

_COLUMNS = (
    text("Method", "method"),
    number("Best, ours", "best_valid", 3),
    number("Behind DiNAS by", "behind"),
    number("p", "p"),
    number("Queries", "queries"),
    number("Labels read before", "before"),
    number("Valid samples, %", "validity.mean", 1, percent=True),
    number("Runs that end outside, %", "extrapolated", percent=True),
    number("Best inside", "inside"),
    number("Printed, other surrogate", "printed"),
)


def search_table(benchmark: str, runs: Shown) -> Table:
    """Return a half of Table 3: DiNAS and its control, then the searches rerun, each beside what is printed."""
    part, name = f"dinas.table3.{benchmark}", f"table3-{benchmark}"
    run, rerun = runs.run(part), runs.run(f"{part}.searches")
    told = printed("dinas_table3").query("benchmark == @benchmark").set_index("method")["val"].dropna()
    told = told.map("{:.2f}".format)
    caption = f"DiNAS, Table 3, {TITLES[benchmark]}: {WHAT[benchmark]}"
    if run is None:
        row = {"method": "DiNAS", "printed": told["DiNAS"]}
        return tabulate(_COLUMNS, [row], f"{caption}. {to_make(part)}", name=name)
    rows, q = _rows(run[1]), run[1].parameters
    dinas, searches = rows["dinas"], _rows(rerun[1]) if rerun else {}
    varied = [r for entry, r in runs.below(part).items() if ".varied." in entry]
    lines = [_line("DiNAS", dinas, dinas, "itself", told["DiNAS"]), *_variants(run[1], dinas, varied)]
    lines += [_line(TOP_CLASS, rows["top_class"], dinas, *_pvalues(run, run, ["top_class"]))]
    for (s, row), p in zip(searches.items(), _pvalues(run, rerun, searches), strict=True):
        mark = told.get(SEARCHER_NAMES[s], "n.p.") if row["queries"] == _QUERIES[benchmark] else "other budget"
        lines.append(_line(SEARCHER_NAMES[s], row, dinas, p, mark))
    others = f"{rerun[1].parameters['runs']} runs" if rerun else f"not run, `{planned(f'{part}.searches').command}`"
    caption += (
        f"; mean [95 % interval] of the best of a run. DiNAS: {dinas['trainings']} training(s) x {dinas['runs']} runs, "
        f"top {100 - q['percentile']:g} % of {dinas['before']:,.0f} labels, guidance scale "
        f"{q['guidance_scale']:g}, {q['reverse_steps']} reverse steps; the others: {others}."
    )
    return tabulate(_COLUMNS, lines, caption, name=name)


def _rows(record: Record | None) -> dict[str, dict[str, Any]]:
    """Return the rows of a record by searcher, every sample a query, in the order of the table."""
    return {s: row for s in ("dinas", "top_class", *SEARCHER_NAMES) if (row := search_row(record, s))}


def _line(method: str, row: _Line, dinas: _Line, p: str = "not tested", mark: str = "n.p.") -> _Line:
    behind, inside = dinas["best_valid"]["mean"] - row["best_valid"]["mean"], row["best_inside"]
    told = f"{inside['mean']:.3f} in {inside['n']} of {row['all_runs']} runs" if inside["n"] else "in no run"
    own = {"behind": "itself" if row is dinas else f"{behind:+.3f}", "inside": told}
    return {**row, **own, "method": method, "p": p, "printed": mark}


def _variants(record: Record, dinas: _Line, varied: Sequence[Record]) -> Iterator[_Line]:
    """Yield DiNAS with distinct valid queries, where it may draw more than it queries, and the runs that vary one
    parameter."""
    for other in (record, *sorted(varied, key=lambda r: [r.parameters.get(name, 0) for name in _VARIED])):
        differs = [n for n in _VARIED if other.parameters.get(n) != record.parameters.get(n)]
        label = "".join(["DiNAS", *(f", {_VARIED[n].format(other.parameters[n])}" for n in differs)])
        if other is not record:
            yield _line(label, search_row(other), dinas)
        if other.parameters["most_draws"] > 1 and (row := search_row(other, "dinas", "distinct")):
            yield _line(f"{label}, distinct valid queries", row, dinas)


def _pvalues(run: Run, other: Run | None, searchers: Iterable[str]) -> list[str]:
    """Return Holm-adjusted p-values of the runs of DiNAS against those of each of some searchers."""
    values = [permutation(_best(run, "dinas"), _best(other, s)) for s in searchers] if other else []
    return [f"{p:.2g}" for p in holm(values)]


def _best(run: Run, searcher: str) -> list[float]:
    frame = records.load_table(run[0], run[1], "runs.parquet").query("searcher == @searcher and protocol == 'paper'")
    return list(frame["best_valid"])


_RECIPE = ("wanted_share", "denoiser", "epochs", "batch_size", "time_input", "reverse_steps")
_TRIALS = (
    number("Wanted class favoured, %", lambda trial: f"{100 * trial['wanted_share']:g}"),
    *RECIPE,
    number("Valid samples, %", "valid", 1, percent=True),
    number("Best, ours", "best_valid", 3),
    number(TOP_CLASS, "top_class", 3),
    number("In the wanted class, %", "in_top_class.mean", 1, percent=True),
    number("Distinct valid per run", lambda trial: f"{trial['distinct_valid']['mean']:.1f} of {trial['queries']}"),
)


def scale_table(benchmark: str, runs: Shown) -> Table | None:
    """Return the trial runs, by how they were trained and then by guidance scale; None without any."""
    caption = f"{TITLES[benchmark]}: trial runs of one training with the seed {TRIAL_SEED}."
    found = trials(benchmark, runs)
    return tabulate(_TRIALS, found, caption, name=f"scale-{benchmark}") if found else None


def trials(benchmark: str, runs: Shown) -> list[_Line]:
    """Return the trial runs behind our settings: parameters, what DiNAS found, and its control `top_class`."""
    found = [_trial(r) for r in runs.below(f"dinas.table3.{benchmark}.trials").values()]
    return sorted(found, key=lambda trial: [trial[name] for name in (*_RECIPE, "guidance_scale")])


def _trial(record: Record) -> _Line:
    rows, p, metrics = _rows(record), {**ADDED, **record.parameters}, record.metrics
    return {
        **p,
        "parameters": p,
        **rows["dinas"],
        "valid": rows["dinas"]["validity"]["mean"],
        "top_class": rows["top_class"]["best_valid"],
        "novelty": metrics["novelty"],
        "new": next(iter(metrics["generations"].values()))["novelty"],  # of normal cells, where they are pairs
        "steps": metrics["speed"]["training_steps"],
        "recipe": [p[name] for name in _RECIPE],
    }


def chosen(series: Sequence[_Line]) -> float:
    """Return the guidance scale that our rule chooses: the largest with at least 95 % valid samples, or, where none
    has that, the one with the most."""
    enough = [trial["guidance_scale"] for trial in series if trial["valid"] >= 0.95]
    return float(max(enough) if enough else max(series, key=lambda trial: trial["valid"])["guidance_scale"])


_MISREAD = {
    "best_if_read_rightly": "Best of a run, architectures read rightly",
    "best_as_reported": "Best of a run, as the public code would report it",
    "worth_of_it": "What the architecture is worth that the public code would choose",
}


def misreading_table(runs: Shown) -> Table | None:
    """Return what the error of the public code does to the result on NAS-Bench-301, from the same samples; None without
    a run that reads rightly."""
    record = runs.record("dinas.table3.nb301")
    if record is None or (found := record.metrics["misreading"]) is None:
        return None
    columns = (text("What", lambda name: _MISREAD[name]), number("Accuracy, %", lambda name: found[name], 3))
    caption = f"The samples of run `{record.key}`, read rightly and as the public code of AG-Net and DiNAS reads them."
    return tabulate(columns, _MISREAD, caption, name="misreading")


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote, by `verbs.quoted` below `nb301` and `nlp`, and what is said of them: counts, trials
    (`<benchmark>.trial.<field>`) and words."""
    found: dict[str, Any] = {}
    for name, verdicts in (("nb301", _of_pairs), ("nlp", _of_cells)):
        record, rerun = (runs.record(f"dinas.table3.{name}{more}") for more in ("", ".searches"))
        if record is None:
            continue
        searches, rows = _rows(rerun), _rows(record) | _rows(rerun)
        found |= quoted(name, rerun) | quoted(name, record)
        found |= {f"{name}.labels": rows["dinas"]["before"], f"{name}.searches": len(searches)}
        for value in ("best_valid", "best_inside"):
            ours = rows["dinas"][value]["mean"] or 0
            behind = [SEARCHER_NAMES[s] for s, row in searches.items() if ours > (row[value]["mean"] or 0)]
            found |= {f"{name}.ahead.{value}": len(behind), f"{name}.ahead.{value}.names": ", ".join(behind) or "none"}
        found |= quoted(name, verdicts(record.metrics, rows, trials(name, runs), runs))
    seeds = {p.resolved.get("seed") for p in load_plan("dinas") if not p.trial}
    return found | {"trial_seed": TRIAL_SEED, "seed": holds(TRIAL_SEED not in seeds, "no other table", "other tables")}


def _of_pairs(metrics: _Line, rows: Mapping[str, _Line], tried: Sequence[_Line], runs: Shown) -> dict[str, Any]:
    """Return what is said of NAS-Bench-301 alone."""
    series, base = _as_planned("nb301", tried)
    same = [t for t in tried if (t["guidance_scale"], t["wanted_share"]) == (base["guidance_scale"], 0.5)]
    blocks = next(t for t in same if t["denoiser"] == "whole-graph")
    stronger = [(a, b) for a, b in pairwise(tried) if a["recipe"] == b["recipe"]]
    known = max(metrics["best_label"], rows["top_class"]["best_valid"]["mean"])
    shares = [rows["dinas"]["validity"]["mean"], *(t["valid"] for t in tried)]
    more, exact = runs.record("dinas.table3.nb301.varied.cells"), runs.record("dinas.exact.nb301")
    return {
        "rule": chosen(series),
        "beyond": holds(rows["dinas"]["best_valid"]["mean"] > known, "beyond", "not beyond"),
        "enough": holds(max(shares) < 0.95, "no", "some"),
        "stronger": len(stronger),
        "rises": holds(all(b["best_valid"]["mean"] > a["best_valid"]["mean"] for a, b in stronger), "each", "not each"),
        "falls": sum(b["valid"] < a["valid"] for a, b in stronger),
        "helped": holds(all(t["valid"] <= base["valid"] for t in same), "none", "one or more"),
        "longest": max(t["steps"] for t in same),
        "trial": base,
        "blocks": blocks,
        "blocks.fewer": holds(blocks["valid"] < base["valid"], "fewer", "no fewer"),
        "blocks.best": standing(blocks["best_valid"], base["best_valid"], ("better", "equal", "worse")),
        **quoted("exact", exact),
        **quoted("more", more),
    }


def _of_cells(metrics: _Line, rows: Mapping[str, _Line], tried: Sequence[_Line], _: Shown) -> dict[str, Any]:
    """Return what is said of NAS-Bench-NLP alone."""
    dinas, control = rows["dinas"], rows["top_class"]
    best = dinas["best_valid"]["mean"]
    series, base = _as_planned("nlp", tried)
    beaten = [best > rows[s]["best_valid"]["mean"] for s in SEARCHER_NAMES if s in rows]
    less = [t for t in tried if t["wanted_share"] < base["wanted_share"]]
    return {
        "rule": chosen(series),
        "rule.default": chosen([t for t in tried if t["denoiser"] == "default" and t not in less]),
        "beats": holds(all(beaten), "better than any search", "not better than every search"),
        "control": standing(dinas["best_valid"], control["best_valid"], ("better than", "as well as", "worse than")),
        "newer": holds(all(t["novelty"] > metrics["novelty"] for t in less), "more", "no more"),
        "fewer": holds(all(t["valid"] < dinas["validity"]["mean"] for t in less), "fewer", "not fewer"),
        "better": holds(all(t["best_valid"]["mean"] <= best for t in less), "none", "some"),
    }


def _as_planned(benchmark: str, tried: Sequence[_Line]) -> tuple[list[_Line], _Line]:
    """Return the trials trained as the run of the table is planned, and of these the one with its guidance scale."""
    plan = planned(f"dinas.table3.{benchmark}").resolved
    series = [t for t in tried if t["recipe"] == [plan[n] for n in _RECIPE]]
    return series, next(t for t in series if t["guidance_scale"] == plan["guidance_scale"])
