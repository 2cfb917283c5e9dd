"""NAS-Bench-301 (Zela et al., ICLR 2022): pairs of DARTS cells on CIFAR-10.

The benchmark is itself a surrogate: an ensemble of XGBoost models of trained networks. No repository holds it; public
are its predictions for some cells, and a neural surrogate of the same trainings. What can be answered:

================== ========= ====== ===============================================================================
metric             split     epochs source
================== ========= ====== ===============================================================================
accuracy           valid     100    `nb301_xgb_*.json`: predictions of the official v1.0 ensemble for 1,218 cells
surrogate_accuracy surrogate 100    our surrogate, any cell: fitted to these predictions
surrogate_std      surrogate 100    standard deviation of `accuracy` about that
surrogate_distance surrogate 100    distance from the cells it was fitted to; above 1 it extrapolates
official_accuracy  surrogate 100    the official ensemble, any cell, where a user has it (see `nb301_ensemble`)
zen                proxy     0      `nb301_zen.zip`: 11,221 other cells
12 others          proxy     0      `nb301_xgb_*.json`: the 1,218 cells (nwot: 725 of them)
================== ========= ====== ===============================================================================

The public predictions were made with the noise that the official code adds by default: draws from a normal distribution
with the spread of the ensemble's members. The seven cells that were evaluated twice differ by about 0.08 points.

Our surrogate (see `surrogate`, and `nb301_files.features` for what it knows of a cell) is *not* NAS-Bench-301: its
values must not be compared with published ones as if they were of the same benchmark. `facts()` has its cross-validated
figures, and those of XGBoost's trees (`boosted`) on the same folds. It was fitted to random cells. A search moves away
from them, e.g. to cells of convolutions alone: there it extrapolates, and the note of the result says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nasrepro.benchmarks import registry
from nasrepro.benchmarks.base import MEAN, Column, Metric, by_name
from nasrepro.benchmarks.raw import nb301 as files
from nasrepro.benchmarks.surrogates import boosting, nb301_ensemble
from nasrepro.benchmarks.surrogates import nb301 as surrogate
from nasrepro.benchmarks.surrogates.boosting import Boosted
from nasrepro.benchmarks.surrogates.nb301 import Surrogate
from nasrepro.benchmarks.surrogates.validation import CrossValidation
from nasrepro.benchmarks.tabular import Computed, Field, ListedBenchmark, Listing, Source
from nasrepro.seeding import numpy_stream
from nasrepro.spaces.darts.genotype import Pair
from nasrepro.spaces.darts.space import NB301

DATASET = files.DATASET
EPOCHS = 100
YAHPO = "nb301_yahpo_v1.onnx"
LABELS = Source(("nb301_xgb_a.json", "nb301_xgb_b.json", "nb301_xgb_c.json", "nb301_zen.zip"), files.labels_table)
TRAINING = Source((*LABELS.raw, YAHPO), files.training_table)


@dataclass(frozen=True)
class _OfficialEnsemble(Source):
    """The ensemble as a source: a folder of the user's, not a file of the registry."""

    def is_here(self) -> bool:
        return nb301_ensemble.folder() is not None

    def checksums(self) -> dict[str, str]:
        return nb301_ensemble.checksums(nb301_ensemble.Ensemble().folder)


ENSEMBLE = _OfficialEnsemble((nb301_ensemble.FOLDER,), files.labels_table)

ACCURACY = Column(DATASET, "accuracy", "valid", EPOCHS, MEAN)
SURROGATE_ACCURACY, SURROGATE_STD, SURROGATE_DISTANCE, OFFICIAL_ACCURACY = (
    Column(DATASET, metric, "surrogate", EPOCHS, MEAN)
    for metric in ("surrogate_accuracy", "surrogate_std", "surrogate_distance", "official_accuracy")
)
_METRICS = (
    Metric("accuracy", "%", True, "validation accuracy as the official ensemble predicts it, with noise"),
    Metric("surrogate_accuracy", "%", True, "prediction of our surrogate of the official ensemble"),
    Metric("surrogate_std", "%", False, "standard deviation of accuracy about the prediction of our surrogate"),
    Metric("surrogate_distance", "ratio", False, "distance from the cells of our surrogate; above 1 it extrapolates"),
    Metric("official_accuracy", "%", True, "prediction of the official ensemble, without noise"),
    *(Metric(name, "score", True, "zero-cost proxy of NAS-Bench-Suite-Zero") for name in files.PROXIES),
)


class NB301Benchmark(ListedBenchmark[Pair]):
    """NAS-Bench-301 behind the contract of `benchmarks.base`; see the module for what its columns mean.

    Args:
        misread: predict what the public code of AG-Net and DiNAS evaluates instead of the architecture asked for (see
            `darts_genotype.misread`); for measuring what that error does to published numbers.
    """

    name = "nb301"
    title = "NAS-Bench-301"
    space = NB301
    metrics = by_name(_METRICS)
    fields = (
        Field(ACCURACY, LABELS, "accuracy"),
        *(Field(Column(DATASET, proxy, "proxy", 0, MEAN), LABELS, proxy) for proxy in files.PROXIES),
    )
    defects = (
        "The public predictions of the official ensemble were made with its default noise.",
        "Seven cells were published twice, with other noise and other proxies; the first values are used.",
        "The public code of AG-Net and DiNAS evaluates another genotype than the generated one.",
    )
    cannot_answer = (
        "What the official ensemble says of any other cell, unless you have it.",
        "Test accuracy.",
        "The accuracy of cells far from random ones, e.g. of skip connections alone: our surrogate flags them.",
    )

    def __init__(self, misread: bool = False) -> None:
        self.misread = misread
        self._known: tuple[list[Pair], np.ndarray] | None = None  # what was asked last, and its features

    @cached_property
    def computed(self) -> tuple[Computed, ...]:  # type: ignore[override]
        """The predictions."""
        return (
            self._predicted(SURROGATE_ACCURACY, lambda features: self.surrogate.predict(features)),
            self._predicted(SURROGATE_STD, lambda features: self.surrogate.std(features)),
            self._predicted(SURROGATE_DISTANCE, lambda features: self.surrogate.distance(features)),
            Computed(OFFICIAL_ACCURACY, self._official, "the official ensemble", (ENSEMBLE,)),
        )

    def _predicted(self, column: Column, of: Callable[[np.ndarray], np.ndarray]) -> Computed:
        return Computed(column, lambda archs: of(self._features(archs)), "our surrogate", (TRAINING,), self._note)

    def columns(self) -> list[Column]:
        """Return every column whose files are on this machine now (they are verified when read)."""
        return super().columns() if LABELS.is_here() else []

    @cached_property
    def listing(self) -> Listing[Pair]:
        """The cells with a public prediction or proxy."""
        return Listing(self.space, files.read_cells(LABELS.load(files.N_LISTED)))

    def facts(self) -> dict[str, Any]:
        """Return the cross-validated figures of our surrogate and of boosted trees beside it, what the error of the
        public code does to it, and how well the official ensemble, where it is here, agrees with its own public
        predictions."""
        from scipy.stats import kendalltau  # takes half a second to import

        found: dict[str, Any] = {
            f"{model}: {name}": value
            for model, validated in (("surrogate", self.figures), ("xgboost", self.boosted.figures))
            for name, value in asdict(validated).items()
            if not np.isnan(value)
        }
        effect, _ = misreading_effect()
        found |= {f"public code's misreading: {name}": value for name, value in effect.items()}
        if ENSEMBLE.is_here():
            labels = LABELS.load(files.N_LISTED).dropna(subset="accuracy")
            public, own = labels["accuracy"].to_numpy(), self._ensemble.predict(files.read_cells(labels))
            found["official ensemble: Kendall tau with its public predictions"] = float(
                kendalltau(public, own).statistic
            )
            found["official ensemble: root mean squared difference"] = float(np.sqrt(((public - own) ** 2).mean()))
        return found

    @property
    def surrogate(self) -> Surrogate:
        """Our surrogate; its inputs are `nb301_files.features`."""
        return self._fitted[0]

    @property
    def figures(self) -> CrossValidation:
        """What our surrogate is worth on cells that it has not seen."""
        return self._fitted[1]

    @cached_property
    def _fitted(self) -> tuple[Surrogate, CrossValidation]:
        return surrogate.fitted(self.name, *_training(), files.FEATURE_GROUPS)

    @cached_property
    def boosted(self) -> Boosted:
        """Boosted trees on the features of our surrogate, judged on its folds."""
        made_of, features, accuracy = _training()
        return boosting.fitted(self.name, made_of, features, accuracy, surrogate.folds_of_rows(len(accuracy)))

    @cached_property
    def _ensemble(self) -> nb301_ensemble.Ensemble:
        return nb301_ensemble.Ensemble()

    def _features(self, archs: Sequence[Pair]) -> np.ndarray:
        asked = self._read(archs)
        if self._known is None or self._known[0] != asked:  # several columns of the same cells are asked in turn
            self._known = asked, files.features(asked, registry.use(YAHPO))
        return self._known[1]

    def _official(self, archs: Sequence[Pair]) -> np.ndarray:
        return self._ensemble.predict(self._read(archs))

    def _read(self, archs: Sequence[Pair]) -> list[Pair]:
        return [self.space.misread(arch) for arch in archs] if self.misread else list(archs)

    def _note(self, arch: Pair) -> str:
        return surrogate.extrapolation(float(self.surrogate.distance(self._features([arch]))[0]))


def _training() -> tuple[list[object], np.ndarray, np.ndarray]:
    """Return what a surrogate is made of, its features and its labels."""
    frame = TRAINING.load(files.N_LISTED)
    features = frame.filter(regex="^feature ").to_numpy()
    return [TRAINING.version, *TRAINING.checksums().values()], features, frame["accuracy"].to_numpy()


def misreading_effect(
    architectures: int = 2_000, seed: int = 0, column: Column = SURROGATE_ACCURACY
) -> tuple[dict[str, Any], np.ndarray]:
    """Measure how the error of the public code (`darts_genotype.misread`) changes the accuracy of random architectures.

    Returns:
        What it does, by name (changes are of evaluated minus generated, in points), and the accuracies of what was
        generated and of what was evaluated (float64, 2 x B).
    """
    from scipy.stats import kendalltau  # takes half a second to import

    rng = numpy_stream(seed, "nb301", "misreading")
    archs = [NB301.sample(rng) for _ in range(architectures)]
    meant, read = values = np.stack([NB301Benchmark(m).query_many(archs, column) for m in (False, True)])
    change = read - meant
    low, median, high = np.quantile(change, [0.05, 0.5, 0.95]).tolist()
    best, best_read = (set(np.argsort(-v)[: architectures // 10].tolist()) for v in values)
    effect = {
        "random architectures": architectures,
        "Kendall tau, meant against evaluated": float(kendalltau(meant, read).statistic),
        "change, points, mean": float(change.mean()),
        "change, points, standard deviation": float(change.std()),
        "change, points, 5 %, median, 95 %": f"{low:.2f}, {median:.2f}, {high:.2f}",
        "share of the best tenth that stays in it": len(best & best_read) / len(best),
        "share of architectures it reads rightly": float(
            np.mean([NB301.key(a) == NB301.key(NB301.misread(a)) for a in archs])
        ),
    }
    return effect, values
