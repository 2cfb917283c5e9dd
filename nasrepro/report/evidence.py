"""The two answers to every printed number, and the numbers and words that the front page and the errata quote."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from nasrepro.files import paths
from nasrepro.report import overview
from nasrepro.report.rendering import Table, tabulate, text
from nasrepro.report.verbs import Verb, holds, standing
from nasrepro.runs.claims import by_claim, evaluate, judge, metric_row, stands, verdict_of
from nasrepro.runs.evidence import Evidence
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import hardware_settings, printed
from nasrepro.runs.records import Record, find

_LETTER = "dinas.table2.cifar10.as-printed"
_SETS = {"nb101": "delta.figure4", "nb201": "delta.figure5"}
_REACHED, _NEAR, _NEXT_TO = 0.0005, 0.1, 0.01  # points from the best of the table
_BELOW = ("every reading is below", "not every reading is below")
_Values = dict[str, float | int | str | None]
_Answers = Mapping[str, Sequence[Evidence]]


@lru_cache
def _answers(folder: Path) -> tuple[Evidence, ...]:
    return tuple(evaluate(list(find(folder))))


def claims() -> Table:
    """Return every claim with its answers from the committed records."""
    return overview.claims_table(_answers(paths.records_dir())).named("claims")


def answered_twice(prefix: str, title: str) -> Table:
    """Return the claims whose ids begin with a prefix, answered twice from the committed records."""
    part = [e for e in _answers(paths.records_dir()) if e.claim.id.startswith(prefix)]
    return overview.claims_table(part, f"{title}, answered twice").named("answers")


_CONFLICTS = (
    text("What", lambda row: row["what"]),
    text("The text", lambda row: row["text"]),
    text("The public code", lambda row: row["code"]),
    text("Taken", lambda row: row["taken"]),
)


def conflicts_table() -> Table:
    """Return where text and code of DiNAS differ, or one is silent, and which of them a run as printed follows."""
    caption = "DiNAS: where text and public code differ, or one is silent, and which of them a run as printed follows."
    return tabulate(_CONFLICTS, printed("dinas_conflicts").to_dict("records"), caption, kind="", name="conflicts")


def front_page_numbers(runs: Shown) -> _Values:
    """Return the numbers and words that the front page quotes, None without a record.

    Numbers: `evidence.table4.<above|level|below>`, settings in which ours stands so to its control, and
    `.memorised.<lowest|highest>`; `evidence.table5.generated.<than>.<statistic>`, differences in top-1 error, in
    points; `evidence.table7.<field>`; `evidence.nlp.uniqueness`; `evidence.letter.<field>` of the run by the recipe to
    the letter; `evidence.doa.<space>.<budget>.<lowest|highest>` over the readings; `delta_search.<benchmark>.zen.`.
    Words: `front.<statement>`.
    """
    grouped = by_claim(evaluate(runs))
    parts = (_letter, _small_network, _table4, _table5, _collapse, _guidance, _differences, _figure3, _walks)
    return {name: value for part in parts for name, value in part(grouped, runs).items()}


def errata_numbers(runs: Shown) -> _Values:
    """Return the optimum of ImageNet16-120, in %, and Kendall's tau of the best function of the code alone."""
    table2, code = runs.record("dinas.table2.imagenet16-120"), runs.record("delta.table1.code_alone")
    found: _Values = {f"optimum.{n}": table2.metrics["optimum"][n] if table2 else None for n in ("valid", "test_of_it")}
    best = {n: _row(code, code.metrics["best"][n]["all"], "all") if code else {} for n in ("tau", "tau_pairs")}
    return found | {f"code_alone.{n}": _mean(row, n) for n, row in best.items()}


def _of(record: Record | None, name: str) -> Any:
    """Return a parameter, None without a record."""
    return record.parameters[name] if record else None


def _row(record: Record | None, searcher: str, protocol: str = "paper") -> dict[str, Any]:
    return (record and metric_row(record, searcher, protocol)) or {}


def _mean(row: Mapping[str, Any], field: str) -> float | None:
    return (row.get(field) or {}).get("mean")


def _every(conditions: Sequence[bool], yes: str, no: str) -> Verb | None:
    return holds(all(conditions), yes, no) if conditions else None


def _letter(grouped: _Answers, runs: Shown) -> _Values:
    record = runs.record(_LETTER)
    row, answers = _row(record, "dinas"), grouped["dinas.table2.cifar10.val"]
    by_letter = {r.key for r in runs.below(_LETTER).values()}
    made = (e for part in grouped.values() for e in part if e.method == "as printed" and e.found is not None)
    others = [e for e in made if e.claim.id.startswith("dinas.") and not by_letter.issuperset(e.runs)]
    found: _Values = {f"evidence.letter.{n}.mean": _mean(row, n) for n in ("best_valid", "validity", "distinct_valid")}
    found |= {f"evidence.letter.{n}": _of(record, n) for n in ("epochs", "runs", "queries")}
    many = runs.record("dinas.table2.cifar10")  # the same controls in more runs
    for name in ("top_class", "evolution"):
        control = _row(many, name).get("best_valid")
        found[f"front.letter.{name}"] = standing(row.get("best_valid"), control, ("ahead of", "level with", "behind"))
        found[f"evidence.letter.{name}.mean"] = _mean(_row(many, name), "best_valid")
        found[f"evidence.letter.{name}.runs"] = (control or {}).get("n")
    return found | {
        "evidence.letter.control": _mean(_row(record, "top_class"), "best_valid"),
        "evidence.letter.evolution": _mean(_row(record, "evolution"), "best_valid"),
        "evidence.letter.verdict.val": next(e.verdict for e in answers if e.method == "as printed"),
        "front.nothing_else": holds(not others, "Nothing else of DiNAS was", "More of DiNAS was"),
    }


def _small_network(_: _Answers, runs: Shown) -> _Values:
    """Words on Table 2: what ours, the draw, few labels and a Gaussian process find."""
    found: _Values = {}
    less, half = [], []
    few, best = runs.record("dinas.ablations.labels.500-200"), 0.0
    for dataset in ("imagenet16-120", "cifar100", "cifar10"):
        record, rerun = runs.record(f"dinas.table2.{dataset}"), runs.record(f"dinas.table2.{dataset}.searches")
        if record is None or rerun is None:
            return {}
        ours, best = _row(record, "dinas")["best_valid"], record.metrics["optimum"]["valid"]
        away = best - ours["mean"]
        found[f"front.{dataset}"] = Verb("reaches" if away < _REACHED else "comes near" if away < _NEAR else "misses")
        less.append(standing(_row(record, "top_class")["best_valid"], ours) == "below")
        half.append(_row(rerun, "gp")["median_labels_to_optimum"])
    near = [best - row["best_valid"]["mean"] < _NEXT_TO for row in (_row(few, "dinas"),) if row]
    return found | {
        "front.best_cells": Verb(f"finds the best cells of {list(found.values()).count('reaches')} of 3 data sets"),
        "front.draw": _every(less, "finds less on each", "does not find less on each"),
        "front.few_labels": _of(few, "labelled"),
        "front.few": _every(near, "next to the best cell", "not to the best cell"),
        "front.gp": holds(None not in half, "finds the best cell", "does not find the best cell"),
        "front.gp_labels": max(n or math.inf for n in half),
    }


def _table4(grouped: _Answers, runs: Shown) -> _Values:
    """How ours stands to its control in each setting, and how much of its feasible samples it was trained on."""
    places: list[str] = []
    shares = []
    for device, bound in hardware_settings():
        ours = next(e for e in grouped[f"dinas.table4.{device}.{bound}.val"] if e.method == "ours")
        if ours.found is not None and ours.control is not None:
            places.append(stands(ours.found, ours.control[1]))
        if row := _row(runs.record(f"dinas.table4.{device}.{bound}"), "dinas"):
            shares.append(row["in_top_class"]["mean"])
    count = {word: places.count(word) if places else None for word in ("above", "level", "below")}
    return {f"evidence.table4.{word}": n for word, n in count.items()} | {
        "evidence.table4.settings": len(places),
        "evidence.table4.memorised.lowest": min(shares, default=None),
        "evidence.table4.memorised.highest": max(shares, default=None),
        "front.latency": _every(
            [2 * places.count("above") <= len(places)] * bool(places), "is nearly as good", "is not as good"
        ),
    }


def _table5(_: _Answers, runs: Shown) -> _Values:
    record = runs.record("dinas.table5.generated")
    if record is None:
        return {}
    found: _Values = {}
    for d in record.metrics["differences"]:
        if (d["of"], d["field"]) == ("chosen", "top1_error"):
            found |= {f"evidence.table5.generated.{d['minus']}.{k}": d[k] for k in ("mean", "low", "high", "p")}
            found[f"front.table5.{d['minus']}"] = holds(d["mean"] > 0, "more", "less")
            found[f"front.table5.{d['minus']}.better"] = holds(d["high"] < 0, "better than", "not better than")
    return found


def _collapse(_: _Answers, runs: Shown) -> _Values:
    """The samples of NAS-Bench-NLP that are all alike, and the runs of Table 7 without a valid sample."""
    few = runs.record("dinas.table7.1000")
    unique = _mean(_row(runs.record("dinas.table3.nlp"), "dinas", "generations"), "uniqueness")
    row = _row(few, "dinas")
    failed, of = row.get("failed_runs", 0), row["runs"] * row["trainings"] if row else 0
    both = [unique < 0.1 and 2 * failed > of] if row and unique is not None else []
    return {f"evidence.table7.{n}": _of(few, n) for n in ("epochs", "batch_size")} | {
        "evidence.nlp.uniqueness": unique,
        "evidence.table7.failed": failed if row else None,
        "evidence.table7.runs": of or None,
        "front.collapsed": _every(both, "Two models of ours collapsed", "Not both models collapsed"),
    }


def _guidance(_: _Answers, runs: Shown) -> _Values:
    with_, without = (_row(runs.record(f"dinas.ablations.guidance.{scale}"), "dinas") for scale in (3, 1))
    if not with_ or not without:
        return {}
    places = [standing(with_[n], without[n]) for n in ("best_valid", "validity", "distinct_valid")]
    return {"front.guidance": holds(places == ["above", "below", "below"], "buys quality with", "does not trade")}


def _differences(grouped: _Answers, runs: Shown) -> _Values:
    """Kendall's tau of Table 1 of Delta-NAS over the readings, and with differences of Zen-scores."""
    found: _Values = {}
    below, better, depends = {}, [], []
    for name, answers in grouped.items():
        readings = [e.found.mean for e in answers if e.method == "as printed" and e.found is not None]
        ours = [e.found.mean for e in answers if e.method == "ours" and e.found is not None]
        if ".doa." in name and readings and ours:
            _, _, space, _, budget = name.split(".")
            ends = {"lowest": min(readings), "highest": max(readings)}
            found |= {f"evidence.doa.{space}.{budget}.{end}": value for end, value in ends.items()}
            below[f"{space}.{budget}"] = max(readings) < answers[0].claim.printed
            better.append(ours[0] > max(readings))
            depends += [verdict_of(answers) == "depends on the reading"] * (space == "nb201")
    ablation = runs.record("delta.table1.ablation")
    return found | {
        **{f"evidence.doa.zen.{budget}": _mean(_row(ablation, "zen", budget), "tau") for budget in ("1pct", "10pct")},
        "front.depends": _every(depends, "depends on how it is read", "is the same in every reading"),
        "front.below.tnb101": _every([b for n, b in below.items() if "tnb101" in n], *_BELOW),
        "front.below.nb101": _every([b for n, b in below.items() if n == "nb101.1pct"], *_BELOW),
        "front.better": _every(better, "does better", "does not do better everywhere"),
    }


def _figure3(grouped: _Answers, _: Shown) -> _Values:
    """What Figure 3 of Delta-NAS is said to show, in all three spaces."""
    said = {name: verdict_of(answers) for name, answers in grouped.items() if name.startswith("delta.fig3.")}
    grows = [verdict == "confirmed" for name, verdict in said.items() if "loss_grows" in name]
    flat = said["delta.fig3.nb101.plateau"] == "contradicted"
    return {
        "front.grows": _every(
            grows, "The loss grows beyond one edit", "The loss does not grow beyond one edit everywhere"
        ),
        "front.plateau": holds(flat, "is contradicted", "is not contradicted"),
    }


def _walks(grouped: _Answers, runs: Shown) -> _Values:
    """Test accuracies of Algorithm 2 of Delta-NAS and its rivals at the end of the search, and what they say."""
    shown = {(b, n): runs.record(f"{part}{n}") for b, part in _SETS.items() for n in ("", ".1pct", ".10pct", ".zen")}
    if any(record is None for record in shown.values()):
        return {}

    def end(benchmark: str, name: str, method: str) -> dict[str, Any]:
        record = shown[benchmark, name]
        assert record is not None
        found: dict[str, Any] = _row(record, method, "evaluations")[f"test_{record.metrics['checkpoints'][-1]}"]
        return found

    def place(benchmark: str, name: str, rival: str) -> str | None:
        return standing(end(benchmark, name, rival), end(benchmark, name, "delta_literal"))

    figures = [a for name, a in grouped.items() if name.startswith(("delta.fig4", "delta.fig5"))]
    made = [(e.claim, e.reading, e.found) for a in figures for e in a if e.method == "as printed" and e.found]
    confirmed = {(claim.id[:12], reading) for claim, reading, found in made if judge(claim, found) == "confirmed"}
    fast = [found.mean > 0 for claim, _, found in made if claim.id.endswith("others_as_fast")]
    zen, near = shown["nb201", ".zen"], shown["nb101", ".zen"]
    assert zen is not None and near is not None
    ahead, accuracy = (_row(near, "delta_literal", "claims")[f"{what}_ahead"] for what in ("distance", "accuracy"))
    literal = {n: end("nb201", n, "delta_literal")["mean"] for b, n in shown if b == "nb201"}
    every = [place(b, "", rival) for b in _SETS for rival in ("evolution_sep", "local_search")]
    return {
        **{
            f"delta_search.nb201.zen.{m}.test.mean": end("nb201", ".zen", m)["mean"]
            for m in ("delta_literal", "random", "evolution_sep")
        },
        "delta_search.nb201.zen.evaluations": zen.metrics["checkpoints"][-1],
        "delta_search.nb101.zen.distance_ahead.mean": ahead["mean"],
        "delta_search.nb101.zen.runs": near.parameters["runs"],
        "front.faster": _every(fast, "is not faster here", "is faster in some reading"),
        "front.ahead": holds(set(every) == {"above"}, "end ahead of", "do not all end ahead of"),
        "front.evolution": holds(place("nb201", ".10pct", "evolution_sep") == "above", "still behind", "not behind"),
        "front.plain": holds(place("nb201", ".10pct", "plain_ranking") == "above", "behind", "not behind"),
        "front.zen": holds(max(literal, key=lambda n: literal[n]) == ".zen", "does best there", "is not best there"),
        "front.confirmed": holds(len(confirmed) == 1, "One panel holds", "Not one panel holds"),
        "front.zen.accuracy": holds(accuracy["high"] < 0, "behind", "not behind"),
        "front.nearer": holds(ahead["high"] < 0, "nearer to", "not nearer to"),
    }
