"""The official XGBoost ensembles of NAS-Bench-301 (v0.9 and v1.0), for those who have them.

They are archives on figshare: a folder for each of ten members with `surrogate_model.model`, a pickled
`xgboost.Booster`. Nothing is unpickled here: the serialised model is one long byte string within the pickle, found by
walking over its opcodes, and XGBoost reads that. Models saved by `Booster.save_model` are read as well.

Put the unpacked folder (e.g. `nb_models_1.0/xgb_v1.0`) into the folder of the raw files under the name `nb301_models`,
or name it in the environment variable `NASREPRO_NB301_MODELS`. XGBoost 3.1 dropped the format in which the official
members are serialised, so they need an older one.
"""

from __future__ import annotations

import os
import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasrepro.benchmarks import registry
from nasrepro.benchmarks.surrogates import boosting
from nasrepro.errors import CorruptData, MissingData
from nasrepro.files import paths
from nasrepro.files.storage import sha256_of
from nasrepro.spaces.darts.genotype import N_SLOTS, Pair, sorted_slots
from nasrepro.spaces.darts.space import N_EDGES, configuration

VARIABLE = "NASREPRO_NB301_MODELS"
FOLDER = "nb301_models"
SUFFIXES = (".model", ".json", ".ubj")
_NOT_MODELS = ("_config.json", "_paths.json")  # JSON files that lie beside the members
_PICKLE_MARK = b"\x80"

# The columns of a ConfigSpace vector: hyper-parameters by name, first those that always apply. What does not concern
# the cell was the same for all training networks.
_TRAINING = (
    *("CreateImageDataLoader:batch_size", "ImageAugmentation:augment", "ImageAugmentation:autoaugment"),
    *("ImageAugmentation:cutout", "ImageAugmentation:cutout_holes", "ImageAugmentation:cutout_length"),
    *("ImageAugmentation:fastautoaugment", "LossModuleSelectorIndices:loss_module"),
    *("NetworkSelectorDatasetInfo:darts:auxiliary", "NetworkSelectorDatasetInfo:darts:drop_path_prob"),
    *("NetworkSelectorDatasetInfo:darts:init_channels", "NetworkSelectorDatasetInfo:darts:layers"),
    *("NetworkSelectorDatasetInfo:network", "OptimizerSelector:optimizer", "OptimizerSelector:sgd:learning_rate"),
    *("OptimizerSelector:sgd:momentum", "OptimizerSelector:sgd:weight_decay"),
    "SimpleLearningrateSchedulerSelector:cosine_annealing:T_max",
    "SimpleLearningrateSchedulerSelector:cosine_annealing:eta_min",
    *("SimpleLearningrateSchedulerSelector:lr_scheduler", "SimpleTrainNode:batch_loss_computation_technique"),
    "SimpleTrainNode:mixup:alpha",
)
_PREFIX = "NetworkSelectorDatasetInfo:darts:"
_EDGES = [f"{_PREFIX}edge_{cell}_{edge}" for cell in ("normal", "reduce") for edge in range(N_EDGES)]
_INPUTS = [f"{_PREFIX}inputs_node_{cell}_{node}" for cell in ("normal", "reduce") for node in (3, 4, 5)]
_ALWAYS = [name for name in _EDGES if name.endswith(("_0", "_1"))]  # the first node reads both inputs
COLUMNS = (*sorted((*_TRAINING, *_ALWAYS, *_INPUTS)), *sorted(set(_EDGES).difference(_ALWAYS)))
_EDGE_PLACES, _INPUT_PLACES = (list(map(COLUMNS.index, names)) for names in (_EDGES, _INPUTS))


def vectors(archs: Sequence[Pair]) -> np.ndarray:
    """Return the inputs of the ensemble (float32, B x 56): positions of the values in the lists of ConfigSpace.

    -1 stands for an edge that the cell does not have, 0 for every hyper-parameter of the training.
    """
    slots = np.array([tuple(map(sorted_slots, arch)) for arch in archs], dtype=np.int64)
    edges, inputs = configuration(slots.reshape(-1, 2, N_SLOTS, 2))
    found = np.zeros((len(archs), len(COLUMNS)), dtype=np.float32)
    found[:, _EDGE_PLACES] = edges.reshape(len(archs), -1)
    found[:, _INPUT_PLACES] = inputs.reshape(len(archs), -1)
    return found


def folder() -> Path | None:
    """Return the folder of the ensemble on this machine, or None."""
    named = os.environ.get(VARIABLE)
    places = [Path(named).expanduser()] if named else []
    places += [parent / FOLDER for parent in (*paths.mirror_dirs(), registry.downloads())]
    return next((place for place in places if place.is_dir()), None)


def members(where: Path) -> list[Path]:
    """Return the files of the members of an ensemble, in order of name."""
    found = [p for p in where.rglob("*") if p.suffix in SUFFIXES and not p.name.endswith(_NOT_MODELS) and p.is_file()]
    return sorted(found)


def checksums(where: Path) -> dict[str, str]:
    """Return name -> sha256 of the members' files."""
    return {f"{FOLDER}/{path.relative_to(where).as_posix()}": sha256_of(path) for path in members(where)}


class Ensemble:
    """The members of an ensemble, loaded; raise `MissingData` without XGBoost or members, `CorruptData` for other
    models."""

    def __init__(self, where: Path | None = None) -> None:
        place = where or folder()
        if place is None:
            raise MissingData(
                "The official ensemble of NAS-Bench-301 is not on this machine. Unpack the figshare archive nb_models "
                f"of the version you want and set {VARIABLE} to its xgb folder, or put that into NASREPRO_MIRROR as "
                f"`{FOLDER}`."
            )
        self.folder = place
        self._xgboost = boosting.xgboost()
        self._members = [self._load(path) for path in members(place)]
        if not self._members:
            raise MissingData(f"{place} has no member of an ensemble: no file with the suffix {', '.join(SUFFIXES)}.")

    def predict(self, archs: Sequence[Pair]) -> np.ndarray:
        """Return the mean predictions of the members, without the noise that the official code adds by default
        (float64, B, %)."""
        data = self._xgboost.DMatrix(vectors(archs))
        predictions = np.stack([member.predict(data) for member in self._members]).astype(np.float64)
        return predictions.mean(axis=0)

    def _load(self, path: Path) -> Any:
        content = path.read_bytes()
        booster = self._xgboost.Booster()
        try:
            if content.startswith(_PICKLE_MARK):
                booster.__setstate__({"handle": bytearray(_serialised(content))})
            else:
                booster.load_model(bytearray(content))
            used = {int(name[1:]) for name in booster.get_score(importance_type="weight")}
        except (self._xgboost.core.XGBoostError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise CorruptData(
                f"XGBoost {self._xgboost.__version__} cannot read {path}: {reason}. The official members need an older "
                f"one: `{boosting.INSTALL}`."
            ) from error
        other = [COLUMNS[column] for column in used if column >= len(COLUMNS) or COLUMNS[column] in _TRAINING]
        if booster.num_features() != len(COLUMNS) or other:
            raise CorruptData(
                f"{path} is no member of an ensemble of NAS-Bench-301: it has {booster.num_features()} inputs instead "
                f"of {len(COLUMNS)}" + (f" and uses {', '.join(other)}." if other else ".")
            )
        return booster


def _serialised(pickled: bytes) -> bytes:
    """Return the longest byte string of a pickle without executing it."""
    try:
        strings = (
            argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, bytes | bytearray)
        )
        return bytes(max(strings, key=len))
    except Exception as error:  # pickletools raises many types for what is no pickle
        raise ValueError(f"no pickled model ({error})") from error
