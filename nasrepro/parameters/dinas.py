"""Parameters of the experiments of DiNAS: names, bounds, meaning, and the settings of each profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasrepro.parameters.base import Parameters

# The paper's number of epochs in batches that keep a GPU busy; `full` profiles begin with it. The recipe of the paper
# to the letter is `data/paper/dinas_recipe.yml`.
GPU_RECIPE = {"epochs": 100, "batch_size": 1024, "reverse_steps": 50}
# What `smoke` profiles of experiments with queries begin with.
_SMOKE = {"epochs": 1, "trainings": 1, "runs": 2, "queries": 24, "reverse_steps": 5}
# The denoisers of N x N matrices of pair features, which alone may have `linear_inputs`.
MATRIX_DENOISERS = ("paper", "matrix-channels", "matrix-heads")


class DinasParameters(Parameters):
    """Parameters of every DiNAS experiment. Defaults are those of the `laptop` profile."""

    percentile: float = Field(
        95.0, gt=0, lt=100, description="f: cells above this percentile of accuracy are the wanted class"
    )
    guidance_scale: float = Field(
        2.0, ge=0, le=20, description="gamma of Eq. 5; the public code runs gamma = 3, the paper states none"
    )
    guide_on: Literal["logits", "probabilities"] = Field(
        "logits", description="what guidance combines: the code, or Algorithm 2 as written"
    )
    reverse_steps: int = Field(10, ge=1, le=500, description="steps of the reverse process; the paper takes all 500")
    queries: int = Field(192, ge=1, le=15_625, description="queries of one run")
    runs: int = Field(10, ge=1, le=1000, description="runs of each training")
    trainings: int = Field(3, ge=1, le=100, description="separate trainings")
    denoiser: Literal["default", "whole-graph", "flat", "paper", "matrix-channels", "matrix-heads"] = Field(
        "default", description="configuration of the denoiser"
    )
    positions: bool = Field(True, description="add sinusoids of the node index")
    time_input: bool = Field(False, description="tell the denoiser the time; the public code does not")
    epochs: int = Field(20, ge=1, le=10_000, description="passes over the labelled cells")
    batch_size: int = Field(256, ge=1, le=100_000, description="cells of one training step")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="peak learning rate of AdamW")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="of the learning rate")
    clip_norm: float = Field(1.0, ge=0, description="largest gradient norm, 0 = no clipping")
    ema_decay: float = Field(
        0.995, ge=0, lt=1, description="moving average of the weights that samples, 0 = last weights"
    )
    edge_weight: float = Field(5.0, ge=0, description="lambda of Eq. 2")
    epsilon: float = Field(0.1, ge=0, lt=1, description="probability of the null token in training")
    joint_dropout: bool = Field(
        True, description="drop all conditions of a cell together; the public code drops each alone"
    )
    wanted_share: float = Field(
        0.0, ge=0, lt=1, description="share of training cells drawn from the wanted class, 0 as in the paper"
    )
    labelled: int = Field(0, ge=0, description="cells that are labelled for training, drawn at random, 0 for all")
    lower_percentiles: list[float] = Field(
        [], description="further percentiles below f, for more than two classes (Table 8)"
    )
    diffusion_steps: int = Field(500, ge=2, le=10_000, description="T")
    weight_decay: float = Field(1e-12, ge=0, le=1, description="of AdamW")
    residual: bool = Field(False, description="add the noisy cell to the logits, as the public code does")
    linear_inputs: bool = Field(
        False, description="one-hot inputs, null token and diagonal of the pairs as the zero vector, as the public code"
    )
    first_time: Literal[0, 1] = Field(
        1, description="smallest time that is trained: 1, Algorithm 1, or 0, the public code"
    )
    noise_schedule: Literal["exact", "public-code"] = Field(
        "exact", description="the cosine schedule that ends in pure noise, or as the public code computes it"
    )
    train_share: float = Field(
        1.0, gt=0, le=1, description="share of the labelled cells that is trained on; the public code holds out 1 %"
    )
    parts: int = Field(
        1, ge=1, le=64, description="parts of a training batch on a thread each; more change the last bits of a sum"
    )
    most_draws: int = Field(
        10, ge=1, le=1000, description="the distinct protocol draws at most this many times `queries` samples"
    )
    seed: int = Field(0, ge=0, description="master seed")

    @model_validator(mode="after")
    def _linear_inputs_need_a_matrix(self) -> Self:
        if self.linear_inputs and self.denoiser not in MATRIX_DENOISERS:
            raise ValueError(
                f"linear_inputs=True is refused with denoiser={self.denoiser}: its pairs have no diagonal. "
                f"Take denoiser={' or '.join(MATRIX_DENOISERS)}, or leave linear_inputs False."
            )
        if self.denoiser == "flat" and (self.residual or not self.positions):
            raise ValueError(
                "residual=True and positions=False are refused with denoiser=flat: it has no such choice. Take "
                "denoiser=default, or leave both as they are."
            )
        return self


class NB201Parameters(DinasParameters):
    """Parameters of `nasrepro run nb201`. Defaults are those of the `laptop` profile."""

    dataset: Literal["cifar10", "cifar100", "imagenet16-120"] = Field(
        "cifar10", description="data set of the tabulated networks"
    )

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {**_SMOKE, "most_draws": 2},
        "laptop": {"denoiser": "flat"},
        "full": GPU_RECIPE,
    }


class NB101Parameters(DinasParameters):
    """Parameters of `nasrepro run nb101`. Defaults are those of the `laptop` profile."""

    label: Literal["test", "valid"] = Field("test", description="accuracy that is learnt and maximised")
    percentile: float = Field(
        99.0, gt=0, lt=100, description="f: cells above this percentile of accuracy are the wanted class"
    )
    queries: int = Field(150, ge=1, le=100_000, description="queries of one run")
    epochs: int = Field(6, ge=1, le=10_000, description="passes over the labelled cells")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {**_SMOKE, "batch_size": 8192, "most_draws": 2},
        "laptop": {
            "denoiser": "flat",
            "epochs": 8,
            "batch_size": 1024,
            "guidance_scale": 3.0,
            "reverse_steps": 25,
            "wanted_share": 0.5,
        },
        "full": {**GPU_RECIPE, "epochs": 30, "guidance_scale": 3.0, "wanted_share": 0.5},
    }


class HWParameters(DinasParameters):
    """Parameters of `nasrepro run hw`. Defaults are those of the `laptop` profile."""

    device: Literal["edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga"] = Field(
        "edgegpu", description="device whose latency is bounded"
    )
    latency: float = Field(2.0, gt=0, description="bound on the latency, ms")
    top_of: Literal["feasible", "all"] = Field(
        "feasible", description="cells over which the percentile is taken: the public code, or the text"
    )
    energy: float = Field(0.0, ge=0, description="bound on the energy, mJ, a third condition, 0 for none")
    queries: int = Field(200, ge=1, le=15_625, description="queries of one run")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {**_SMOKE, "most_draws": 1},
        "laptop": {
            "most_draws": 1, "guidance_scale": 2.0, "epochs": 100, "trainings": 1, "wanted_share": 0.9,
            "reverse_steps": 50, "denoiser": "whole-graph",
        },
        "full": {
            **GPU_RECIPE, "most_draws": 1, "guidance_scale": 2.0, "batch_size": 512, "wanted_share": 0.9,
            "denoiser": "whole-graph",
        },
    }  # fmt: skip


class JointParameters(DinasParameters):
    """Parameters of `nasrepro run hw_joint`. Defaults are those of the `laptop` profile."""

    # every cell is a training graph of every setting, in two classes, and a run has the paper's protocol alone
    unread: ClassVar[frozenset[str]] = frozenset({"labelled", "train_share", "lower_percentiles", "most_draws"})

    queries: int = Field(200, ge=1, le=15_625, description="queries of one run and setting")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {**_SMOKE, "batch_size": 8192},
        "laptop": {
            "epochs": 12, "trainings": 1, "guidance_scale": 2.0, "wanted_share": 0.9, "time_input": True,
            "reverse_steps": 50, "denoiser": "whole-graph",
        },
        "full": {
            **GPU_RECIPE, "epochs": 48, "guidance_scale": 2.0, "wanted_share": 0.9, "time_input": True,
            "denoiser": "whole-graph",
        },
    }  # fmt: skip


_SURROGATE_SMOKE = {**_SMOKE, "epochs": 2, "most_draws": 2, "generations": 20, "percentile": 95.0}


class SurrogateParameters(DinasParameters):
    """Parameters of DiNAS where a surrogate answers. Defaults are those of the `laptop` profile."""

    generations: int = Field(2_000, ge=1, le=100_000, description="samples whose novelty and uniqueness is measured")
    percentile: float = Field(
        99.0, gt=0, lt=100, description="f: cells above this percentile of accuracy are the wanted class"
    )
    guidance_scale: float = Field(
        1.5, ge=0, le=20, description="gamma of Eq. 5; the public code runs gamma = 3, the paper states none"
    )
    reverse_steps: int = Field(50, ge=1, le=500, description="steps of the reverse process; the paper takes all 500")


class NB301Parameters(SurrogateParameters):
    """Parameters of `nasrepro run nb301`. Defaults are those of the `laptop` profile."""

    cells: int = Field(10_000, ge=100, le=1_000_000, description="random architectures that are labelled to train on")
    protocol: Literal["combinations", "single"] = Field(
        "combinations", description="combine a few samples of each model in all ways (Table 3), or pair them (Table 7)"
    )
    decode: Literal["correct", "public_code"] = Field(
        "correct", description="evaluate the generated architecture, or what the public code reads in its place"
    )
    queries: int = Field(100, ge=1, le=15_625, description="queries of one run")
    trainings: int = Field(1, ge=1, le=100, description="separate trainings")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {**_SURROGATE_SMOKE, "cells": 500, "queries": 25},
        "laptop": {"epochs": 40, "wanted_share": 0.5},
        "full": {**GPU_RECIPE, "cells": 100_000, "trainings": 3, "wanted_share": 0.5},
    }


_NLP_RECIPE = {"epochs": 200, "batch_size": 64, "wanted_share": 0.5, "most_draws": 1, "denoiser": "whole-graph"}


class NLPParameters(SurrogateParameters):
    """Parameters of `nasrepro run nlp`. Defaults are those of the `laptop` profile."""

    queries: int = Field(304, ge=1, le=15_625, description="queries of one run")
    epochs: int = Field(100, ge=1, le=10_000, description="passes over the labelled cells")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": _SURROGATE_SMOKE,
        "laptop": _NLP_RECIPE,
        "full": {**GPU_RECIPE, **_NLP_RECIPE},
    }


class ExactParameters(Parameters):
    """Parameters of `nasrepro run exact_denoiser`. Defaults are those of the `laptop` profile."""

    benchmark: Literal["nb201", "nb101", "hw-nb201", "nb301"] = Field(
        "nb201", description="whose wanted class; of nb301 the normal cells of the wanted pairs"
    )
    dataset: Literal["cifar10", "cifar100", "imagenet16-120"] = Field("cifar10", description="data set of nb201")
    percentile: float = Field(95.0, gt=0, lt=100, description="f: cells above this percentile are the wanted class")
    platform: Literal["edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga"] = Field(
        "raspi4", description="device whose latency hw-nb201 bounds"
    )
    latency: float = Field(6.0, gt=0, description="bound on the latency, ms")
    samples: int = Field(2_000, ge=1, le=100_000, description="samples of each number of steps")
    steps: list[int] = Field([2, 5, 10, 25, 50, 100], min_length=1, description="numbers of reverse steps")
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"samples": 200, "steps": [2, 10]},
        "full": {"samples": 20_000},
    }


class BaselineParameters(Parameters):
    """Parameters of `nasrepro run baselines`. Defaults are those of the `laptop` profile."""

    benchmark: Literal["nb101", "nb201", "nb301", "nlp"] = Field("nb201", description="which benchmark")
    dataset: Literal["cifar10", "cifar100", "imagenet16-120", "ptb"] = Field("cifar10", description="data set")
    searcher: Literal["all", "random", "local_search", "evolution", "bananas", "bo", "gp", "bananas_xgboost"] = Field(
        "all", description="which searcher, or all of the first six"
    )
    queries: int = Field(192, ge=1, le=15_625, description="distinct labels that a run may read")
    runs: int = Field(30, ge=1, le=1000, description="runs of each searcher")
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"runs": 2, "queries": 24},
        "full": {"runs": 50},
    }


class NetworkTrainingParameters(Parameters):
    """Parameters of `nasrepro run network_training`. Defaults are those of the `laptop` profile."""

    data: Literal["cifar10", "imagenet", "generated"] = Field("cifar10", description="images")
    cells: str = Field(
        "surrogate",
        description="the chosen cells: `surrogate`, `record:<experiment>`, or genotypes and `darts-v2`, with ; between",
    )
    chosen_cells: int = Field(8, ge=1, le=1_000, description="how many chosen cells are trained at most")
    random_cells: int = Field(8, ge=0, le=1_000, description="how many random cells are trained")
    darts_v2: int = Field(3, ge=0, le=100, description="trainings of DARTS-V2, each with another seed")
    pool: int = Field(10_000, ge=1, description="random cells of which `surrogate` chooses the best")
    side: int = Field(16, ge=8, le=512, description="height and width of the images")
    training_images: int = Field(5_000, ge=0, description="training images, 0 for all")
    test_images: int = Field(2_000, ge=0, description="test images, 0 for all")
    channels: int = Field(8, ge=2, le=512, description="channels of the first cells")
    n_cells: int = Field(5, ge=3, le=50, description="cells of a network")
    epochs: int = Field(4, ge=1, description="passes over the training images")
    batch_size: int = Field(64, ge=2, description="images of one step, of all processes together")
    learning_rate: float = Field(0.05, gt=0, description="peak learning rate; cosine to zero")
    warmup_epochs: int = Field(0, ge=0, description="epochs of linear warm-up")
    weight_decay: float = Field(0.0003, ge=0, description="weight decay")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the label spread over all classes")
    auxiliary_weight: float = Field(0.0, ge=0, description="weight of the auxiliary head, 0 for none")
    drop_path: float = Field(0.0, ge=0, lt=1, description="probability of dropping a path in the last epoch")
    clip_norm: float = Field(5.0, ge=0, description="largest norm of the gradient, 0 for no clipping")
    cutout: int = Field(0, ge=0, description="side of the square cut out of training images")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="precision of the forward pass")
    processes: int = Field(1, ge=1, le=64, description="processes that share a batch, each on a GPU of its own")
    seed: int = Field(0, ge=0, description="master seed")

    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {
            "data": "generated", "cells": "darts-v2", "random_cells": 1, "darts_v2": 1, "side": 8,
            "training_images": 160, "test_images": 100, "channels": 4, "n_cells": 3, "epochs": 2, "batch_size": 32,
        },
        "full": {
            "data": "imagenet", "cells": "record:nb301", "chosen_cells": 1, "random_cells": 0, "darts_v2": 0,
            "side": 224, "training_images": 0, "test_images": 0, "channels": 48, "n_cells": 14, "epochs": 250,
            "batch_size": 1024, "learning_rate": 0.5, "warmup_epochs": 5, "weight_decay": 0.00003,
            "label_smoothing": 0.1, "auxiliary_weight": 0.4, "precision": "bfloat16", "processes": 8,
        },
    }  # fmt: skip
