"""Table 7 and the first half of Table 6 of DiNAS: fewer training cells, and how new and varied the samples are."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.report.dinas.table_3 import TITLES, TOP_CLASS, WHAT
from nasrepro.report.rendering import Column, Row, Table, runs_note, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select, select_all
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record, Run

SIZES = (100_000, 10_000, 1_000)  # labelled architectures, of Table 7


def size_table(runs: Sequence[Run]) -> Table:
    """Return Table 7: DiNAS after training on 100,000, 10,000 and 1,000 labelled architectures."""
    columns = (
        *(Column("Training cells", numeric=True), Column("Steps", numeric=True)),
        *(Column("Best, ours, mean", numeric=True), Column("Median", numeric=True)),
        *(Column("Runs without a valid sample", numeric=True), Column("Valid, %", numeric=True)),
        *(Column("Novel, %", numeric=True), Column("Unique, %", numeric=True)),
        *(
            Column(TOP_CLASS, numeric=True),
            Column("Best training label", numeric=True),
        ),
        Column("Printed: best, novel, unique"),
    )
    rows: list[Row] = []
    keys: list[str] = []
    for size in SIZES:
        told = printed("dinas_table7").set_index("cells").loc[size]
        text = f"{told['val']:.2f}, {told['novelty']:g}, {told['uniqueness']:g}"
        below = (r for _, r in select_all(f"dinas.table7.{size}", runs).values())
        found = [r for r in below if r.parameters["cells"] == size and r.parameters["decode"] == "correct"]
        for record in sorted(found, key=lambda r: int(r.parameters["epochs"])):
            rows.append(Row((*_size_cells(record), text), "ours"))
            keys.append(record.key)
        if not found:
            rows.append(Row((f"{size:,}", *["not run"] * 9, text), "ours"))
    caption = (
        "DiNAS, Table 7, NAS-Bench-301: 192 pairs of a run, each of one normal and one reduction sample, after "
        f"training on fewer labelled architectures; {WHAT['nb301']}. Valid, novel (absent from the "
        "training data) and unique (present just once among the generations of all runs), up to isomorphism; the last "
        "two as shares of the valid."
    )
    notes = (
        "As in the paper, the number of epochs is the same for every size, so fewer cells also mean fewer steps. A "
        "second row of 1,000 cells trains for as many steps as that of 10,000, and tells the two apart.",
        "Printed: the official ensemble; the mean of 85.29 holds one run without a valid sample, which counts as 0.",
        *runs_note(keys),
    )
    return Table(columns, tuple(rows), caption, notes)


def _size_cells(record: Record) -> tuple[str, ...]:
    row, control = (metric_row(record, s, "paper") for s in ("dinas", "top_class"))
    assert row is not None and control is not None
    whole = record.metrics["all_runs"]
    return (
        f"{record.parameters['cells']:,}",
        f"{record.metrics['speed']['training_steps']:,}",
        with_interval(row["best_valid"], 3),
        f"{row['best_valid']['median']:.3f}",
        f"{row['failed_runs']} of {row['runs'] * row['trainings']}",
        f"{100 * whole['validity']:.1f}",
        *(_share(whole[name]) for name in ("novelty", "uniqueness")),
        with_interval(control["best_valid"], 3),
        f"{record.metrics['best_label']:.3f}",
    )


def variety_table(runs: Sequence[Run]) -> Table:
    """Return the first half of Table 6: novelty and uniqueness of samples that are only looked at."""
    columns = (
        *(Column("Samples"), Column("Valid, %", numeric=True)),
        *(Column("Novel, %", numeric=True), Column("exactly", numeric=True)),
        *(Column("Unique, %", numeric=True), Column("exactly ", numeric=True)),
        *(Column("Printed, novel", numeric=True), Column("Printed, unique", numeric=True)),
    )
    rows, samples = [], 0
    for benchmark, title in TITLES.items():
        told = printed("dinas_table6_novelty").set_index("benchmark").loc[benchmark]
        texts = f"{told['novelty']:g}", f"{told['uniqueness']:g}"
        found = select(f"dinas.table3.{benchmark}", runs)
        if found is None:
            rows.append(Row((title, *["not run"] * 5, *texts), "ours"))
            continue
        samples = found[1].parameters["generations"]
        parts = found[1].metrics["generations"]
        for name, part in parts.items():
            label = f"{title}, {name}" if len(parts) > 1 else title
            shown = texts if name == list(parts)[-1] else ("n.p.", "n.p.")
            fields = ("validity", "novelty", "novelty_exact", "uniqueness", "uniqueness_exact")
            rows.append(Row((label, *(_share(part[f]) for f in fields), *shown), "ours"))
    caption = (
        f"DiNAS, Table 6: novelty and uniqueness of {samples:,} samples of one training. Novel: absent from the "
        "training data; unique: present just once among the samples; both as shares of the valid samples, "
        "up to isomorphism and by exact equality."
    )
    notes = (
        "The paper does not say whether a generation of NAS-Bench-301 is a cell or a pair of cells, nor what it counts "
        "as the same. A pair is novel as soon as one of its cells is new in its company.",
        "Cells of NAS-Bench-NLP are kept in canonical form, so that equal means isomorphic.",
    )
    return Table(columns, tuple(rows), caption, notes)


def _share(value: float | None) -> str:
    return "no valid sample" if value is None else f"{100 * value:.1f}"
