"""`nasrepro run --all`: every run of the plan, one after another; what is there already is not made again."""

from __future__ import annotations

import time

from rich.console import Console

from nasrepro import experiments
from nasrepro.errors import MissingData, ParameterError, did_you_mean
from nasrepro.runs.plan import PAPERS, load_plan
from nasrepro.runs.run import run


def run_all(
    screen: Console, *, paper: str | None, profile: str, device: str, again: bool, as_printed: bool = False
) -> None:
    """Make every run of the plan that has no record yet. A killed batch goes on where it was when it is repeated.

    Args:
        screen: where to tell.
        paper: `dinas` or `delta`, None for both.
        profile: of all runs; with `laptop`, those that the plan has at `full` are made at `full`.
        device: torch device.
        again: make the runs, too, of which only the book has a record.
        as_printed: make the runs by the papers' recipes, which take hours, and not the others. Trials are never made.

    Raises:
        ParameterError: an unknown paper, or a smoke of the runs by the recipes.
        MissingData: at the end, when runs had to be left out because files are missing; the message names them.
    """
    if paper not in (None, *PAPERS):
        raise ParameterError(
            f"There is no paper `{paper}`; there are dinas and delta.{did_you_mean(paper or '', PAPERS)}"
        )
    if as_printed and profile == "smoke":
        raise ParameterError(
            "--as-printed with --profile smoke is refused: a recipe says how long its run trains, hours under any "
            "profile. Leave out --as-printed for a smoke of the other runs."
        )
    plan = [p for p in load_plan(paper) if bool(p.recipe) == as_printed and not p.trial]
    missing, began = [], time.monotonic()
    for number, planned in enumerate(plan, 1):
        screen.print(f"[{number} of {len(plan)}] {planned}", highlight=False, markup=False)
        try:
            folder, record = run(
                experiments.load(planned.experiment),
                planned.given,
                profile=planned.profile if profile == "laptop" else profile,
                committed=not again,
                device=device,
            )
        except MissingData as error:
            missing.append(f"{planned}: {error}")
            screen.print(f"  left out: {error}", highlight=False, markup=False)
            continue
        screen.print(f"  {record.cost.wall_s:.0f} s, {folder}", highlight=False, markup=False)
    screen.print(f"{len(plan) - len(missing)} of {len(plan)} runs have a record, {time.monotonic() - began:.0f} s.")
    if missing:
        raise MissingData("These runs need files that are not here:\n" + "\n".join(missing))
