"""What a fit says of itself: whether the wanted class was learnt, by which figures, what to try where it was not."""

from __future__ import annotations

from dataclasses import dataclass

FEWEST_LABELS, FEWEST_WANTED = 50, 5
SIGNIFICANCE = 1e-3


@dataclass(frozen=True)
class Round:
    """One training and its check.

    Attributes:
        steps: of the training.
        hidden: units of the network's hidden layers.
        guidance: the scale that did best.
        valid: share of the generated graphs that are cells of the space.
        new: share of these whose label was not read.
        distinct: share of these that are different.
        share: expected share of the new cells that are wanted.
        seconds: training and check.
    """

    steps: int
    hidden: int
    guidance: float
    valid: float
    new: float
    distinct: float
    share: float
    seconds: float


@dataclass(frozen=True)
class Report:
    """What was learnt.

    Attributes:
        learnt: whether the model draws wanted cells far more often than chance does.
        reason: why not; empty where it has.
        cells: that were trained on.
        labels: labelled cells among them.
        wanted: labelled cells that are wanted.
        chance: share of wanted ones among random cells.
        share: expected share among the model's new samples.
        ceiling: expected share among the unlabelled cells that were trained as wanted; a perfect generator reaches it.
        top_held_out: share among as many labelled cells as are wanted, those of the highest held-out probabilities.
        pvalue: largest over the conditions, that held-out predictions rank no better than chance.
        from_list: samples are drawn from the listed cells, because generated graphs are hardly ever listed.
        rounds: the trainings, each longer and larger than the one before; the best is kept.
        seconds: in all.
    """

    learnt: bool
    reason: str
    cells: int
    labels: int
    wanted: int
    chance: float
    share: float
    ceiling: float
    top_held_out: float
    pvalue: float
    from_list: bool
    rounds: tuple[Round, ...]
    seconds: float

    def __str__(self) -> str:
        verdict = "learnt" if self.learnt else "not learnt"
        lines = [
            f"{verdict}: {self.share:.0%} of samples in the wanted class (expected), chance {self.chance:.1%}"
            + (f"; {self.reason}" if self.reason else ""),
            f"labels read: {self.labels:,} cells, {self.wanted:,} of them wanted; trained on {self.cells:,} cells",
            f"held-out labels: {self.top_held_out:.0%} of those predicted best are wanted (p = {self.pvalue:.1g})",
            "controls: random cells "
            f"{self.chance:.1%}, none labelled; the uniform draw from the labelled class 100 %, none of them new; "
            f"the most probable unlabelled cells {self.ceiling:.0%}",
        ]
        for r in self.rounds:
            lines.append(
                f"round of {r.steps:,} steps, {r.hidden} hidden units, guidance {r.guidance:g}: {r.valid:.0%} valid, "
                f"{r.new:.0%} new, {r.distinct:.0%} distinct, {r.share:.0%} wanted; {r.seconds:.0f} s"
            )
        if self.from_list:
            lines.append(
                "generated graphs are hardly ever listed: samples are drawn from the list by the same prediction"
            )
        return "\n".join(lines)


def verdict(
    *, labels: int, wanted: int, fewest_wanted: int, pvalue: float, chance: float, share: float, valid: float
) -> tuple[bool, str]:
    """Return whether the wanted class was learnt, and else why not, with what to try.

    Args:
        labels: labelled cells.
        wanted: those that meet all conditions.
        fewest_wanted: over the conditions, labelled cells that meet it, or do not.
        pvalue: largest over the conditions.
        chance: share of wanted ones among random cells.
        share: expected share among samples.
        valid: share of the generated graphs that are cells.
    """
    if labels < FEWEST_LABELS or fewest_wanted < FEWEST_WANTED:
        return False, (
            f"too few labels, {labels} with {fewest_wanted} on one side of a condition; try {FEWEST_LABELS} labelled "
            f"cells or more, or a wider condition, that {FEWEST_WANTED} of them meet"
        )
    if pvalue > SIGNIFICANCE:
        return False, (
            f"held-out labels are predicted no better than by chance (p = {pvalue:.2g}); try more labels, labels with "
            "less noise, or a wider condition"
        )
    if wanted == 0 and share < 0.2:
        return False, "no labelled cell meets all conditions, and hardly one is expected to; try wider conditions"
    if share < min(2 * chance, (1 + chance) / 2):
        return False, "samples are hardly more often wanted than random cells; try more labels or a wider condition"
    if valid < 0.01:
        return False, f"{valid:.1%} of the graphs are cells; try a larger time budget, or a space of fewer edges"
    return True, ""
