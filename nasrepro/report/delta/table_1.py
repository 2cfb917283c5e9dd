"""Table 1 of Delta-NAS: how well accuracy is predicted from each encoding, beside the printed numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nasrepro.report.rendering import Column, Table, number, tabulate, text
from nasrepro.report.verbs import holds, standing
from nasrepro.runs.claims import by_claim, evaluate, load_claims, metric_row, verdict_of
from nasrepro.runs.plan import Shown, planned
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
Numbers = dict[str, float | int | str | None]


class NotRun(dict[Any, str]):
    """The row of a table that has no record: each of its values says so."""

    def __missing__(self, key: object) -> str:
        return "not run"


def printed_tau(space: str, encoding: str, budget: str) -> float:
    """Return one printed number."""
    frame = printed("delta_table1").query("space == @space and encoding == @encoding and budget == @budget")
    return float(frame["tau"].iloc[0])


def to_make(part: str) -> str:
    """Return the sentence of a caption for a part of the plan that has no record yet."""
    return f"No run of ours to show; to make it: `{planned(part).command}`."


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


def row_of(record: Record | None, method: str, budget: str) -> dict[str, Any]:
    """Return the row of a method and budget, empty where there is none."""
    return (metric_row(record, method, budget) if record else None) or {}


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
        number("Random cells", lambda found: found["cells"]),
        number("Spearman with the table", lambda found: found["spearman"], 4),
    )
    caption = "Our Zen-score and the published one, NAS-Bench-201, CIFAR-10: rank correlation [95 % interval]. "
    caption += "" if record else to_make(part)
    return tabulate(columns, [record.metrics if record else NotRun()], caption, name="delta-zen")


def row_numbers(prefix: str, record: Record | None, fields: Iterable[str]) -> Numbers:
    """Return `<prefix>.<searcher>.<budget>.<field>.<statistic>` of every row of a record."""
    return {
        f"{prefix}.{row['searcher']}.{row['protocol']}.{field}.{statistic}": row[field][statistic]
        for row in (record.metrics["rows"] if record else ())
        for field in fields
        for statistic in ("mean", "low", "high")
    }


def numbers(runs: Shown) -> Numbers:
    """Return what sentences quote, None or no entry without a record.

    `table1.<space>.<method>.<budget>.<tau|pair_tau>.<statistic>`; `table1.<space>.<budget>.<best|best_tau|gaussian|
    stands>`: the encoding that ranks best, its tau, that of the best row of the Gaussian process, and where it stands
    to it; `table1.settings.<parameter>` of NAS-Bench-201; `proxies.zen.<field>`; `arch2vec.<whose>.<statistic>` and
    `arch2vec.stands`; of the readings of the difference `evidence.doa.<space>.<budget>.<lowest|highest|printed|
    verdict>` and `evidence.doa.zen.<budget>`.
    """
    found: Numbers = {}
    for space in SPACES:
        record = runs.record(f"delta.table1.{space}.encodings")
        found |= row_numbers(f"table1.{space}", record, ("tau", "pair_tau"))
        for budget in BUDGETS:
            of = [[row for m in names if (row := row_of(record, m, budget))] for names in (ENCODINGS, GAUSSIAN)]
            if all(of):
                best, gaussian = (max(part, key=lambda row: row["tau"]["mean"]) for part in of)
                said = {"best": ENCODINGS[best["searcher"]], "best_tau": best["tau"]["mean"]}
                said |= {"gaussian": gaussian["tau"]["mean"], "stands": standing(gaussian["tau"], best["tau"])}
                found |= {f"table1.{space}.{budget}.{name}": value for name, value in said.items()}
    if (record := runs.record("delta.table1.nb201.encodings")) is not None:
        checks: dict[str, Any] = record.metrics.get("arch2vec", {})
        found |= {f"table1.settings.{n}": v for n, v in record.parameters.items() if isinstance(v, int | str)}
        found |= {f"arch2vec.{name}.{n}": v for name, check in checks.items() for n, v in check.items()}
        found["arch2vec.stands"] = standing(checks.get("ours"), checks.get("published"))
    if (zen := runs.record("delta.table1.proxies")) is not None:
        found |= {f"proxies.zen.{n}": v for n, v in (zen.parameters | zen.metrics | zen.metrics["spearman"]).items()}
        found["proxies.zen.rank"] = holds(zen.metrics["spearman"]["low"] > 0.99, "alike", "differently")
    for name, answers in by_claim(evaluate(runs, [c for c in load_claims() if ".doa." in c.id])).items():
        key = f"evidence.doa.{name.split('.')[2]}.{name.split('.')[4]}"
        taus = [e.found.mean for e in answers if e.method == "as printed" and e.found is not None]
        found |= {f"{key}.lowest": min(taus, default=None), f"{key}.highest": max(taus, default=None)}
        found |= {f"{key}.printed": answers[0].claim.printed, f"{key}.verdict": verdict_of(answers)}
    ablation = runs.record("delta.table1.ablation")
    return found | {f"evidence.doa.zen.{b}": row_of(ablation, "zen", b).get("tau", {}).get("mean") for b in BUDGETS}
