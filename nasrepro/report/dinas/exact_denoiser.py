"""What a number of reverse steps allows at best: samples of exact probabilities beside those of our networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nasrepro.report.dinas import ablations as ablation_tables
from nasrepro.report.dinas import table_1_2 as search_tables
from nasrepro.report.dinas import table_4 as constraint_table
from nasrepro.report.dinas.table_4 import DEVICE_NAMES
from nasrepro.report.rendering import DATASET_NAMES, Column, Row, Table, runs_note
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select_all
from nasrepro.runs.records import Record, Run

BENCHMARKS = ("nb201", "nb101", "hw-nb201", "nb301")
_COLUMNS = (
    Column("Wanted class"),
    Column("Percentile", numeric=True),
    Column("Cells in it", numeric=True),
    Column("Reverse steps", numeric=True),
    Column("Valid, %", numeric=True),
    Column("In the bound, %", numeric=True),
    Column("Wanted, %", numeric=True),
    Column("Distinct wanted", numeric=True),
)


def run_table(record: Record) -> Table:
    """Return what one run of `exact_denoiser` counted: a row per number of steps."""
    return Table(_COLUMNS, tuple(_rows(record)), f"Samples of exact probabilities, run `{record.key}`.")


def exact_table(candidates: Sequence[Record]) -> Table:
    """Return the run of each wanted class, the shares of our networks of the same class below it."""
    known = _by_class(candidates)
    rows: list[Row] = []
    for _, record in sorted(known.items()):
        rows += [*_rows(record), *_networks(record, candidates)]
    samples = {record.parameters["samples"] for record in known.values()}
    caption = (
        "Samples drawn with exact posterior probabilities of the wanted class, no network, no guidance, by the number "
        f"of reverse steps; {', '.join(f'{n:,}' for n in sorted(samples))} samples each. Rows of networks: the samples "
        "of our guided runs. Shares are of all samples."
    )
    return Table(_COLUMNS, tuple(rows), caption, runs_note(known[name].key for name in sorted(known)))


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote: `exact.<benchmark>.<steps>.<share>`, None without a record."""
    known = _by_class([record for _, record in committed])
    found: dict[str, float | int | str | None] = {}
    for benchmark in BENCHMARKS:
        record = next((r for r in known.values() if r.parameters["benchmark"] == benchmark), None)
        for steps in (10, 50):
            rows = record.metrics["by_steps"] if record else []
            row: dict[str, Any] = next((x for x in rows if x["steps"] == steps), {})
            found |= {f"exact.{benchmark}.{steps}.{k}": row.get(k) for k in ("valid", "feasible", "wanted")}
    return found


def _by_class(candidates: Sequence[Record]) -> dict[str, Record]:
    """Return the run of each wanted class."""
    return {_class(record): record for record in select_all("dinas.exact", candidates).values()}


def _class(record: Record) -> str:
    p = record.parameters
    if p["benchmark"] == "hw-nb201":
        return f"{DEVICE_NAMES[p['platform']]}, {p['latency']:g} ms"
    return {
        "nb201": f"NAS-Bench-201, {DATASET_NAMES[p['dataset']]}",
        "nb101": "NAS-Bench-101",
        "nb301": "NAS-Bench-301, normal cells",
    }[p["benchmark"]]


def _rows(record: Record) -> Iterator[Row]:
    for found in record.metrics["by_steps"]:
        shares = (_percent(found[name]) for name in ("valid", "feasible", "wanted"))
        f, size = record.parameters["percentile"], record.metrics["distinct_wanted"]
        cells = (_class(record), f"{f:g}", f"{size:,}", f"{found['steps']}", *shares)
        yield Row((*cells, f"{found['distinct_wanted']:,.0f}"))


def _networks(exact: Record, candidates: Sequence[Record]) -> Iterator[Row]:
    """Yield what the networks behind our tables drew of the same class, guided."""
    for record in _same_class(exact.parameters, candidates):
        row = metric_row(record, "dinas", "paper")
        if row is None or record.parameters["percentile"] != exact.parameters["percentile"]:
            continue
        feasible = row["feasibility"]["mean"] if "feasibility" in row else None
        valid = row["validity"]["mean"] if feasible is None else row["valid_share"]
        wanted = (valid if feasible is None else feasible) * row["in_top_class"]["mean"]
        label = f"our network, scale {record.parameters['guidance_scale']:g}"
        shares = map(_percent, (valid, feasible, wanted))
        yield Row((label, "", "", f"{record.parameters['reverse_steps']}", *shares, "not counted"), "ours")


def _same_class(p: Mapping[str, Any], candidates: Sequence[Record]) -> list[Record]:
    """Return the records behind the tables on the wanted class of a run; none of pairs of cells, whose shares say
    nothing of single ones."""
    if p["benchmark"] == "nb301":
        return []
    if p["benchmark"] == "hw-nb201":
        found = constraint_table.record_of(p["platform"], p["latency"], candidates)
    elif p["benchmark"] == "nb201" and f"nb201-{p['dataset']}" == ablation_tables.TABLE:
        return ablation_tables.varied("steps", candidates)
    else:
        found = search_tables.answering("nb101" if p["benchmark"] == "nb101" else f"nb201-{p['dataset']}", candidates)
    return [] if found is None else [found]


def _percent(share: float | None) -> str:
    return "no bound" if share is None else f"{100 * share:.1f}"
