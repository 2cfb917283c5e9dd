"""NAS-Bench-NLP (Klyuchnikov et al., IEEE Access 2022): recurrent cells trained as language models.

What can be answered (loss in nats per word, perplexity its exponential; lower is better):

========== ================== ================== ======= ============== ===============================================
data set   metric             split              epochs  seed           source
========== ================== ================== ======= ============== ===============================================
ptb        loss, perplexity   test               50      0, 1, 2, mean  logs: final epoch on Penn Treebank
ptb        diverged           test               50      mean           logs: share of trainings without a finite loss
wikitext-2 loss               train, valid, test 1 to 50 mean           logs: learning curves of some cells
wikitext-2 perplexity         valid, test        50      mean           logs
both       parameters         model              0       mean           counted, any cell
ptb        12 proxies         proxy              0       mean           metrics of Serianni and Kalita, ACL 2023
ptb        surrogate_loss     surrogate          50      mean           our surrogate, any cell; see `nlp_surrogate`
ptb        surrogate_diverged surrogate          50      mean           its predicted share of diverging trainings
ptb        surrogate_std      surrogate          50      mean           standard deviation of loss about surrogate_loss
ptb        surrogate_distance surrogate          50      mean           distance from its training cells
========== ================== ================== ======= ============== ===============================================

The summary of the Penn Treebank logs that is read here has *test* loss only. So a search on it selects by what it
reports, and has to say so.

Seeds: the published list of recipes was trained three times over, and a seed is the place of that pass. Cells are
compact graphs (see `spaces.nlp_cell`), and the list has 4,735 recipes of 3,762 cells, so a cell can have more than
three trainings; a value is the mean over all of them (of one pass, or of all passes) that ended with a finite loss, and
`n_seeds` their number. Where no training did there is no loss, and the message says so; `diverged` tells such cells
from those never trained.

DiNAS and AG-Net print "accuracy" on this benchmark: 100 minus the loss (96.06 is a loss of 3.94), of the surrogate of
NAS-Bench-X11 and of a *validation* set. It is another quantity, and not a column here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cached_property, partial

import numpy as np

from nasrepro.benchmarks.base import MEAN, Column, Metric, by_name
from nasrepro.benchmarks.raw import nlp as files
from nasrepro.benchmarks.surrogates.nb301 import extrapolation
from nasrepro.benchmarks.surrogates.nlp import NLPSurrogate
from nasrepro.benchmarks.tabular import Computed, Field, ListedBenchmark, Listing, Source
from nasrepro.spaces.nlp.cell import LINEAR, WORD, Cell
from nasrepro.spaces.nlp.space import NLP, NLPSpace

PTB, WIKITEXT = "ptb", "wikitext-2"
EPOCHS = files.EPOCHS
_VOCABULARY = {PTB: 10_000, WIKITEXT: 33_278}

LOGS = Source(("nlp_rnn_parameters.csv",), files.penn_treebank_table)
PROXIES = Source(("nlp_rnn_results.csv",), files.proxies_table)
WIKITEXT_LOGS = Source(("nlp_wikitext2_logs.zip",), files.wikitext_table)

_METRICS = (
    Metric("loss", "nats", False, "cross-entropy of the next word; what papers call accuracy here is 100 minus a loss"),
    Metric("perplexity", "words", False, "exponential of the loss"),
    Metric("diverged", "share", False, "share of the logged trainings that ended without a finite loss"),
    Metric("parameters", "M", False, "trainable parameters, millions"),
    Metric(
        "surrogate_loss", "nats", False, "prediction of our surrogate of the loss, of trainings that do not diverge"
    ),
    Metric("surrogate_diverged", "share", False, "prediction of our surrogate of the share of trainings that diverge"),
    Metric("surrogate_std", "nats", False, "standard deviation of loss about the prediction of our surrogate"),
    Metric("surrogate_distance", "ratio", False, "distance from the cells of our surrogate; above 1 it extrapolates"),
    *(
        Metric(name, "score", True, f"zero-cost metric {column} of Serianni and Kalita (ACL 2023)")
        for name, column in files.PROXIES.items()
    ),
)


def parameters(cells: Sequence[Cell], dataset: str = PTB) -> np.ndarray:
    """Return the trainable parameters in millions (float64, B) of the published network with these cells.

    Three layers of hidden sizes 600, 600 and 400 (word vectors have 400 and share their weights with the softmax), so
    an input of a `linear` costs 400 x 600 + 600 x 600 + 600 x 400 weights from the word, 600 x 600 twice and 400 x 400
    from elsewhere, and the `linear` 1,600 biases.
    """
    counts = np.zeros((len(cells), 3))
    for row, cell in enumerate(cells):
        linears = [read for operation, read in zip(cell.operations, cell.inputs, strict=True) if operation == LINEAR]
        from_word = sum(WORD in read for read in linears)
        counts[row] = from_word, sum(map(len, linears)) - from_word, len(linears)
    per_word_input, per_other_input, biases = 400 * 600 + 600 * 600 + 600 * 400, 2 * 600 * 600 + 400 * 400, 1_600
    return (_VOCABULARY[dataset] * 401 + counts @ [per_word_input, per_other_input, biases]) / 1e6


def _fields() -> Iterator[Field]:
    for metric in ("loss", "perplexity"):
        for seed in files.SEEDS:
            yield Field(Column(PTB, metric, "test", EPOCHS, seed), LOGS, f"{metric}{seed}", f"n_finite{seed}")
        yield Field(Column(PTB, metric, "test", EPOCHS, MEAN), LOGS, metric, "n_finite")
    yield Field(Column(PTB, "diverged", "test", EPOCHS, MEAN), LOGS, "diverged", "n_logged")
    for split in files.SPLITS:
        for epoch in range(1, EPOCHS + 1):
            time = (WIKITEXT_LOGS, f"time{epoch}")
            field = f"{split}{epoch}"
            yield Field(Column(WIKITEXT, "loss", split, epoch, MEAN), WIKITEXT_LOGS, field, f"n{epoch}", time)
    for split in ("valid", "test"):
        column = Column(WIKITEXT, "perplexity", split, EPOCHS, MEAN)
        field = f"{split}_perplexity"
        yield Field(column, WIKITEXT_LOGS, field, f"n{EPOCHS}", (WIKITEXT_LOGS, f"time{EPOCHS}"))
    for proxy in files.PROXIES:
        yield Field(Column(PTB, proxy, "proxy", 0, MEAN), PROXIES, proxy)


class NLPBenchmark(ListedBenchmark[Cell]):
    """NAS-Bench-NLP behind the contract of `benchmarks.base`; see the module for what its columns mean.

    `space` is `NLP` (at most 8 operations, as in DiNAS) unless another one is given; `nlp_files.ALL_RECIPES` holds all.
    """

    name = "nlp"
    title = "NAS-Bench-NLP"
    metrics = by_name(_METRICS)
    fields = tuple(_fields())
    defects = (
        "The summary of the logs lists ten trainings again without their losses, after headers in its midst.",
        "Some recipes of the published list are the same cell, which has then more than three trainings.",
        "Compact graphs do not say which input of a blend is the gate; recipes that differ in it are one cell here.",
    )
    cannot_answer = (
        "Validation loss on Penn Treebank: the summary that is public has test losses of the final epoch only.",
        "What NAS-Bench-X11 predicts, with which published methods were scored.",
    )

    def __init__(self, space: NLPSpace = NLP) -> None:
        self.space = space

    @cached_property
    def computed(self) -> tuple[Computed, ...]:  # type: ignore[override]
        """Parameters and the predictions of our surrogate."""
        surrogate = {
            "surrogate_loss": lambda cells: self.surrogate.loss(cells),
            "surrogate_diverged": lambda cells: self.surrogate.diverged(cells),
            "surrogate_std": lambda cells: self.surrogate.std(cells),
            "surrogate_distance": lambda cells: self.surrogate.distance(cells),
        }
        return (
            *(
                Computed(
                    Column(dataset, "parameters", "model", 0, MEAN), partial(parameters, dataset=dataset), "counted"
                )
                for dataset in (PTB, WIKITEXT)
            ),
            *(
                Computed(Column(PTB, metric, "surrogate", EPOCHS, MEAN), of, "our surrogate", (LOGS,), self._note)
                for metric, of in surrogate.items()
            ),
        )

    @cached_property
    def surrogate(self) -> NLPSurrogate:
        """Our surrogate of Penn Treebank, fitted to all cells with a logged training."""
        frame = LOGS.load(self.listing.size)
        cells = [self.listing.from_index(row) for row in frame["row"]]
        made_of = [LOGS.version, *LOGS.checksums().values()]
        return NLPSurrogate(cells, frame["loss"].to_numpy(), frame["diverged"].to_numpy(), made_of)

    def facts(self) -> dict[str, float]:
        """Return the cross-validated figures of our surrogate, of a plain model and of boosted trees beside it."""
        parts = {f"surrogate {part}": figures for part, figures in self.surrogate.figures.items()}
        parts["xgboost loss"] = self.surrogate.boosted.figures
        return {
            f"{part}: {name}": value
            for part, figures in parts.items()
            for name, value in asdict(figures).items()
            if not np.isnan(value)
        }

    @cached_property
    def listing(self) -> Listing[Cell]:
        """The cells of the published recipes."""
        return files.listing()

    def _note(self, arch: Cell) -> str:
        diverged, distance = self.surrogate.diverged([arch])[0], self.surrogate.distance([arch])[0]
        parts = [f"{diverged:.0%} of its trainings are predicted to diverge."] if diverged >= 0.5 else []
        return " ".join(filter(None, [*parts, extrapolation(distance)]))

    def why_missing(self, arch: Cell, row: int, column: Column) -> str:
        """Return whether the trainings of a cell diverged, or it was never trained."""
        if column.dataset == PTB and column.split == "test":
            of_seed = column.seed != MEAN
            n = self._array(LOGS, f"n_finite{column.seed}" if of_seed else "n_logged")[row]
            if np.isnan(n):
                return super().why_missing(arch, row, column)
            what = f"its trainings with seed {column.seed}" if of_seed else f"its {n:.0f} logged trainings"
            return (
                f"{self.title} has no {column} of {self.space.to_string(arch)}: {what} did not end with a finite loss."
            )
        return super().why_missing(arch, row, column)
