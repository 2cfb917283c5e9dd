"""What `nasrepro run --all --paper dinas --profile full` amounts to on one GPU: counted, and its time estimated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasrepro.report.rendering import Table, duration, number, runs_note, tabulate, text
from nasrepro.report.rows import not_run, search_row
from nasrepro.report.sources import profile_parameters
from nasrepro.report.verbs import holds
from nasrepro.runs.plan import PLACE, Shown, find, load_plan, recipe, trained_by
from nasrepro.runs.printed import printed
from nasrepro.runs.records import Record

STEP = "step_cost"  # the experiment that counts what a step amounts to
_MODELS = {"nb301": 2}  # networks of one training, where there is more than one: normal and reduction cells
_NETWORK_STAGES = {"training", "sampling"}  # what a GPU does
# trainings on ImageNet, which this is no count of; the count itself; and what is the same in every profile
_LEFT_OUT = {"network_training", STEP, "steps"}


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

    for entry in (p for p in load_plan("dinas") if not p.recipe and not p.trial):
        record, name = find(entry, candidates), entry.experiment
        full = profile_parameters(name, "full") | entry.parameters
        if record is None or name in _LEFT_OUT or not first("run", f"{name} {sorted(full.items())}"):
            continue
        p, speed, own = record.parameters, record.metrics.get("speed", {}), Amount()
        if "training_steps" in speed:
            own.cpu_s = sum(s for stage, s in record.cost.stages.items() if stage not in _NETWORK_STAGES)
            nets = _MODELS.get(name, 1)
            graphs = speed["training_steps"] / p["epochs"] * p["batch_size"] * full.get("cells", 1) / p.get("cells", 1)
            as_printed = full | recipe("dinas_recipe.yml")
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
        found[entry.part] = found.get(entry.part, Amount()) + own
    return found


_PARTS = (
    text("Shown in", lambda item: item[0]),
    number("Trainings", lambda item: f"{item[1].trainings}"),
    number("Training steps", lambda item: item[1].steps),
    number("Reverse steps", lambda item: item[1].reverse_steps),
    number("GPU, estimated", lambda item: duration(item[1].gpu_s)),
    number("CPU core", lambda item: duration(item[1].cpu_s)),
    number("Sum", lambda item: duration(item[1].gpu_s + item[1].cpu_s)),
    number("Steps, paper's recipe", lambda item: item[1].paper_steps),
    number("At the printed speed", lambda item: duration(item[1].paper_steps * printed_step())),
)
_ALL = "all of it"


def full_table(runs: Shown) -> Table:
    """Return what the parts of the book amount to in profile `full`, and by the recipe of the paper."""
    parts = _parts(runs)
    caption = (
        "The runs of profile `full`: counted, not run. GPU, estimated: Table 6 of the paper implies "
        f"{1000 * printed_step():.1f} ms for a training step of its network on an A6000 (100 epochs of NAS-Bench-201 "
        "in a quarter of an hour, batches of 16); a step of ours is taken to need the share of that time that it has "
        "of the operations or of the arithmetic, whichever is larger. CPU core: the other stages, as measured. Last "
        "two columns: the same trainings by the recipe of the paper."
    )
    items = [*parts.items(), (_ALL, sum(parts.values(), Amount()))]
    return tabulate(_PARTS, items, caption, kind=lambda i: "" if i[0] == _ALL else "ours", name="plan-full")


_STEPS = (
    text("Runs of", lambda row: f"`{row['experiment']}`"),
    text("Denoiser", "denoiser"),
    number("Batch", "batch_size"),
    number("Operations", "operations"),
    number("GFLOP", "gflop", ".1f"),
    number("Operations of a reverse step", "reverse_operations"),
    number("Its GFLOP", "reverse_gflop", ".1f"),
)


def step_table(runs: Shown) -> Table:
    """Return what a training step and a reverse step of the profile `full` amount to, the paper's first."""
    record, counts = runs.record("dinas.step-cost"), _counts(runs)
    caption = (
        "Tensor operations of one step, views apart, and floating-point operations of its matrix products, counted. "
        "First row: the network and the batch of the paper, as rebuilt here. Reverse steps: of all samples of a run "
        "at once, guided."
    )
    notes = runs_note([record.key]) if record else not_run(runs, "dinas.step-cost")
    return tabulate(
        _STEPS, counts, caption, notes, kind=lambda row: "printed" if row is counts[0] else "ours", name="step-cost"
    )


_TRIED = (
    text("Runs of", lambda item: f"`{item['entry']}`"),
    number("Seed", "record.parameters.seed", "d"),
    number("Batch", "record.parameters.batch_size"),
    number("Training steps", "record.metrics.speed.training_steps"),
    number("Reverse steps", "record.parameters.reverse_steps", "d"),
    number("Valid or feasible, %", lambda item: (item.get("feasibility") or item["validity"])["mean"], 1, percent=True),
    number("Best validation, %", lambda item: item.get("val") or item["best_valid"], 3),
)


def tried_table(runs: Shown) -> Table:
    """Return single trainings with the batches and epochs of the profile `full`, made on a CPU, each below the runs of
    profile `laptop` that it is to match."""
    items = list(_tried(runs))
    caption = (
        "Samples of trainings in larger batches beside those of the profile `laptop`, mean [95 % interval] over runs. "
        "All on a CPU."
    )
    notes = runs_note(item["record"].key for item in items)
    return tabulate(_TRIED, items, caption, notes, kind=lambda item: item["kind"], name="full-tried")


def numbers(runs: Shown) -> dict[str, Any]:
    """Return what sentences quote, None without records.

    Of profile `full` the minutes of all of it, estimated and at the printed time for every step, and hours by the
    recipe of the paper; beside them `step_numbers`.
    """
    total = sum(_parts(runs).values(), Amount())
    found = {
        "full_profile.minutes": (total.gpu_s + total.cpu_s) / 60,
        "full_profile.printed_minutes": (total.printed_s + total.cpu_s) / 60,
        "full_profile.paper_hours": total.paper_steps * printed_step() / 3600,
    }
    return {name: value if total.steps else None for name, value in found.items()} | step_numbers(runs)


def step_numbers(runs: Shown) -> dict[str, Any]:
    """Return the milliseconds of the paper's step, and how it compares with that of ours on NAS-Bench-201."""
    told: dict[str, Any] = {"full_profile.printed_ms": 1000 * printed_step()}
    counts = _counts(runs)
    for row in (r for r in counts[1:] if (r["experiment"], r["denoiser"]) == ("nb201", "default")):
        twice = counts[0]["operations"] > 2 * row["operations"]
        told["full_profile.operations"] = holds(twice, "more than twice as many", "not twice as many")
        told["full_profile.arithmetic"] = holds(counts[0]["gflop"] > row["gflop"], "more", "less")
    return told


def _parts(runs: Shown) -> dict[str, Amount]:
    return amounts([record for _, record in runs], _shares(runs))


def _tried(runs: Shown) -> Iterator[dict[str, Any]]:
    """Yield the rows of trials below the first run of their place, which they are to match."""
    trials = list(runs.below("dinas.full-profile.trials").values())
    for entry in (p for p in load_plan("dinas") if p.part.startswith("Table") and not p.recipe and not p.trial):
        usual = runs.record(entry.id) if trials else None
        if usual is not None and (tried := [r for r in trials if _place(r) == _place(usual)]):
            trials = [r for r in trials if r not in tried]
            for record, kind in ((usual, ""), *((r, "ours") for r in tried)):
                yield search_row(record) | {"entry": entry, "record": record, "kind": kind}


def _place(record: Record) -> tuple[Any, ...]:
    return record.experiment, *(record.parameters.get(name) for name in PLACE)


def _counts(runs: Shown) -> list[dict[str, Any]]:
    record = runs.record("dinas.step-cost")
    return record.metrics["counts"] if record else []


def _shares(runs: Shown) -> dict[tuple[str, str], tuple[float, float]]:
    """Return training and reverse steps as shares of the paper's training step, whose time is the printed one: of its
    operations or of its arithmetic, whichever share is larger."""
    rows = _counts(runs)

    def share(row: dict[str, Any], of: str) -> float:
        return max(row[f"{of}{name}"] / rows[0][name] for name in ("operations", "gflop"))

    return {(r["experiment"], r["denoiser"]): (share(r, ""), share(r, "reverse_")) for r in rows[1:]}
