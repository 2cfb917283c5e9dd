"""Train a diffusion model once: trained models are kept under a key of everything that they depend on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from nasrepro.diffusion.denoiser_config import DenoiserConfig
from nasrepro.diffusion.model import DiffusionModel
from nasrepro.diffusion.train import Step, TrainingConfig, train
from nasrepro.errors import CorruptData
from nasrepro.files.storage import write_atomically
from nasrepro.graphs import Graphs
from nasrepro.runs import progress, provenance
from nasrepro.runs.records import run_key
from nasrepro.runs.run import RunContext
from nasrepro.training import remove_checkpoint

log = logging.getLogger(__name__)


def trained(
    context: RunContext,
    name: str,
    identity: Mapping[str, Any],
    load_data: Callable[[], tuple[Graphs, Tensor]],
    *,
    node_classes: int,
    condition_classes: tuple[int, ...],
    denoiser: DenoiserConfig,
    config: TrainingConfig,
    seed: int,
    wanted: Sequence[tuple[int, ...]] | None = None,
) -> tuple[DiffusionModel, pd.DataFrame]:
    """Return the trained model and its loss curve (`step`, `loss`, `node_loss`, `edge_loss`), from disk if an earlier
    run trained it.

    Args:
        context: where models lie, and where the cost goes (the cost of a training counts in every run that uses it).
        name: shown in the progress bar.
        identity: what the training data depend on (data set, discretisation, checksums), JSON-able.
        load_data: returns the graphs and their classes; called only when there is training to do.
        node_classes: K.
        condition_classes: number of classes of each condition.
        denoiser: shape of the network.
        config: how to train.
        seed: of weights, batches and noise.
        wanted: classes of the conditions that `config.wanted_share` favours, one or more sets of k.
    """
    key = run_key(
        "training",
        1,
        {**identity, "denoiser": denoiser.__dict__, "training": config.__dict__, "seed": seed, "wanted": wanted},
        {"device": context.device},
    )
    model_path, curve_path = context.models / f"{key}.safetensors", context.models / f"{key}.json"
    checkpoint, clock = context.models / f"{key}.checkpoint", context.models / f"{key}.seconds.json"
    if model_path.is_file() and curve_path.is_file():
        try:
            model, kept = DiffusionModel.load(model_path), json.loads(curve_path.read_text())
            context.spent("training", kept["wall_s"], kept["cpu_s"])
            return model, _frame([Step(i + 1, *row) for i, row in enumerate(kept["losses"])])
        except (CorruptData, ValueError, KeyError) as error:
            log.warning("The trained model %s is damaged (%s) and is trained again.", model_path.name, error)
    graphs, classes = load_data()
    steps = config.epochs * -(-len(graphs) // config.batch_size)
    with provenance.stopwatch(clock) as watch, progress.task(name, steps) as advance:

        def on_step(step: Step) -> None:
            advance(step.number)
            watch.keep(context.checkpoint_every_s)

        model, history = train(
            graphs,
            classes,
            node_classes=node_classes,
            condition_classes=condition_classes,
            denoiser=denoiser,
            config=config,
            seed=seed,
            wanted=wanted,
            device=context.device,
            checkpoint=checkpoint,
            checkpoint_every_s=context.checkpoint_every_s,
            on_step=on_step,
        )
    model.save(model_path)
    losses = [[s.loss, s.node_loss, s.edge_loss] for s in history]
    write_atomically(curve_path, json.dumps({"wall_s": watch.wall_s, "cpu_s": watch.cpu_s, "losses": losses}).encode())
    remove_checkpoint(checkpoint)
    clock.unlink(missing_ok=True)
    context.spent("training", watch.wall_s, watch.cpu_s)
    log.info("%s: %d steps in %.0f s, loss %.3f", name, len(history), watch.wall_s, history[-1].loss)
    return model, _frame(history)


def _frame(history: list[Step]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"step": s.number, "loss": s.loss, "node_loss": s.node_loss, "edge_loss": s.edge_loss} for s in history]
    )
