"""Prints what the benchmarks found as ratios, beside the figures of Table 2, at the end of the run."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

from nasrepro.files import paths
from nasrepro.runs import records
from nasrepro.runs.claims import metric_row

STEPS = 500  # of the paper's sampler
LINES: list[str] = []
SECONDS: dict[tuple[str, str, int], float] = {}  # (what, configuration, batch) -> seconds


@pytest.fixture
def seconds() -> dict[tuple[str, str, int], float]:
    return SECONDS


@pytest.fixture
def lines() -> list[str]:
    """What a benchmark has to say at the end of the run."""
    return LINES


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if LINES:
        terminalreporter.section("data, in processes of one thread")
        for line in LINES:
            terminalreporter.write_line(line)
    if not SECONDS:
        return
    from nasrepro.experiments.dinas.nb201 import NB201Parameters
    from nasrepro.parameters.base import resolve

    steps = resolve(NB201Parameters, {}, "laptop").reverse_steps
    say = terminalreporter.write_line
    terminalreporter.section("paper and default denoiser, one thread, medians of this run")
    for batch in sorted({b for _, _, b in SECONDS}):
        for what, unit in (("train", "s per training step"), ("sample", f"s per architecture, {STEPS} reverse steps")):
            paper, default = (SECONDS.get((what, name, batch)) for name in ("paper", "default"))
            if paper is None or default is None:
                continue
            say(f"batch {batch:>3}  {unit}: paper {paper:.4g}, default {default:.4g}, ratio {paper / default:.1f}")
            if what == "sample":
                few = default * steps / STEPS
                say(f"batch {batch:>3}  default, {steps} steps: {few:.3g} s per architecture, ratio {paper / few:.0f}")
    for _, record in records.find(paths.records_dir(), "nb201"):
        row, p = metric_row(record, "dinas", "paper"), record.parameters
        if row is not None:
            say(
                f"Table 2, {p['dataset']}, denoiser {p['denoiser']}, guidance {p['guidance_scale']:g}, "
                f"{p['reverse_steps']} steps: best validation {row['best_valid']['mean']:.3f} % "
                f"({row['trainings']} x {row['runs']} runs, {record.key})"
            )
