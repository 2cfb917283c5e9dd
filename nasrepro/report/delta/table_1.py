"""Table 1 of Delta-NAS: how well accuracy is predicted from each encoding, beside the printed numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nasrepro.report.rendering import Column, Table, number, tabulate, text
from nasrepro.report.rows import row_of, to_make
from nasrepro.report.verbs import holds, quoted, standing
from nasrepro.runs.claims import by_claim, evaluate, load_claims
from nasrepro.runs.plan import Shown
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record

SPACES = {"nb101": "NAS-Bench-101", "nb201": "NAS-Bench-201"}
SPACES |= {"tnb101": "TransNAS-Bench-101 micro", "nb301": "NAS-Bench-301, our surrogate"}
ENCODINGS = {"adj": "Adjacency", "path": "Path", "zcp": "Zero-cost proxies"}
ENCODINGS |= {"arch2vec": "arch2vec", "cate": "CATE", "flan": "FLAN"}
DIFFERENCE = "doa"  # the difference of architectures: rows of records of the experiment of this name
GAUSSIAN = {  # named in records as what a practitioner would take
    "practitioner": "Gaussian process",
    "practitioner_trees": "the same, averaged with boosted trees",
    "practitioner_zcp": "Gaussian process, with proxies",
    "practitioner_trees_zcp": "the same, averaged with boosted trees",
}
BUDGETS = {"1pct": "1 %", "10pct": "10 %"}
_ROWS = {**ENCODINGS, DIFFERENCE: "Difference of architectures", **GAUSSIAN}


def printed_tau(space: str, encoding: str, budget: str) -> float:
    """Return one printed number."""
    frame = printed("delta_table1").query("space == @space and encoding == @encoding and budget == @budget")
    return float(frame["tau"].iloc[0])


def encoding_table(space: str, runs: Shown) -> Table:
    """Return Table 1 for one space: printed and ours at both budgets, and ours on one-edit pairs."""
    record = runs.record(part := f"delta.table1.{space}.encodings")
    shown = dict.fromkeys(_ROWS, record) | {DIFFERENCE: runs.record(f"delta.table1.{space}.doa")}
    columns = [text("Encoding", lambda method: _ROWS[method])]
    for budget in BUDGETS:
        columns += _columns(space, budget, shown)
    caption = f"Delta-NAS, Table 1, {SPACES[space]}: Kendall's tau of predicted and true values of test cells"
    if record is None:
        return tabulate(columns, _ROWS, f"{caption}. {to_make(part)}", name=f"delta-table1-{space}")
    m, p = record.metrics, record.parameters
    caption += (
        f" ({m['columns'][0]}{', and six other tasks in the mean' if space == 'tnb101' else ''}). Percentages are of "
        f"{m['percent_of']}. Ours: mean [95 % bootstrap interval] over {p['trials']} random training sets, "
        f"{m['test_cells']:,} test cells and {p['pairs']:,} held-out one-edit pairs; profile `{record.profile}`."
    )
    return tabulate(columns, _ROWS, caption, name=f"delta-table1-{space}")


def _columns(space: str, budget: str, shown: Mapping[str, Record | None]) -> Iterable[Column]:
    def told(method: str) -> object:
        return "not in the paper" if method in GAUSSIAN else printed_tau(space, method, budget)

    def ours(method: str, *fields: str) -> object:
        row = row_of(shown[method], method, budget)
        return next((row[field] for field in fields if field in row), "not run")

    rows = record.metrics["rows"] if (record := shown["adj"]) else ()
    labels = next((row["labels"] for row in rows if row["protocol"] == budget), None)
    head = f"{BUDGETS[budget]}: {labels:,} labels" if labels else BUDGETS[budget]
    yield number(f"{BUDGETS[budget]}, printed", told, 3)
    yield number(f"{head}, ours", lambda method: ours(method, "tau"), 3)
    yield number(f"{head}, one-edit pairs", lambda method: ours(method, "pair_tau", "tau_pairs"), 3)


def proxy_table(runs: Shown) -> Table | None:
    """Return how many cells have each zero-cost proxy, and how well the others are imputed; None without a record."""

    def spread(proxies: Mapping[str, Mapping[str, Any]], field: str, spec: str, otherwise: str) -> str:
        found = [c[field] for c in proxies.values() if c["known"] != c["cells"] and c[field] is not None]
        return f"{min(found):{spec}} to {max(found):{spec}}" if found else otherwise

    def whole(proxies: Mapping[str, Mapping[str, Any]]) -> str:
        return ", ".join(name for name, c in proxies.items() if c["known"] == c["cells"]) or "none"

    columns = (
        text("Space and data set", lambda item: item[0]),
        text("Proxies known of every cell used", lambda item: whole(item[1])),
        number("Others: cells with a known score", lambda item: spread(item[1], "known", ",", "none left")),
        number("Cells used", lambda item: next(iter(item[1].values()))["cells"]),
        number("Tau of the imputation, lowest to highest", lambda i: spread(i[1], "tau", ".2f", "nothing imputed")),
    )
    items = [
        (f"{title}, {dataset}", found)
        for space, title in SPACES.items()
        if (record := runs.record(f"delta.table1.{space}.encodings"))
        for dataset, found in record.metrics.get("proxies", {}).items()
    ]
    caption = "Zero-cost proxies. Tau: of imputed with published scores, on a fifth of the cells that was held out."
    return tabulate(columns, items, caption, name="delta-proxies") if items else None


def zen_table(runs: Shown) -> Table:
    """Return how well our Zen-score and the published one agree."""
    record = runs.record(part := "delta.table1.proxies")
    columns = (
        text("Proxy", lambda _: "Zen-score"),
        number("Random cells", "cells"),
        number("Spearman with the table", "spearman", 4),
    )
    caption = "Our Zen-score and the published one, NAS-Bench-201, CIFAR-10: rank correlation [95 % interval]. "
    caption += "" if record else to_make(part)
    return tabulate(columns, [record.metrics if record else {}], caption, name="delta-zen")


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote, None or no entry without a record.

    By `verbs.quoted` below `table1.<space>` and `proxies.zen`; `table1.<space>.<budget>.<best|best_tau|gaussian|
    stands>`: the encoding that ranks best, its tau, that of the best row of the Gaussian process, and where it stands
    to it; the words `proxies.zen.rank` and `arch2vec.stands`; `evidence.doa.<space>.<budget>.printed`; and
    `doa_numbers`.
    """
    found: dict[str, Any] = {}
    for space in SPACES:
        record = runs.record(f"delta.table1.{space}.encodings")
        found |= quoted(f"table1.{space}", record)
        for budget in BUDGETS:
            found[f"evidence.doa.{space}.{budget}.printed"] = printed_tau(space, DIFFERENCE, budget)
            of = [[row for m in names if (row := row_of(record, m, budget))] for names in (ENCODINGS, GAUSSIAN)]
            if all(of):
                best, gaussian = (max(part, key=lambda row: row["tau"]["mean"]) for part in of)
                said = {"best": ENCODINGS[best["searcher"]], "best_tau": best["tau"]["mean"]}
                said |= {"gaussian": gaussian["tau"]["mean"], "stands": standing(gaussian["tau"], best["tau"])}
                found |= {f"table1.{space}.{budget}.{name}": value for name, value in said.items()}
    ours, published = (found.get(f"table1.nb201.arch2vec.{whose}") for whose in ("ours", "published"))
    found["arch2vec.stands"] = standing(ours, published)
    if (zen := runs.record("delta.table1.proxies")) is not None:
        found |= quoted("proxies.zen", zen)
        found["proxies.zen.rank"] = holds(zen.metrics["spearman"]["low"] > 0.99, "alike", "differently")
    return found | doa_numbers(runs)


def doa_numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote of the readings of the difference: `evidence.doa.<space>.<budget>.<lowest|highest>`
    and `evidence.doa.zen.<budget>`."""
    found: dict[str, Any] = {}
    for name, answers in by_claim(evaluate(runs, [c for c in load_claims() if ".doa." in c.id])).items():
        key = f"evidence.doa.{name.split('.')[2]}.{name.split('.')[4]}"
        taus = [e.found.mean for e in answers if e.method == "as printed" and e.found is not None]
        found |= {f"{key}.lowest": min(taus, default=None), f"{key}.highest": max(taus, default=None)}
    ablation = runs.record("delta.table1.ablation")
    return found | {f"evidence.doa.zen.{b}": row_of(ablation, "zen", b).get("tau", {}).get("mean") for b in BUDGETS}
