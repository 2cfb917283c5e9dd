"""What each experiment may be asked: typed, bounded parameters and profiles.

Nothing here needs torch, so that the command line, the plan and the book know the settings of every run without
importing the experiment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasrepro.errors import ParameterError, did_you_mean
from nasrepro.parameters import data, delta, dinas, machine, method
from nasrepro.parameters.base import Parameters, resolve

_MODELS: Mapping[str, type[Parameters]] = {
    "nb201": dinas.NB201Parameters,
    "nb101": dinas.NB101Parameters,
    "hw": dinas.HWParameters,
    "hw_joint": dinas.JointParameters,
    "nb301": dinas.NB301Parameters,
    "nlp": dinas.NLPParameters,
    "exact_denoiser": dinas.ExactParameters,
    "step_cost": machine.StepParameters,
    "speed": machine.SpeedParameters,
    "baselines": dinas.BaselineParameters,
    "network_training": dinas.NetworkTrainingParameters,
    "theory": delta.TheoryParameters,
    "encodings": delta.EncodingParameters,
    "doa": delta.DoAParameters,
    "doa_distance": delta.DistanceParameters,
    "doa_ablation": delta.AblationParameters,
    "code_alone": delta.CodeAloneParameters,
    "proxies": delta.ProxyParameters,
    "delta_search": delta.DeltaSearchParameters,
    "card": data.CardParameters,
    "steps": method.StepsParameters,
}
NAMES = tuple(_MODELS)


def model_of(experiment: str) -> type[Parameters]:
    """Return the model of an experiment's parameters; raise `ParameterError` for an unknown experiment."""
    if experiment not in _MODELS:
        raise ParameterError(
            f"There is no experiment `{experiment}`; there are {', '.join(NAMES)}.{did_you_mean(experiment, NAMES)}"
        )
    return _MODELS[experiment]


def room_of(experiment: str) -> str:
    """Return the room of an experiment, e.g. dinas or machine. Raise `ParameterError` for an unknown experiment."""
    return model_of(experiment).__module__.rpartition(".")[2]


def resolved(experiment: str, given: Mapping[str, Any], profile: str) -> Parameters:
    """Return the parameters of a run: what is given, else what the profile says, else the default.

    Raises:
        ParameterError: an unknown experiment, profile or name, a wrong type or a value outside its range.
    """
    return resolve(model_of(experiment), given, profile)
