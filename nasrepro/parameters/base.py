"""Parameters of a run: typed, bounded, with named profiles; anything unknown or mistyped is refused before work
starts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from nasrepro.errors import CorruptData, ParameterError, did_you_mean
from nasrepro.files.storage import read_yaml

PROFILES = ("smoke", "laptop", "full")

# Names that a notebook may set beside the parameters of its experiment: they say how to run, not what.
RUN_OPTIONS = ("profile", "fresh", "device")

# Parameters that experiments were given after records of them had been made, with the value under which they change
# nothing. At that value they are no part of a run's identity, so the earlier records are still found.
ADDED: Mapping[str, Any] = {
    "wanted_share": 0.0,
    "labelled": 0,
    "joint_dropout": True,
    "lower_percentiles": [],
    "energy": 0.0,
    "weight_decay": 1e-12,
    "residual": False,
    "linear_inputs": False,
    "first_time": 1,
    "noise_schedule": "exact",
    "train_share": 1.0,
    "trained_on": "accuracy",
    "methods": "all",
    "parts": 1,
}


class Parameters(BaseModel):
    """Base of an experiment's parameters. Defaults of the fields are those of the `laptop` profile; `profiles`
    overrides them.

    Values are strict: no silent rounding or reading of text as numbers. An integer where a real number is asked for
    is taken as that number. Infinity and NaN are refused: JSON has neither, so a record could not tell what ran.

    Attributes:
        profiles: profile -> what it sets, where that is not the default.
        unread: fields that an experiment inherits and does not read; only their defaults are taken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False)
    unread: ClassVar[frozenset[str]] = frozenset()
    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def identity(self) -> dict[str, Any]:
        """Return what a run's key is made of: all parameters but those of `ADDED` that change nothing."""
        return {k: v for k, v in self.model_dump(mode="json").items() if k not in ADDED or v != ADDED[k]}


P = TypeVar("P", bound=Parameters)


def resolve(model: type[P], given: Mapping[str, Any], profile: str) -> P:
    """Return the parameters: what is given, else what the profile says, else the default.

    Raises:
        ParameterError: an unknown profile or name, a wrong type or a value outside its range; the message names all
            that is wrong.
    """
    if profile not in PROFILES:
        raise ParameterError(
            f"There is no profile `{profile}`; there are {', '.join(PROFILES)}.{did_you_mean(profile, PROFILES)}"
        )
    try:
        found = model.model_validate({**model.profiles.get(profile, {}), **given})
    except ValidationError as error:
        raise ParameterError("\n".join(_explain(model, e) for e in error.errors())) from None
    for name in sorted(model.unread & given.keys()):
        usual = model.model_fields[name].get_default(call_default_factory=True)
        if getattr(found, name) != usual:
            raise ParameterError(
                f"{name}={given[name]!r} is refused: this experiment does not read it. Leave it {usual}."
            )
    return found


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """Parse `name=value` texts of the command line; values are read as YAML, as papermill does."""
    out: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"`-p {text}` is not of the form name=value, e.g. -p dataset=cifar100.")
        try:
            out[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ParameterError(f"The value of `-p {text}` cannot be read: {str(error).splitlines()[0]}.") from None
    return out


def option(name: str, value: object) -> str:
    """Return the text of the command line that gives a parameter its value, as `parse_assignments` reads it: in YAML
    (1.0e-05, for 1e-05 would be a text there), quoted for the shell."""
    literal: str = yaml.safe_dump(value, default_flow_style=True, width=float("inf"))
    literal = literal.removesuffix("\n").removesuffix("\n...")
    return f"-p {name}={shlex.quote(literal)}"


def read_parameters(path: Path) -> dict[str, Any]:
    """Return the parameters of a YAML file, as papermill's `-f` takes it; raise `ParameterError` where it has none."""
    try:
        found = read_yaml(path, committed=False)
    except (OSError, CorruptData) as error:
        reason = f"{error.strerror}." if isinstance(error, OSError) else error
        raise ParameterError(f"The parameters file {path} cannot be read: {reason}") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ParameterError(f"{path} is no parameters file: give one `name: value` a line.")
    return found


def from_notebook(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a notebook's `parameters` cell and papermill's injected cell have set.

    Papermill only warns of an unknown name and sets it all the same, so every public name in the namespace counts as
    a parameter and an unknown one is refused by `resolve`. None means: as the profile says.
    """
    hidden = {"In", "Out", "get_ipython", "exit", "quit", "open"}
    return {
        k: v
        for k, v in namespace.items()
        if not k.startswith("_")
        and k not in hidden
        and v is not None
        and not isinstance(v, ModuleType)
        and not callable(v)
    }


def _explain(model: type[Parameters], error: Mapping[str, Any]) -> str:
    if not error["loc"] and error["type"] == "value_error":  # parameters that do not go together; the model says why
        return str(error["ctx"]["error"])
    name = ".".join(str(part) for part in error["loc"]) or "parameters"
    if error["type"] == "extra_forbidden":
        known = sorted(model.model_fields)
        return f"There is no parameter `{name}`.{did_you_mean(name, known)} Known parameters: {', '.join(known)}."
    value = error["input"]
    if error["type"] == "finite_number":
        meant = model.model_fields[str(error["loc"][0])].description
        return f"{name}={value} is refused: a parameter is a finite number" + (f" ({meant})." if meant else ".")
    annotation = model.model_fields[name].annotation if name in model.model_fields else None
    if get_origin(annotation) is Literal:
        options = [str(o) for o in get_args(annotation)]
        hint = did_you_mean(str(value), options)
        return f"{name}={value}: there is no such {name}.{hint} Choose one of {', '.join(options)}."
    return f"{name}={value!r} is refused: {error['msg'][0].lower()}{error['msg'][1:]}."
