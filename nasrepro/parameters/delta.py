"""Parameters of the experiments of Delta-NAS: names, bounds, meaning, and the settings of each profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from nasrepro.parameters.base import Parameters

# The lines of Figures 4 and 5 beside Delta-NAS, by the names of our methods.
OTHER_LINES = ("evolution_sep", "evolution_crossover", "evolution", "random", "reinforce")


class TheoryParameters(Parameters):
    """Parameters of `nasrepro run theory`."""

    edits: int = Field(2, ge=1, le=6, description="k of the row of Theorem 5")
    largest: int = Field(10, ge=2, le=30, description="largest n of the growth plot")
    operations: int = Field(3, ge=2, le=10, description="r of the growth plot")


class EncodingParameters(Parameters):
    """Parameters of `nasrepro run encodings`. Defaults are those of the `laptop` profile."""

    space: Literal["nb101", "nb201", "tnb101", "nb301"] = Field("nb201", description="search space")
    method: Literal[
        "all", "adj", "path", "zcp", "arch2vec", "cate", "flan",
        "practitioner", "practitioner_trees", "practitioner_zcp", "practitioner_trees_zcp",
        "xgboost", "xgboost_zcp",
    ] = Field("all", description="which method, or all of the first ten")  # fmt: skip
    trials: int = Field(5, ge=1, le=100, description="random training sets")
    pairs: int = Field(2_000, ge=10, le=100_000, description="held-out one-edit pairs of a trial")
    test_cells: int | None = Field(None, ge=10, description="most test cells of a trial, or all of them")
    loss: Literal["hinge", "mse"] = Field("hinge", description="of the networks")
    epochs: int = Field(150, ge=1, le=10_000, description="passes of an MLP over the labels")
    batch_size: int = Field(8, ge=2, le=4096, description="labels of one step, for budgets up to 200 labels")
    large_batch_size: int = Field(64, ge=2, le=4096, description="the same for larger budgets")
    flan_size: Literal["small", "published"] = Field("small", description="sizes of FLAN's layers")
    flan_epochs: int = Field(100, ge=1, le=10_000, description="passes of FLAN over up to 200 labels")
    flan_large_epochs: int = Field(20, ge=1, le=10_000, description="passes of FLAN over more labels")
    flan_large_batch_size: int = Field(16, ge=2, le=4096, description="its labels of one step then")
    flan_proxies: bool = Field(False, description="give FLAN the zero-cost proxies too")
    most_paths: int = Field(512, ge=1, description="most frequent paths that the path encoding keeps, of each cell")
    pretraining_cells: int = Field(15_625, ge=100, description="most unlabelled cells of a pre-training")
    arch2vec_epochs: int = Field(10, ge=1, le=10_000, description="passes of arch2vec over them")
    cate_epochs: int = Field(3, ge=1, le=10_000, description="passes of CATE over its pairs")
    seed: int = Field(0, ge=0, description="master seed of weights and batches")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {
            "trials": 2, "pairs": 20, "test_cells": 60, "epochs": 2, "flan_epochs": 1, "flan_large_epochs": 1,
            "pretraining_cells": 200, "arch2vec_epochs": 1, "cate_epochs": 1, "most_paths": 64,
        },
        "full": {
            "large_batch_size": 8, "flan_size": "published", "flan_epochs": 150, "flan_large_epochs": 150,
            "flan_large_batch_size": 8, "pretraining_cells": 400_000, "cate_epochs": 10,
        },
    }  # fmt: skip


class DistanceParameters(Parameters):
    """Parameters of `nasrepro run doa_distance`. Defaults are those of the `laptop` profile."""

    space: Literal["nb101", "nb201", "tnb101"] = Field("nb201", description="search space")
    source: Literal["accuracy", "zen"] = Field(
        "accuracy", description="label: accuracy, or the Zen-score of Algorithm 1"
    )
    scale: Literal["scores", "raw"] = Field("scores", description="unit of the labels: normal scores, or as they are")
    trials: int = Field(5, ge=1, le=100, description="training sets of each k")
    pairs: int = Field(400, ge=10, le=100_000, description="training pairs of each k")
    test_pairs: int = Field(1_000, ge=10, le=100_000, description="held-out pairs of each k")
    seed: int = Field(0, ge=0, description="number of the first trial")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"trials": 2, "pairs": 40, "test_pairs": 50},
        "full": {"trials": 20, "pairs": 4_000, "test_pairs": 5_000},
    }


class AblationParameters(Parameters):
    """Parameters of `nasrepro run doa_ablation`. Defaults are those of the `laptop` profile."""

    trials: int = Field(5, ge=1, le=100, description="training sets")
    pairs: int = Field(2_000, ge=10, le=100_000, description="held-out one-edit pairs of a trial")
    centres: int = Field(50, ge=1, le=10_000, description="test cells whose neighbourhoods are ranked")
    anchors: int = Field(4, ge=1, le=100, description="labelled cells that chained predictions begin at")
    seed: int = Field(0, ge=0, description="number of the first trial; a trial's number decides its cells")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"trials": 2, "pairs": 100, "centres": 5},
        "full": {"trials": 20, "centres": 500},
    }


class DoAParameters(AblationParameters):
    """Parameters of `nasrepro run doa`. Defaults are those of the `laptop` profile."""

    space: Literal["nb101", "nb201", "tnb101", "nb301"] = Field("nb201", description="search space")
    samples_per_code: int = Field(4, ge=1, le=1_000, description="n: pairs of a code, where pairs are independent")
    star: int = Field(4, ge=1, le=100, description="neighbours of an anchor, where pairs share anchors")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"trials": 2, "pairs": 200, "centres": 5},
        "full": {"trials": 20, "centres": 500},
    }


class CodeAloneParameters(AblationParameters):
    """Parameters of `nasrepro run code_alone`: the same cells and pairs. Defaults are those of the `laptop` profile."""

    penalty: float = Field(1.0, gt=0, le=1e6, description="of squared weights in the ridge regression")


class ProxyParameters(Parameters):
    """Parameters of `nasrepro run proxies`."""

    cells: int = Field(250, ge=10, le=15_625, description="random cells whose score is computed")
    batch_size: int = Field(2, ge=1, le=256, description="images of one score; the published ones had 64")
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"cells": 10},
        "full": {"cells": 2_000},
    }


class DeltaSearchParameters(Parameters):
    """Parameters of `nasrepro run delta_search`. Defaults are those of the `laptop` profile."""

    benchmark: Literal["nb101", "nb201"] = Field("nb201", description="which benchmark")
    dataset: Literal["cifar10", "cifar100", "imagenet16-120"] = Field("cifar10", description="data set")
    queries: int = Field(500, ge=50, le=15_625, description="distinct cells that a search evaluates")
    training_labels: int = Field(
        100, ge=4, le=50_000,
        description="cells that a predictor is trained on, as many labels or Zen-scores. 1 % and 10 % of the space, as "
        "the paper's text counts: 156 and 1,563 on nb201, 4,236 and 42,362 on nb101 (the values of its Table 1 fit 72 "
        "and 729 there)",
    )  # fmt: skip
    trained_on: Literal["accuracy", "zen"] = Field(
        "accuracy",
        description="what differences are learnt of: accuracies, or the Zen-scores of Algorithm 1, no labels",
    )
    methods: Literal["all", "printed"] = Field(
        "all",
        description="all, or the lines of the paper's figures as printed and, beside them, the best cells of a plain "
        "predictor trained on as many labels",
    )
    runs: int = Field(50, ge=2, le=1000, description="runs of each method")
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"runs": 2, "queries": 100, "training_labels": 20},
        "full": {"queries": 5000},
    }
