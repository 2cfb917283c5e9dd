"""What `nasrepro run --all --paper dinas --profile full` amounts to on one GPU: counted, and its time estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasrepro.parameters.base import ADDED
from nasrepro.report.fragments import profile_parameters
from nasrepro.report.rendering import Column, Row, Table, duration, runs_note, with_interval
from nasrepro.runs.claims import metric_row
from nasrepro.runs.plan import find, load_plan, recipe, select, select_all, trained_by
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record, Run

STEP = "step_cost"  # the experiment that counts what a step amounts to
_MODELS = {"nb301": 2}  # networks of one training, where there is more than one: normal and reduction cells
_NETWORK_STAGES = {"training", "sampling"}  # what a GPU does
_LEFT_OUT = {"network_training", STEP}  # trainings on ImageNet, which this is no count of; and the count itself


@dataclass
class Amount:
    """What the runs of a part of the book amount to.

    Attributes:
        trainings: networks trained.
        steps: their training steps.
        reverse_steps: reverse steps of batches of samples.
        gpu_s: of both, estimated.
        printed_s: of both if each took as long as a training step of the paper.
        cpu_s: everything else, as measured on one CPU core.
        paper_steps: training steps by the recipe of the paper.
    """

    trainings: int = 0
    steps: int = 0
    reverse_steps: int = 0
    gpu_s: float = 0.0
    printed_s: float = 0.0
    cpu_s: float = 0.0
    paper_steps: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(**{name: value + getattr(other, name) for name, value in vars(self).items()})


def printed_step() -> float:
    """Return the seconds of one training step that Table 6 of DiNAS implies for NAS-Bench-201: 15,625 cells, batches
    of 16, 100 epochs."""
    hours = printed("dinas_table6").set_index("benchmark")["training_h"]["nb201"]
    return float(hours) * 3600 / (100 * math.ceil(15_625 / 16))


def paper_recipe() -> dict[str, Any]:
    """Return how the paper trains and samples, as parameters."""
    return recipe("dinas_recipe.yml")


def amounts(candidates: Sequence[Record], shares: Mapping[tuple[str, str], tuple[float, float]]) -> dict[str, Amount]:
    """Return what each part of the book amounts to in profile `full`; runs without a `laptop` record count nothing.

    The number of training graphs is told from the steps of the `laptop` run, to within one of its batches, and the
    number of samples from its speed. Runs and models that several parts share count once, where they come first.

    Args:
        candidates: the records.
        shares: (experiment, denoiser) -> a training and a reverse step, as shares of a training step of the paper; 1
            where nothing is said.
    """
    found: dict[str, Amount] = {}
    seen: set[str] = set()

    def first(kind: str, of: str) -> bool:
        new = f"{kind} {of}" not in seen
        seen.add(f"{kind} {of}")
        return new

    for planned in (p for p in load_plan("dinas") if not p.recipe and not p.trial):
        record, name = find(planned, candidates), planned.experiment
        full = profile_parameters(name, "full") | planned.parameters
        if record is None or name in _LEFT_OUT or not first("run", f"{name} {sorted(full.items())}"):
            continue
        p, speed, own = record.parameters, record.metrics.get("speed", {}), Amount()
        if "training_steps" in speed:
            own.cpu_s = sum(s for stage, s in record.cost.stages.items() if stage not in _NETWORK_STAGES)
            nets = _MODELS.get(name, 1)
            graphs = speed["training_steps"] / p["epochs"] * p["batch_size"] * full.get("cells", 1) / p.get("cells", 1)
            as_printed = full | paper_recipe()
            if first("trained", trained_by(name, full)):
                own.trainings = full["trainings"] * nets
                own.steps = own.trainings * full["epochs"] * math.ceil(graphs / full["batch_size"])
            if first("printed", trained_by(name, as_printed)):
                per_epoch = math.ceil(graphs / as_printed["batch_size"])
                own.paper_steps = as_printed["trainings"] * nets * as_printed["epochs"] * per_epoch
            samples = record.cost.stages.get("sampling", 0.0) / speed["seconds_per_architecture"]
            batches = samples / p["queries"] * (full["trainings"] * full["runs"]) / (p["trainings"] * p["runs"])
            own.reverse_steps = nets * math.ceil(batches) * full["reverse_steps"]
            step, reverse = shares.get((name, full["denoiser"]), (1.0, 1.0))
            own.gpu_s = (own.steps * step + own.reverse_steps * reverse) * printed_step()
            own.printed_s = (own.steps + own.reverse_steps) * printed_step()
        else:
            own.cpu_s = record.cost.cpu_s * full.get("samples", 1) / p.get("samples", 1)
        found[planned.part] = found.get(planned.part, Amount()) + own
    return found


def full_table(committed: Sequence[Run]) -> Table:
    """Return what the parts of the book amount to in profile `full`, and by the recipe of the paper."""
    columns = (
        Column("Shown in"),
        Column("Trainings", numeric=True),
        Column("Training steps", numeric=True),
        Column("Reverse steps", numeric=True),
        Column("GPU, estimated", numeric=True),
        Column("CPU core", numeric=True),
        Column("Sum", numeric=True),
        Column("Steps, paper's recipe", numeric=True),
        Column("At the printed speed", numeric=True),
    )
    parts = amounts([record for _, record in committed], _shares(committed))
    total = sum(parts.values(), Amount())
    rows = [_row(part, amount, "ours") for part, amount in parts.items()] + [_row("all of it", total)]
    caption = (
        "The runs of profile `full`: counted, not run. GPU, estimated: Table 6 of the paper implies "
        f"{1000 * printed_step():.1f} ms for a training step of its network on an A6000 (100 epochs of NAS-Bench-201 "
        "in a quarter of an hour, batches of 16); a step of ours is taken to need the share of that time that it has "
        "of the operations or of the arithmetic, whichever is larger. CPU core: the other stages, as measured. Last "
        "two columns: the same trainings by the recipe of the paper. What several runs share counts once, where it "
        "comes first. Table 5 is left out: its `full` run trains on ImageNet."
    )
    return Table(columns, tuple(rows), caption)


def step_table(committed: Sequence[Run]) -> Table:
    """Return what a training step and a reverse step of the profile `full` amount to, the paper's first."""
    columns = (
        Column("Runs of"),
        Column("Denoiser"),
        Column("Batch", numeric=True),
        Column("Operations", numeric=True),
        Column("GFLOP", numeric=True),
        Column("Operations of a reverse step", numeric=True),
        Column("Its GFLOP", numeric=True),
    )
    found = select("dinas.step-cost", committed)
    rows = [
        Row((
            f"`{r['experiment']}`", r["denoiser"], f"{r['batch_size']:,}", f"{r['operations']:,}", f"{r['gflop']:.1f}",
            f"{r['reverse_operations']:,}", f"{r['reverse_gflop']:.1f}",
        ), "ours" if k else "printed")
        for k, r in enumerate(_counts(committed))
    ]  # fmt: skip
    caption = (
        "Tensor operations of one step, views apart, and floating-point operations of its matrix products, counted. "
        "First row: the network and the batch of the paper, as rebuilt here; its training step is the printed one. "
        "Reverse steps: of all samples of a run at once, guided."
    )
    return Table(columns, tuple(rows), caption, runs_note([found[1].key] if found else []))


def tried_table(committed: Sequence[Run]) -> Table:
    """Return single trainings with the batches and epochs of the profile `full`, made on a CPU, each below the runs of
    profile `laptop` that it is to match."""
    columns = (
        Column("Runs of"),
        Column("Seed", numeric=True),
        Column("Batch", numeric=True),
        Column("Training steps", numeric=True),
        Column("Reverse steps", numeric=True),
        Column("Valid or feasible, %", numeric=True),
        Column("Best validation, %", numeric=True),
    )
    known = [record for _, record in committed]
    rows, keys = [], []
    trials = list(select_all("dinas.full-profile.trials", known).values())
    for planned in (p for p in load_plan("dinas") if p.part.startswith("Table") and not p.recipe and not p.trial):
        usual = find(planned, known)
        tried = [r for r in trials if usual is not None and _tried(r, usual)]
        for record in [usual, *tried] if usual is not None and tried else []:
            p, row = record.parameters, metric_row(record, "dinas", "paper")
            assert row is not None, f"{record.key} has no samples of DiNAS"
            share, best = row.get("feasibility", row.get("validity")), row["val" if "val" in row else "best_valid"]
            steps = f"{record.metrics['speed']['training_steps']:,}"
            cells = (f"`{planned}`", f"{p['seed']}", f"{p['batch_size']:,}", steps, f"{p['reverse_steps']}")
            found = ("not counted" if share is None else f"{100 * share['mean']:.1f}", with_interval(best, 3))
            rows.append(Row((*cells, *found), "" if record is usual else "ours"))
            keys.append(record.key)
    caption = (
        "Samples of trainings in larger batches beside those of the profile `laptop`, mean [95 % interval] over runs. "
        "All on a CPU."
    )
    return Table(columns, tuple(rows), caption, runs_note(keys))


def values(committed: Sequence[Run]) -> dict[str, float | int | str | None]:
    """Return the numbers that sentences quote, None without records: minutes in all of profile `full`, estimated and at
    the printed time for every step, and hours by the recipe of the paper."""
    total = sum(amounts([record for _, record in committed], _shares(committed)).values(), Amount())
    return {
        "full_profile.minutes": (total.gpu_s + total.cpu_s) / 60 if total.steps else None,
        "full_profile.printed_minutes": (total.printed_s + total.cpu_s) / 60 if total.steps else None,
        "full_profile.paper_hours": total.paper_steps * printed_step() / 3600 if total.steps else None,
    }


def _tried(record: Record, usual: Record) -> bool:
    """Tell whether a trial has the batches and epochs of profile `full`, and else trains as the usual run does."""
    own, its = ({**ADDED, **r.parameters} for r in (record, usual))
    if record.experiment != usual.experiment or own.keys() != its.keys() or own.get("seed") == its.get("seed"):
        return False
    full = profile_parameters(record.experiment, "full")
    free = {"seed", "trainings", "most_draws", "reverse_steps", "batch_size", "epochs"}
    return (
        all(own[k] == v for k, v in its.items() if k not in free)
        and all(own[k] == full[k] for k in ("batch_size", "epochs"))
        and own["batch_size"] != its["batch_size"]
    )


def _counts(committed: Sequence[Run]) -> list[dict[str, Any]]:
    found = select("dinas.step-cost", committed)
    return found[1].metrics["counts"] if found else []


def _shares(committed: Sequence[Run]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return training and reverse steps as shares of the paper's training step, whose time is the printed one: of its
    operations or of its arithmetic, whichever share is larger."""
    rows = _counts(committed)

    def share(row: dict[str, Any], of: str) -> float:
        return max(row[f"{of}{name}"] / rows[0][name] for name in ("operations", "gflop"))

    return {(r["experiment"], r["denoiser"]): (share(r, ""), share(r, "reverse_")) for r in rows[1:]}


def _row(part: str, a: Amount, kind: str = "") -> Row:
    times = (duration(a.gpu_s), duration(a.cpu_s), duration(a.gpu_s + a.cpu_s))
    paper = (f"{a.paper_steps:,}", duration(a.paper_steps * printed_step()))
    cells = (part, f"{a.trainings}", f"{a.steps:,}", f"{a.reverse_steps:,}", *times, *paper)
    return Row(cells, kind)
