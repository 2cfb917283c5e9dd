"""The two answers to every printed number, and the numbers and words that the front page and the errata quote."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from nasrepro.files import paths
from nasrepro.report import overview
from nasrepro.report.delta import table_1, training_sets
from nasrepro.report.dinas import table_4, table_5
from nasrepro.report.rendering import DATASET_NAMES, Table, tabulate, text
from nasrepro.report.rows import row_of, search_row
from nasrepro.report.verbs import Verb, holds, quoted, standing
from nasrepro.runs.claims import by_claim, evaluate, judge, verdict_of
from nasrepro.runs.evidence import Evidence
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed
from nasrepro.runs.records import find

_PARTS = {  # what the front page quotes -> part of the plan
    "letter": "dinas.table2.cifar10.as-printed",
    "cifar10": "dinas.table2.cifar10",
    "few": "dinas.ablations.labels.500-200",
    "nlp": "dinas.table3.nlp",
    "fewest": "dinas.table7.1000",
    "guided": "dinas.ablations.guidance.3",
    "unguided": "dinas.ablations.guidance.1",
}
_REACHED, _NEAR, _NEXT_TO = 0.0005, 0.1, 0.01  # points from the best of the table
_Values = dict[str, Any]
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


_CONFLICTS = (text("What", "what"), text("The text", "text"), text("The public code", "code"), text("Taken", "taken"))


def conflicts_table() -> Table:
    """Return where text and code of DiNAS differ, or one is silent, and which of them a run as printed follows."""
    caption = "DiNAS: where text and public code differ, or one is silent, and which of them a run as printed follows."
    return tabulate(_CONFLICTS, printed("dinas_conflicts").to_dict("records"), caption, kind="", name="conflicts")


def front_page_numbers(runs: Shown) -> _Values:
    """Return the numbers and words that the front page quotes, None or missing without a record.

    By `verbs.quoted` below `letter`, the run by the recipe to the letter, and the other names of `_PARTS`; those of
    Tables 4 and 5 and of the training sets of Delta-NAS as on their pages; `evidence.doa.<space>.<budget>.<lowest|
    highest>` over the readings. Words: `front.<statement>`.
    """
    found = table_4.numbers(runs) | table_5.numbers(runs) | table_1.doa_numbers(runs)
    for benchmark in training_sets.BENCHMARKS:
        found |= training_sets.numbers(runs, benchmark)
    for name, part in _PARTS.items():
        found |= quoted(name, runs.record(part))
    answers = by_claim(evaluate(runs))
    words = _letter(answers, found, runs) | _small_network(found, runs) | _quality(found, runs)
    return found | words | _differences(answers) | _walks(answers, found)


def errata_numbers(runs: Shown) -> _Values:
    """Return the optimum of ImageNet16-120, in %, and Kendall's tau of the best function of the code alone."""
    found, code = quoted("table2", runs.record("dinas.table2.imagenet16-120")), runs.record("delta.table1.code_alone")
    best = {n: row_of(code, code.metrics["best"][n]["all"], "all")[n] for n in ("tau", "tau_pairs")} if code else {}
    return found | quoted("code_alone", best)


def _every(conditions: Iterable[bool], yes: str, no: str) -> Verb | None:
    return holds(all(known), yes, no) if (known := list(conditions)) else None


def _letter(answers: _Answers, found: _Values, runs: Shown) -> _Values:
    by_letter = {r.key for r in runs.below(_PARTS["letter"]).values()}
    made = (e for part in answers.values() for e in part if e.method == "as printed" and e.found is not None)
    others = [e for e in made if e.claim.id.startswith("dinas.") and not by_letter.issuperset(e.runs)]
    verdicts = (e.verdict for e in answers["dinas.table2.cifar10.val"] if e.method == "as printed")
    ours, words = found.get("letter.dinas.paper.best_valid"), ("ahead of", "level with", "behind")
    controls = {name: found.get(f"cifar10.{name}.paper.best_valid") for name in ("top_class", "evolution")}
    return {f"front.letter.{name}": standing(ours, control, words) for name, control in controls.items()} | {
        "letter.verdict": next(verdicts),
        "front.nothing_else": holds(not others, "Nothing else of DiNAS was", "More of DiNAS was"),
    }


def _small_network(found: _Values, runs: Shown) -> _Values:
    """Words on Table 2: what ours, the draw, few labels and a Gaussian process find."""
    said: _Values = {}
    less, half, best = [], [], 0.0
    for dataset in reversed(DATASET_NAMES):
        record, rerun = runs.record(f"dinas.table2.{dataset}"), runs.record(f"dinas.table2.{dataset}.searches")
        if record is None or rerun is None:
            return {}
        ours, best = row_of(record, "dinas")["best_valid"], record.metrics["optimum"]["valid"]
        away = best - ours["mean"]
        said[f"front.{dataset}"] = Verb("reaches" if away < _REACHED else "comes near" if away < _NEAR else "misses")
        less.append(standing(row_of(record, "top_class")["best_valid"], ours) == "below")
        half.append(row_of(rerun, "gp")["median_labels_to_optimum"])
    reached, few = list(said.values()).count("reaches"), found.get("few.dinas.paper.best_valid.mean")
    near = [] if few is None else [best - few < _NEXT_TO]
    return said | {
        "front.best_cells": Verb(f"finds the best cells of {reached} of 3 data sets"),
        "front.draw": _every(less, "finds less on each", "does not find less on each"),
        "front.few": _every(near, "next to the best cell", "not to the best cell"),
        "front.gp": holds(None not in half, "finds the best cell", "does not find the best cell"),
        "front.gp_labels": max(n or math.inf for n in half),
    }


def _quality(found: _Values, runs: Shown) -> _Values:
    """Words on what ours finds under bounds, on its cells when they are trained, and on how varied and valid they
    are."""
    bounds = [2 * found["table4.above"] <= found["table4.settings"]] if "table4.above" in found else []
    fewest, unique = search_row(runs.record(_PARTS["fewest"])), found.get("nlp.dinas.generations.uniqueness.mean")
    both = [unique < 0.1 and 2 * fewest["failed_runs"] > fewest["all_runs"]] if fewest and unique is not None else []
    fields = [f"dinas.paper.{name}" for name in ("best_valid", "validity", "distinct_valid")]
    places = [standing(found.get(f"guided.{field}"), found.get(f"unguided.{field}")) for field in fields]
    trades = [places == ["above", "below", "below"]] * (None not in places)
    said: _Values = {
        "fewest.all_runs": fewest.get("all_runs"),
        "front.latency": _every(bounds, "is nearly as good", "is not as good"),
        "front.collapsed": _every(both, "Two models of ours collapsed", "Not both models collapsed"),
        "front.guidance": _every(trades, "buys quality with", "does not trade"),
    }
    for than in ("random", "darts-v2"):
        if d := found.get(f"table5.generated.differences.chosen.{than}.top1_error"):
            said[f"front.table5.{than}"] = holds(d["mean"] > 0, "more", "less")
            said[f"front.table5.{than}.better"] = holds(d["high"] < 0, "better than", "not better than")
    return said


def _differences(answers: _Answers) -> _Values:
    """Words on Table 1 of Delta-NAS, by its readings, and on Figure 3."""
    below, better, depends = {}, [], []
    for name, part in answers.items():
        readings = [e.found.mean for e in part if e.method == "as printed" and e.found is not None]
        ours = [e.found.mean for e in part if e.method == "ours" and e.found is not None]
        if ".doa." in name and readings and ours:
            below[name] = max(readings) < part[0].claim.printed
            better.append(ours[0] > max(readings))
            depends += [verdict_of(part) == "depends on the reading"] * (".nb201." in name)
    said = {name: verdict_of(part) for name, part in answers.items() if name.startswith("delta.fig3.")}
    grows = [verdict == "confirmed" for name, verdict in said.items() if "loss_grows" in name]
    under = ("every reading is below", "not every reading is below")
    more = ("The loss grows beyond one edit", "The loss does not grow beyond one edit everywhere")
    flat = said["delta.fig3.nb101.plateau"] == "contradicted"
    return {
        "front.depends": _every(depends, "depends on how it is read", "is the same in every reading"),
        "front.below.tnb101": _every((b for n, b in below.items() if "tnb101" in n), *under),
        "front.below.nb101": _every((b for n, b in below.items() if ".nb101." in n and n.endswith("1pct")), *under),
        "front.better": _every(better, "does better", "does not do better everywhere"),
        "front.grows": _every(grows, *more),
        "front.plateau": holds(flat, "is contradicted", "is not contradicted"),
    }


def _walks(answers: _Answers, found: _Values) -> _Values:
    """Words on Algorithm 2 of Delta-NAS and its rivals, at the end of the search."""

    def end(place: str, method: str = "delta_literal") -> Any:
        return found.get(f"delta_search.{place}.{method}.test")

    if not all(end(f"{b}.{name}") for b in training_sets.BENCHMARKS for name in training_sets.SETS):
        return {}
    figures = [a for name, a in answers.items() if name.startswith(("delta.fig4", "delta.fig5"))]
    made = [(e.claim, e.reading, e.found) for a in figures for e in a if e.method == "as printed" and e.found]
    confirmed = {(claim.id[:12], reading) for claim, reading, told in made if judge(claim, told) == "confirmed"}
    fast = [told.mean > 0 for claim, _, told in made if claim.id.endswith("others_as_fast")]
    zen = "delta_search.nb101.zen.delta_literal.claims"
    rivals = [(f"{b}.100", rival) for b in training_sets.BENCHMARKS for rival in ("evolution_sep", "local_search")]
    every = {standing(end(place, rival), end(place)) for place, rival in rivals}
    behind = {n: standing(end("nb201.10pct", n), end("nb201.10pct")) for n in ("evolution_sep", "plain_ranking")}
    best = max(training_sets.SETS, key=lambda name: end(f"nb201.{name}")["mean"])
    return {
        "front.faster": _every(fast, "is not faster here", "is faster in some reading"),
        "front.ahead": holds(every == {"above"}, "end ahead of", "do not all end ahead of"),
        "front.evolution": holds(behind["evolution_sep"] == "above", "still behind", "not behind"),
        "front.plain": holds(behind["plain_ranking"] == "above", "behind", "not behind"),
        "front.zen": holds(best == "zen", "does best there", "is not best there"),
        "front.confirmed": holds(len(confirmed) == 1, "One panel holds", "Not one panel holds"),
        "front.zen.accuracy": holds(found[f"{zen}.accuracy_ahead.high"] < 0, "behind", "not behind"),
        "front.nearer": holds(found[f"{zen}.distance_ahead.high"] < 0, "nearer to", "not nearer to"),
    }
