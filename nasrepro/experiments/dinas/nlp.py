"""DiNAS on NAS-Bench-NLP (DiNAS, Tables 3 and 6): trained on the logged cells, 304 queries.

The model learns the cells of at most 8 operations (12 nodes) whose trainings on Penn Treebank ended with a finite loss,
with that loss as their label; samples are scored by our surrogate. Both are *test* losses of the final epoch: there is
no public validation loss (see `benchmarks.nlp`). As in the paper, "accuracy" is 100 minus the loss.

The surrogate is not that of NAS-Bench-X11, so no number here is comparable with a printed one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nasrepro.benchmarks.base import MEAN, Column
from nasrepro.benchmarks.ledger import Labels
from nasrepro.benchmarks.nlp import EPOCHS, PTB, NLPBenchmark
from nasrepro.experiments.dinas.generation import Found
from nasrepro.experiments.dinas.surrogates import Surrogate
from nasrepro.parameters.dinas import NLPParameters
from nasrepro.runs.run import Experiment, Outcome, RunContext

LOSS = Column(PTB, "loss", "test", EPOCHS, MEAN)
SURROGATE_LOSS, SURROGATE_DISTANCE, SURROGATE_DIVERGED = (
    Column(PTB, f"surrogate_{name}", "surrogate", EPOCHS, MEAN) for name in ("loss", "distance", "diverged")
)
REPORTED: dict[str, Column] = {"distance": SURROGATE_DISTANCE, "diverged": SURROGATE_DIVERGED}


def accuracy(losses: np.ndarray) -> np.ndarray:
    """Return what the papers call accuracy on this benchmark: 100 minus the loss."""
    found: np.ndarray = 100.0 - losses
    return found


class _Logged(Surrogate):
    reported = REPORTED
    score = staticmethod(accuracy)

    def labels(self, reader: str) -> Labels:
        return self.context.ledger.open(self.benchmark, LOSS, reader, self.score)

    def findings(self, found: Found) -> dict[str, Any]:
        return super().findings(found) | {"labels": str(LOSS), "population": len(self.labelled(0))}


def execute(p: NLPParameters, context: RunContext) -> Outcome:
    """Train on the logged cells, sample, query; then the draw from the labelled wanted cells."""
    benchmark = NLPBenchmark()
    return _Logged(p, context, benchmark, SURROGATE_LOSS, benchmark.labelled(LOSS)).outcome()


def _data(p: NLPParameters) -> dict[str, str]:
    return NLPBenchmark().checksums([LOSS, SURROGATE_LOSS])


EXPERIMENT = Experiment("nlp", 1, NLPParameters, _data, execute)
