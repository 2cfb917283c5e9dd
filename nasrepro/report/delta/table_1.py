"""Table 1 of Delta-NAS: how well accuracy is predicted from each encoding, beside the printed numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasrepro.report.fragments import Fragments, command, provenance, table
from nasrepro.report.rendering import Column, Row, Table, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record, Run

SPACES = {
    "nb101": "NAS-Bench-101",
    "nb201": "NAS-Bench-201",
    "tnb101": "TransNAS-Bench-101 micro",
    "nb301": "NAS-Bench-301, our surrogate",
}
ENCODINGS = {
    "adj": "Adjacency",
    "path": "Path",
    "zcp": "Zero-cost proxies",
    "arch2vec": "arch2vec",
    "cate": "CATE",
    "flan": "FLAN",
}
DIFFERENCE = "doa"  # the difference of architectures: rows of records of the experiment of this name
PRACTITIONERS = {
    "practitioner": "Practitioner: Gaussian process",
    "practitioner_trees": "the same, averaged with boosted trees",
    "practitioner_zcp": "Gaussian process, with proxies",
    "practitioner_trees_zcp": "the same, averaged with boosted trees",
}
BUDGETS = {"1pct": "1 %", "10pct": "10 %"}
_COMMAND = "nasrepro run encodings -p space={space} --profile laptop"


def printed_tau(space: str, encoding: str, budget: str) -> float:
    """Return one printed number."""
    frame = printed("delta_table1")
    here = (frame["space"] == space) & (frame["encoding"] == encoding) & (frame["budget"] == budget)
    return float(frame.loc[here, "tau"].iloc[0])


def record_of(space: str, candidates: Sequence[Record]) -> Record | None:
    """Return the record of `encodings` on a space."""
    return select(f"delta.table1.{space}.encodings", candidates)


def difference_record(space: str, candidates: Sequence[Record]) -> Record | None:
    """Return the record of the difference of architectures on a space."""
    return select(f"delta.table1.{space}.doa", candidates)


def encoding_table(space: str, candidates: Sequence[Record]) -> Table:
    """Return Table 1 for one space: printed and ours at both budgets, and ours on one-edit pairs."""
    record = record_of(space, candidates)
    difference = difference_record(space, candidates)
    labels = {budget: f"{row['labels']:,} labels" if (row := _of(record, "adj", budget)) else "" for budget in BUDGETS}
    columns = (
        Column("Encoding"),
        *(
            Column(
                f"{name}{': ' + labels[budget] if what != 'printed' and labels[budget] else ''}, {what}", numeric=True
            )
            for budget, name in BUDGETS.items()
            for what in ("printed", "ours", "one-edit pairs")
        ),
    )
    rows = [_row(space, name, text, record) for name, text in ENCODINGS.items()]
    rows.append(_row(space, DIFFERENCE, "Difference of architectures", difference))
    rows += [_row(space, name, text, record) for name, text in PRACTITIONERS.items()]
    return Table(columns, tuple(rows), _caption(space, record), _notes(space, record))


def _of(record: Record | None, method: str, budget: str) -> dict[str, Any] | None:
    return metric_row(record, method, budget) if record else None


def _row(space: str, method: str, text: str, record: Record | None) -> Row:
    cells, pair_tau = [text], "tau_pairs" if method == DIFFERENCE else "pair_tau"
    for budget in BUDGETS:
        told = f"{printed_tau(space, method, budget):.3f}" if method not in PRACTITIONERS else "not in the paper"
        ours = _of(record, method, budget)
        cells += [told, *(_figure(ours, field) for field in ("tau", pair_tau))]
    return Row(tuple(cells), "ours")


def _figure(row: dict[str, Any] | None, field: str) -> str:
    return with_interval(row[field], 3) if row and row.get(field) else "not run"


def _caption(space: str, record: Record | None) -> str:
    caption = f"Delta-NAS, Table 1, {SPACES[space]}: Kendall's tau of predicted and true values of test cells"
    caption += ", mean over seven tasks." if space == "tnb101" else "."
    if record is None:
        return caption
    m, p = record.metrics, record.parameters
    return (
        f"{caption} Label: {m['columns'][0]}{' and six other tasks' if space == 'tnb101' else ''}. Percentages are of "
        f"{m['percent_of']}. Ours: mean [95 % bootstrap interval] over {p['trials']} random training sets; "
        f"{m['test_cells']:,} test cells; one-edit pairs: tau of predicted and true differences of {p['pairs']:,} "
        f"held-out pairs; profile `{record.profile}`, device {record.environment.device}."
    )


def _notes(space: str, record: Record | None) -> tuple[str, ...]:
    notes = []
    if record is not None and (extra := metric_row(record, "practitioner", "1pct_of_space")) is not None:
        trees = metric_row(record, "practitioner_trees", "1pct_of_space")
        notes.append(
            f"With {extra['labels']:,} labels, 1 % of the space: practitioner {_figure(extra, 'tau')}, averaged with "
            f"boosted trees {_figure(trees, 'tau')}; on one-edit pairs {_figure(extra, 'pair_tau')} and "
            f"{_figure(trees, 'pair_tau')}."
        )
    if space == "nb301":
        notes.append("Not comparable with the printed numbers: labels are of our own surrogate, on random cells.")
    return tuple(notes)


def run_table(record: Record) -> Table:
    """Return what one run found, whatever its settings: a row per method and budget."""
    columns = (
        Column("Method"),
        *(Column(name, numeric=True) for name in ("Labels", "Tau, cells", "Tau, one-edit pairs")),
    )
    rows = [
        Row(
            (names.get(r["searcher"], r["searcher"]), f"{r['labels']:,}", _figure(r, "tau"), _figure(r, "pair_tau")),
            "ours",
        )
        for names in [ENCODINGS | PRACTITIONERS]
        for r in record.metrics["rows"]
    ]
    return Table(columns, tuple(rows), _caption(record.parameters["space"], record))


def comparison(space: str, record: Record) -> str:
    """Say which ordinary encoding ranks best at each budget, and how the practitioner stands to it."""
    said = []
    for budget, name in BUDGETS.items():
        means = {e: row["tau"]["mean"] for e in ENCODINGS if (row := metric_row(record, e, budget)) is not None}
        own = {e: row["tau"]["mean"] for e in PRACTITIONERS if (row := metric_row(record, e, budget)) is not None}
        if not means or not own:
            continue
        best, mine = max(means, key=lambda e: means[e]), max(own, key=lambda e: own[e])
        said.append(
            f"at {name} {ENCODINGS[best]} has {means[best]:.3f}, the best of the practitioner's rows {own[mine]:.3f}"
        )
    return f"{SPACES[space]}: {'; '.join(said)}."


def proxy_table(committed: Sequence[Record]) -> Table:
    """Return how many cells have each zero-cost proxy, and how well the others are imputed."""
    columns = (
        Column("Space and data set"),
        Column("Proxies known of every cell used"),
        Column("Others: cells with a known score", numeric=True),
        Column("Cells used", numeric=True),
        Column("Tau of the imputation, lowest to highest", numeric=True),
    )
    rows = []
    for space in SPACES:
        record = record_of(space, committed)
        for dataset, found in (record.metrics.get("proxies", {}) if record else {}).items():
            whole = [name for name, c in found.items() if c["known"] == c["cells"]]
            rest = {name: c for name, c in found.items() if name not in whole}
            known = [c["known"] for c in rest.values()]
            taus = [c["tau"] for c in rest.values() if c["tau"] is not None]
            cells = next(iter(found.values()))["cells"]
            rows.append(
                Row(
                    (
                        f"{SPACES[space]}, {dataset}",
                        ", ".join(whole) or "none",
                        f"{min(known):,} to {max(known):,}" if known else "none left",
                        f"{cells:,}",
                        f"{min(taus):.2f} to {max(taus):.2f}" if taus else "nothing imputed",
                    ),
                    "ours",
                )
            )
    caption = (
        "Zero-cost proxies: published or counted where the files have them, else predicted from the structure of the "
        "cell. Tau: of these predictions with the published scores, on a fifth of the cells that was held out."
    )
    return Table(columns, tuple(rows), caption)


def zen_table(record: Record) -> Table:
    """Return how well our Zen-score and the published one agree, from a run of `proxies`."""
    columns = (Column("Proxy"), Column("Random cells", numeric=True), Column("Spearman with the table", numeric=True))
    row = Row(("Zen-score", f"{record.metrics['cells']:,}", with_interval(record.metrics["spearman"], 4)), "ours")
    caption = (
        f"Our score of networks with {record.parameters['batch_size']} random images against the published one of "
        "NAS-Bench-201, CIFAR-10. Rank correlation [95 % interval, cells resampled]."
    )
    return Table(columns, (row,), caption)


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that the page on Table 1 quotes; None without a record."""
    known = [record for _, record in committed]
    zen = select("delta.table1.proxies", known)
    found: dict[str, float | int | str | None] = {
        "proxies.zen.cells": zen.metrics["cells"] if zen else None,
        **{f"proxies.zen.{k}": zen.metrics["spearman"][k] if zen else None for k in ("mean", "low", "high")},
    }
    nb201 = record_of("nb201", known)
    for name in ("ours", "published"):
        check = nb201.metrics.get("arch2vec", {}).get(name, {}) if nb201 else {}
        found |= {f"arch2vec.{name}.{k}": check.get(k) for k in ("mean", "low", "high")}
    return found


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the parts of the page on Table 1."""
    known = [record for _, record in committed]
    for space in SPACES:
        record, name = record_of(space, known), f"delta-table1-{space}"
        parts = [table(name, encoding_table(space, known))]
        if record is None:
            parts += ["There is no committed record yet. This makes one:", command(_COMMAND.format(space=space))]
        else:
            parts += [comparison(space, record), provenance(record)]
        if (difference := difference_record(space, known)) is not None:
            parts += ["The difference of architectures:", provenance(difference)]
        out.write(name, parts, [f"table-{name}"])
    zen = select("delta.table1.proxies", known)
    if zen is None:
        out.write("delta-zen", ["There is no committed record yet.", command("nasrepro run proxies --profile laptop")])
    else:
        out.write("delta-zen", [table("delta-zen", zen_table(zen)), provenance(zen)], ["table-delta-zen"])
    coverage = proxy_table(known)
    if coverage.rows:
        out.write("delta-proxies", [table("delta-proxies", coverage)], ["table-delta-proxies"])
    else:
        out.write("delta-proxies", ["There is no committed record yet."])
