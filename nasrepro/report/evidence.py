"""The two answers to every printed number, by table and figure, and what sentences of the book quote of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nasrepro.report import overview as tables
from nasrepro.report.fragments import Fragments, plain_table, table
from nasrepro.runs.claims import by_claim, evaluate, metric_row, stands, verdict_of
from nasrepro.runs.evidence import VERDICTS, Evidence
from nasrepro.runs.plan import select
from nasrepro.runs.printed import hardware_settings, printed
from nasrepro.runs.records import Run

PAGES = {  # fragment -> beginning of the ids of its claims, and what it is of
    "dinas-table1": ("dinas.table1.", "Table 1 of DiNAS"),
    "dinas-table2": ("dinas.table2.", "Table 2 of DiNAS"),
    "dinas-table3": ("dinas.table3.", "Table 3 of DiNAS"),
    "dinas-table4": ("dinas.table4.", "Table 4 of DiNAS"),
    "dinas-table5": ("dinas.table5.", "Table 5 of DiNAS"),
    "dinas-table6": ("dinas.table6.", "Table 6 of DiNAS"),
    "dinas-table7": ("dinas.table7.", "Table 7 of DiNAS"),
    "dinas-table8": ("dinas.table8.", "Table 8 of DiNAS"),
    "delta-table1": ("delta.table1.", "Table 1 of Delta-NAS"),
    "delta-figure3": ("delta.fig3.", "Figure 3 of Delta-NAS"),
    "delta-figure4": ("delta.fig4", "Figure 4 of Delta-NAS"),
    "delta-figure5": ("delta.fig5", "Figure 5 of Delta-NAS"),
}
_LETTER = "dinas.table2.cifar10.as-printed"
_Values = dict[str, float | int | str | None]


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write `evidence-<table>` for every table and figure, and `conflicts`, where text and code of DiNAS differ."""
    evidence = evaluate(committed)
    for name, (prefix, what) in PAGES.items():
        part = [e for e in evidence if e.claim.id.startswith(prefix)]
        content = tables.claims_table(part, f"{what}, answered twice")
        out.write(f"evidence-{name}", [table(f"evidence-{name}", content)], [f"table-evidence-{name}"])
    frame = printed("dinas_conflicts")
    frame.columns = pd.Index(["What", "The text", "The public code", "Taken"])
    caption = "DiNAS: where text and public code differ, or one is silent, and which of them a run as printed follows."
    out.write("conflicts", [plain_table("conflicts", frame, caption)], ["table-conflicts"])


def values(committed: Sequence[Run]) -> _Values:
    """Return the numbers that sentences quote, None without a record.

    `evidence.verdicts.<verdict>`; `evidence.table4.<above|level|below>`, settings in which ours stands so to its
    control, and `.memorised.<lowest|highest>`; `evidence.table5.<chosen>.<than>.<statistic>`, differences in top-1
    error; `evidence.table7.<field>`; `evidence.nlp.uniqueness`; `evidence.letter.<field>` of the run by the recipe to
    the letter; `evidence.doa.<space>.<budget>.<lowest|highest|printed|verdict>` over the readings.
    """
    evidence = evaluate(committed)
    grouped = by_claim(evidence)
    said = [verdict_of(answers) for answers in grouped.values()]
    found: _Values = {f"evidence.verdicts.{v.replace(' ', '-')}": said.count(v) for v in VERDICTS}
    found["evidence.rivals"] = said.count(None)
    return (
        found
        | _table4(grouped)
        | _memorised(committed)
        | _table5(committed)
        | _collapse(committed)
        | _letter(grouped, committed)
        | _differences(grouped, committed)
    )


def _table4(grouped: Mapping[str, Sequence[Evidence]]) -> _Values:
    standing = []
    for device, bound in hardware_settings():
        ours = next(e for e in grouped[f"dinas.table4.{device}.{bound}.val"] if e.method == "ours")
        if ours.found is not None and ours.control is not None:
            standing.append(stands(ours.found, ours.control[1]))
    return {f"evidence.table4.{w}": standing.count(w) if standing else None for w in ("above", "level", "below")}


def _memorised(committed: Sequence[Run]) -> _Values:
    """The shares of feasible samples that stand in the training list of wanted cells, lowest and highest of Table 4."""
    runs = [select(f"dinas.table4.{device}.{bound}", committed) for device, bound in hardware_settings()]
    rows = [row for run in runs if run is not None and (row := metric_row(run[1], "dinas", "paper"))]
    shares = [row["in_top_class"]["mean"] for row in rows]
    return {
        "evidence.table4.memorised.lowest": min(shares, default=None),
        "evidence.table4.memorised.highest": max(shares, default=None),
    }


def _table5(committed: Sequence[Run]) -> _Values:
    found: _Values = {}
    for kind in ("generated", "surrogate"):
        run = select(f"dinas.table5.{kind}", committed)
        for than in ("random", "darts-v2"):
            differences = run[1].metrics["differences"] if run else []
            d: dict[str, Any] = next(
                (x for x in differences if (x["of"], x["minus"], x["field"]) == ("chosen", than, "top1_error")), {}
            )
            found |= {f"evidence.table5.{kind}.{than}.{k}": d.get(k) for k in ("mean", "low", "high", "p")}
        for group in ("chosen", "random", "darts-v2"):
            row = (metric_row(run[1], group, "last") if run else None) or {}
            for field in ("parameters", "top1_error"):
                found[f"evidence.table5.{kind}.{group}.{field}"] = (row.get(field) or {}).get("mean")
    return found


def _collapse(committed: Sequence[Run]) -> _Values:
    """The samples of NAS-Bench-NLP that are all alike, and the runs of Table 7 without a valid sample."""
    nlp, few = select("dinas.table3.nlp", committed), select("dinas.table7.1000", committed)
    row = (metric_row(nlp[1], "dinas", "generations") if nlp else None) or {}
    failed = (metric_row(few[1], "dinas", "paper") if few else None) or {}
    return {
        "evidence.nlp.uniqueness": (row.get("uniqueness") or {}).get("mean"),
        "evidence.table7.failed": failed.get("failed_runs"),
        "evidence.table7.runs": failed["runs"] * failed["trainings"] if failed else None,
        **{f"evidence.table7.{name}": few[1].parameters[name] if few else None for name in ("epochs", "batch_size")},
    }


def _letter(grouped: Mapping[str, Sequence[Evidence]], committed: Sequence[Run]) -> _Values:
    run = select(_LETTER, committed)
    row = (metric_row(run[1], "dinas", "paper") if run else None) or {}
    beside = {
        name: (metric_row(run[1], searcher, "paper") if run else None) or {}
        for name, searcher in (("control", "top_class"), ("evolution", "evolution"))
    }
    found: _Values = {}
    for field in ("best_valid", "test", "validity", "distinct_valid", "in_top_class"):
        for statistic in ("mean", "low", "high"):
            found[f"evidence.letter.{field}.{statistic}"] = (row.get(field) or {}).get(statistic)
    found |= {f"evidence.letter.{name}": (of.get("best_valid") or {}).get("mean") for name, of in beside.items()}
    for name in ("epochs", "runs", "queries"):
        found[f"evidence.letter.{name}"] = run[1].parameters[name] if run else None
    found["evidence.letter.failed"] = row.get("failed_runs")
    found["evidence.letter.steps"] = run[1].metrics["speed"]["training_steps"] if run else None
    for short in ("val", "test"):
        answer = next(e for e in grouped[f"dinas.table2.cifar10.{short}"] if e.method == "as printed")
        found[f"evidence.letter.verdict.{short}"] = answer.verdict
    return found


def _differences(grouped: Mapping[str, Sequence[Evidence]], committed: Sequence[Run]) -> _Values:
    found: _Values = {}
    for name, answers in grouped.items():
        if ".doa." not in name:
            continue
        _, _, space, _, budget = name.split(".")
        readings = [e.found.mean for e in answers if e.method == "as printed" and e.found is not None]
        prefix = f"evidence.doa.{space}.{budget}"
        found |= {
            f"{prefix}.lowest": min(readings, default=None),
            f"{prefix}.highest": max(readings, default=None),
            f"{prefix}.printed": answers[0].claim.printed,
            f"{prefix}.verdict": verdict_of(answers),
        }
    ablation = select("delta.table1.ablation", committed)
    for budget in ("1pct", "10pct"):
        row = (metric_row(ablation[1], "zen", budget) if ablation else None) or {}
        found[f"evidence.doa.zen.{budget}"] = (row.get("tau") or {}).get("mean")
    return found
