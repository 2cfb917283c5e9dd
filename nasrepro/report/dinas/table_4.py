"""Table 4 of DiNAS: the best accuracy under a latency constraint, and how many samples keep it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from nasrepro.report.rendering import Column, Row, Table, duration, runs_note, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import select, select_all
from nasrepro.runs.printed import hardware_settings, printed
from nasrepro.runs.records import Record

DEVICE_NAMES = {
    "edgegpu": "EdgeGPU",
    "raspi4": "Raspi4",
    "edgetpu": "EdgeTPU",
    "pixel3": "Pixel3",
    "eyeriss": "Eyeriss",
    "fpga": "FPGA",
}
_COLUMNS = (
    Column("Setting"),
    *(Column(f"{name}", numeric=True) for name in ("DiNAS, printed", "AG-Net, printed", "Random, printed")),
    Column("DiNAS, ours", numeric=True),
    Column("Uniform draw from the labelled wanted cells", numeric=True),
    Column("Random search, ours", numeric=True),
)
_BEST = {"val": Column("Ceiling", numeric=True), "feasibility": Column("Share of the space", numeric=True)}
_MEMORISED = Column("Feasible samples that stand in the training list of wanted cells, %", numeric=True)


def record_of(device: str, bound: float, candidates: Iterable[Record]) -> Record | None:
    """Return the record of a setting."""
    return select(f"dinas.table4.{device}.{bound:g}", list(candidates))


def constraint_table(candidates: Iterable[Record], field: str) -> Table:
    """Return Table 4 for one of its two numbers.

    Args:
        candidates: records.
        field: `val` (best validation accuracy of a feasible sample) or `feasibility` (share of samples within the
            constraint).
    """
    known = list(candidates)
    rows = tuple(_row(device, bound, record_of(device, bound, known), field) for device, bound in hardware_settings())
    shown = [r for d, b in hardware_settings() if (r := record_of(d, b, known)) is not None]
    what = {
        "val": "best validation accuracy in % of the samples within the constraint, mean over runs. Ceiling: the best "
        "of all cells within it",
        "feasibility": "share in % of all samples that are cells within the constraint. Share of the space: what "
        "random search meets",
    }[field]
    caption = f"DiNAS, Table 4, HW-NAS-Bench, ImageNet16-120: {what}."
    caption += " Accuracies: NAS-Bench-201 after 200 epochs, mean over seeds."
    if shown:
        p, row = shown[0].parameters, metric_row(shown[0], "dinas", "paper") or {}
        caption += (
            f" Ours: mean [95 % interval] over {row['trainings']} training(s) x {row['runs']} runs of {p['queries']} "
            f"queries; top {100 - p['percentile']:g} % of the cells within the constraint and the constraint itself as "
            f"two conditions, guidance scale {p['guidance_scale']:g}, {p['reverse_steps']} reverse steps, one setting "
            f"of hyper-parameters for all rows; profile `{shown[0].profile}`, device {shown[0].environment.device}."
        )
    notes = (
        *(_comparison(shown, field) if shown else ()),
        "The methods in the printed columns spend 200 queries. DiNAS, and the uniform draw, had read the accuracy and "
        "the latency of all 15,625 cells before.",
        "Random, printed: no feasibility is given there.",
    )
    columns = (*_COLUMNS, _BEST[field], *((_MEMORISED,) if field == "feasibility" else ()))
    return Table(columns, rows, caption, notes)


def _comparison(shown: Sequence[Record], field: str) -> tuple[str, ...]:
    """Say in how many settings DiNAS is ahead of its controls, and how many of its samples are cells at all."""

    def ahead(other: str) -> int:
        pairs = [(metric_row(r, "dinas", "paper"), metric_row(r, other, "paper")) for r in shown]
        return sum(a is not None and b is not None and a[field]["mean"] > b[field]["mean"] for a, b in pairs)

    said = (
        f"By the mean, DiNAS is ahead of random search in {ahead('random')} of {len(shown)} settings, and of the "
        f"uniform draw, which has read the same labels and has no model, in {ahead('top_class')}."
    )
    if field == "val":
        return (said,)
    shares = {r: row["valid_share"] for r in range(len(shown)) if (row := metric_row(shown[r], "dinas", "paper"))}
    worst = min(shares, key=lambda r: shares[r])
    p = shown[worst].parameters
    where = f"{DEVICE_NAMES[p['device']]}, {p['latency']:g} ms"
    return (
        said,
        f"Samples that are no cells count as not feasible; most of them at {where}, {100 - 100 * shares[worst]:.0f} %.",
    )


def run_table(record: Record) -> Table:
    """Return what one run found under its constraint: a row per method."""
    columns = (
        Column("Method"),
        Column("Best validation, %", numeric=True),
        Column("Feasible samples, %", numeric=True),
        Column("Distinct feasible cells", numeric=True),
    )
    names = {
        "dinas": "DiNAS",
        "top_class": "Uniform draw from the labelled wanted cells",
        "random": "Random search",
    }
    rows = [
        Row((text, _ours(row, "val"), _ours(row, "feasibility"), with_interval(row["distinct_feasible"], 1)), "ours")
        for searcher, text in names.items()
        if (row := metric_row(record, searcher, "paper")) is not None
    ]
    best = record.metrics["ceiling"]
    rows.append(Row(("Ceiling", f"{best['val']:.2f}", f"{100 * best['share']:.1f}", "all"), "ours"))
    caption = (
        f"HW-NAS-Bench, ImageNet16-120, {record.metrics['constraint']}, {record.parameters['queries']} queries. "
        "Accuracy: validation, NAS-Bench-201, 200 epochs, mean over seeds. Ceiling: the best cell within the "
        "constraint, and the share of the space within it."
    )
    return Table(columns, tuple(rows), caption)


def dropout_table(candidates: Iterable[Record]) -> Table:
    """Return what it does to drop the conditions together or each by itself, where both were run alike."""
    columns = (
        Column("Setting"),
        Column("Conditions dropped"),
        Column("Best validation, %", numeric=True),
        Column("Feasible samples, %", numeric=True),
        Column("Samples that are cells, %", numeric=True),
        Column("Distinct feasible cells", numeric=True),
    )
    known = list(candidates)
    pair = [
        (True, select("dinas.table4.edgegpu.2", known)),
        (False, select("dinas.ablations.dropout.independent", known)),
    ]
    rows, keys = [], []
    if all(record is not None for _, record in pair):
        for joint, record in pair:
            assert record is not None
            row = metric_row(record, "dinas", "paper") or {}
            cells = (
                f"{DEVICE_NAMES[record.parameters['device']]}, {record.parameters['latency']:g} ms",
                "together" if joint else "each by itself",
                _ours(row, "val"),
                _ours(row, "feasibility"),
                f"{100 * row['valid_share']:.1f}",
                with_interval(row["distinct_feasible"], 1),
            )
            rows.append(Row(cells, "ours"))
            keys.append(record.key)
    caption = (
        "Joint against independent dropout of the two conditions, HW-NAS-Bench, ImageNet16-120: mean [95 % interval] "
        "over the runs of one training each, all else equal."
    )
    notes = runs_note(keys) or ("No pair of runs of ours to show.",)
    return Table(columns, tuple(rows), caption, notes)


def joint_table(candidates: Iterable[Record]) -> Table:
    """Return one model for all settings beside a model for each."""
    known = list(candidates)
    joint = select("dinas.table4.joint", known)
    columns = (
        Column("Setting"),
        Column("Validation, one model for all", numeric=True),
        Column("Validation, a model each", numeric=True),
        Column("Ceiling", numeric=True),
        Column("Feasible, one model for all, %", numeric=True),
        Column("Feasible, a model each, %", numeric=True),
    )
    rows = []
    for device, bound in hardware_settings():
        record, label = record_of(device, bound, known), f"{DEVICE_NAMES[device]}, {bound} ms"
        own = metric_row(record, "dinas", "paper") if record else None
        all_in_one = metric_row(joint, "dinas", f"{device}-{bound}") if joint else None
        told = [[_ours(r, field) if r else "not run" for r in (all_in_one, own)] for field in ("val", "feasibility")]
        ceiling = f"{record.metrics['ceiling']['val']:.2f}" if record else "not run"
        rows.append(Row((label, *told[0], ceiling, *told[1]), "ours"))
    caption = "One model that is told the device and its bound, against a model trained for each of the twelve settings"
    if joint is not None:
        p, row = joint.parameters, joint.metrics["rows"][0]
        caption += (
            f": mean [95 % interval] over {row['trainings']} training(s) x {row['runs']} runs of {p['queries']} "
            f"queries; guidance scale {p['guidance_scale']:g}; training of the one model "
            f"{duration(joint.metrics['speed']['training_s'])}, {joint.metrics['speed']['training_steps']:,} steps, "
            f"device {joint.environment.device}, run `{joint.key}`"
        )
        each = [r for d, b in hardware_settings() if (r := record_of(d, b, known)) is not None]
        if each:
            total = sum(r.metrics["speed"]["training_s"] for r in each)
            caption += f"; of the {len(each)} models together {duration(total)}"
    return Table(columns, tuple(rows), caption + ".")


def trial_table(candidates: Iterable[Record]) -> Table:
    """Return the trial runs, which have another seed than those of the table: where our setting comes from."""
    columns = (
        *(
            Column("Setting"),
            Column("Denoiser"),
            Column("Epochs", numeric=True),
            Column("Cells per step", numeric=True),
        ),
        *(Column("Time input"), Column("Reverse steps", numeric=True), Column("Guidance scale", numeric=True)),
        *(Column("Best validation, %", numeric=True), Column("Feasible samples, %", numeric=True)),
    )
    names = ("device", "latency", "denoiser", "epochs", "batch_size", "time_input", "reverse_steps", "guidance_scale")
    trials = {
        tuple(record.parameters[name] for name in names): record
        for record in select_all("dinas.table4.trials", list(candidates)).values()
    }
    rows = [
        Row(
            (
                f"{DEVICE_NAMES[device]}, {bound:g} ms",
                *(denoiser, f"{epochs}", f"{batch}", "yes" if time_input else "no", f"{steps}", f"{scale:g}"),
                *(_ours(metric_row(record, "dinas", "paper"), field) for field in ("val", "feasibility")),
            ),
            "ours",
        )
        for (device, bound, denoiser, epochs, batch, time_input, steps, scale), record in sorted(trials.items())
    ]
    caption = "Trial runs of one training each, with another seed than those of the table."
    return Table(columns, tuple(rows), caption, runs_note(trials[setting].key for setting in sorted(trials)))


def energy_table(candidates: Iterable[Record]) -> Table:
    """Return the runs with three conditions: accuracy, latency and energy."""
    columns = (
        Column("Setting"),
        Column("Best validation, %", numeric=True),
        Column("Ceiling", numeric=True),
        Column("Feasible samples, %", numeric=True),
        Column("Samples that are cells, %", numeric=True),
        Column("Share of the space within both bounds, %", numeric=True),
        Column("Run"),
    )
    rows = []
    for record in select_all("dinas.table4.energy", list(candidates)).values():
        row, best = metric_row(record, "dinas", "paper") or {}, record.metrics["ceiling"]
        cells = (
            record.metrics["constraint"],
            _ours(row, "val"),
            f"{best['val']:.2f}",
            _ours(row, "feasibility"),
            f"{100 * row['valid_share']:.1f}",
            f"{100 * best['share']:.1f}",
            f"`{record.key}`",
        )
        rows.append(Row(cells, "ours"))
    caption = (
        "Three conditions at once: top class of accuracy, latency and energy within their bounds. ImageNet16-120, mean "
        "[95 % interval] over the runs of one training."
    )
    return Table(columns, tuple(rows), caption, () if rows else ("No run of ours to show.",))


def _row(device: str, bound: int, record: Record | None, field: str) -> Row:
    frame = printed("dinas_table4")
    here = frame[(frame["device"] == device) & (frame["latency_ms"] == bound)].set_index("method")[field]
    told = [_value(here[m]) for m in ("DiNAS", "AG-Net", "Random search")]
    if record is None:
        missing = ["not run"] * (5 if field == "feasibility" else 4)
        return Row((f"{DEVICE_NAMES[device]}, {bound} ms", *told, *missing), "ours")
    ours = [_ours(metric_row(record, s, "paper"), field) for s in ("dinas", "top_class", "random")]
    best = record.metrics["ceiling"]
    ceiling = f"{best['val']:.2f}" if field == "val" else f"{100 * best['share']:.1f}"
    more = [_ours(metric_row(record, "dinas", "paper"), "in_top_class")] if field == "feasibility" else []
    return Row((f"{DEVICE_NAMES[device]}, {bound} ms", *told, *ours, ceiling, *more), "ours")


def _value(value: float) -> str:
    return "n.p." if pd.isna(value) else f"{value:.2f}"


def _ours(row: dict[str, Any] | None, field: str) -> str:
    if row is None:
        return "no such cell"
    scale = 100 if field in ("feasibility", "in_top_class") else 1
    return with_interval({k: v if v is None else scale * v for k, v in row[field].items()}, 2 if scale == 1 else 1)
