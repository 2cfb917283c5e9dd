"""What a batch is to make: runs of the plan, or of a user's YAML, checked as a whole before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from nasrepro import experiments
from nasrepro.errors import MissingData, NasreproError, ParameterError, did_you_mean
from nasrepro.files import paths
from nasrepro.files.storage import read_yaml
from nasrepro.parameters import model_of, resolved
from nasrepro.parameters.base import PROFILES, Parameters, option
from nasrepro.runs.plan import PLACE, Planned, load_plan, trained_by
from nasrepro.runs.records import Record
from nasrepro.runs.run import Asked

_PAPERS = ("dinas", "delta")
_MOST_RUNS, _MOST_BYTES = 10_000, 1_000_000  # of a user's YAML
_PAGE = re.compile(r"Page\(([^#{]*?globals\(\).*?)\)\n", re.DOTALL)  # of a notebook that takes parameters


@dataclass(frozen=True)
class Unit:
    """One run to be made.

    Attributes:
        name: by which the batch tells of it.
        experiment: which.
        given: parameters that differ from the profile's.
        profile: `smoke`, `laptop` or `full`.
        notebook: the page that shows it, below `notebooks/`.
    """

    name: str
    experiment: str
    given: Mapping[str, Any]
    profile: str
    notebook: str = ""

    @cached_property
    def parameters(self) -> Parameters:
        """The value of every parameter."""
        return resolved(self.experiment, self.given, self.profile)

    @property
    def training(self) -> str:
        """What runs that share trained models have in common."""
        return trained_by(self.experiment, self.parameters.model_dump(mode="json"))

    @property
    def asked(self) -> Asked[Any]:
        """The run with its key; raises `MissingData` where the files that it reads are missing."""
        return Asked.of(experiments.load(self.experiment), self.given, self.profile)

    def command(self, notebooks: Path | None = None) -> str:
        """Return the shell command that makes the run, or executes its notebook into a folder."""
        options = [option(name, value) for name, value in self.given.items()]
        if notebooks is None:
            return " ".join(["nasrepro run", self.experiment, *options, "--profile", self.profile])
        told = [option(name, value) for name, value in self.of_notebook.items()]
        return " ".join(["nasrepro notebook", self.notebook, str(notebooks / self.file), *told])

    @property
    def of_notebook(self) -> dict[str, Any]:
        """The parameters that its notebook is given."""
        return {"experiment": self.experiment, **self.given, "profile": self.profile}

    @property
    def file(self) -> str:
        """The name of its executed notebook."""
        return f"{self.notebook.replace('/', '-')}-{self.asked.key}.ipynb"


def of_plan(what: str = "", profile: str = "laptop", *, as_printed: bool = False) -> list[Unit]:
    """Return the runs of the plan, or of a part of it.

    Args:
        what: nothing for all, a paper, an id of the plan with what is below it, or a page (`dinas/table_2`).
        profile: of all runs; with `laptop`, those that the plan has at `full` are made at `full`.
        as_printed: the runs by the papers' recipes, which take hours, and not the others. Those and trials are made
            besides where their very id is given.

    Raises:
        ParameterError: no such part or profile, or a smoke of the runs by the recipes.
    """
    if profile not in PROFILES:
        raise ParameterError(
            f"There is no profile `{profile}`; there are {', '.join(PROFILES)}.{did_you_mean(profile, PROFILES)}"
        )
    if as_printed and profile == "smoke":
        raise ParameterError(
            "--as-printed with --profile smoke is refused: a recipe says how long its run trains, hours under any "
            "profile. Leave out --as-printed for a smoke of the other runs."
        )
    pages = _pages()
    parts = [part for part, page in pages if page == what] or [what]
    plan = load_plan(what if what in _PAPERS else None)
    chosen = [p for p in plan if what in ("", *_PAPERS) or any(f"{p.id}.".startswith(f"{part}.") for part in parts)]
    if not chosen:
        known = [*_PAPERS, *(page for _, page in pages), *(p.id for p in plan)]
        raise ParameterError(f"The plan has no paper, part or page `{what}`.{did_you_mean(what, known)}")
    wanted = [p for p in chosen if p.id == what or (bool(p.recipe) == as_printed and not p.trial)]
    return [_of_entry(p, p.profile if profile == "laptop" else profile) for p in wanted]


class _Entry(BaseModel):
    """An entry of a user's YAML; a parameter with a list of values spans a grid."""

    model_config = ConfigDict(extra="forbid", strict=True)
    experiment: str
    parameters: dict[str, Any] = {}
    profile: str = "laptop"

    def spanned(self) -> Iterator[Unit]:
        """Yield the runs of the grid."""
        fields = model_of(self.experiment).model_fields
        axes = {}
        for name, value in self.parameters.items():
            is_list = name in fields and get_origin(fields[name].annotation) is list
            spans = isinstance(value, list) and (not is_list or any(isinstance(v, list) for v in value))
            axes[name] = value if spans else [value]
        if (number := prod(map(len, axes.values()))) > _MOST_RUNS or not number:
            raise ParameterError(f"its lists span {number:,} runs, not 1 to {_MOST_RUNS:,}")
        for values in product(*axes.values()):
            given = dict(zip(axes, values, strict=True))
            name = " ".join([self.experiment, *(f"{k}={given[k]}" for k in axes)])
            near = min(
                (p for p in load_plan() if p.experiment == self.experiment),
                key=lambda p: sum(given.get(k, p.resolved.get(k)) != p.resolved.get(k) for k in PLACE),
            )
            yield Unit(name, self.experiment, given, self.profile, _page_of(near))


def of_yaml(path: Path) -> list[Unit]:
    """Return the runs of a YAML file: one mapping, or a list of them, of `experiment`, `parameters` and `profile`.

    Raises:
        ParameterError: names every entry that is wrong, before anything runs.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            raise ParameterError(f"{path} is no regular file of at most {_MOST_BYTES // 10**6} MB.")
        found = read_yaml(path, committed=False)
    except (OSError, RecursionError, NasreproError) as error:
        raise ParameterError(f"The batch {path} cannot be read: {error}") from None
    entries = found if isinstance(found, list) else [found]
    units: dict[str, Unit] = {}
    wrong = [] if entries else ["it has no entries"]
    for number, entry in enumerate(entries, 1):
        told = f"entry {number}"
        try:
            for unit in _Entry.model_validate(entry).spanned():
                told = f"entry {number} ({unit.name})"[:200]
                same = f"{unit.experiment} {unit.parameters.model_dump_json()}"
                if same in units:
                    raise ParameterError(f"the same run as {units[same].name}")
                units[same] = unit
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the entry"
            wrong.append(f"{told}: {place}: {first['msg']}; it has experiment, parameters and profile")
        except ParameterError as error:
            wrong.append(f"{told}: {error}")
    if wrong:
        raise ParameterError("\n".join([f"The batch {path} is refused, and nothing was run:", *wrong[:20]]))
    return list(units.values())


def _of_entry(entry: Planned, profile: str) -> Unit:
    return Unit(entry.id, entry.experiment, entry.given, profile, _page_of(entry))


@lru_cache
def _pages() -> list[tuple[str, str]]:
    """Return (part of the plan, notebook) of what each notebook shows; for one part, first the notebook of its name."""
    root = paths.checkout()
    found = []
    for path in sorted(root.glob("notebooks/**/*.py")) if root else []:
        name = path.relative_to(root / "notebooks").with_suffix("").as_posix()  # type: ignore[operator]
        for call in _PAGE.findall(path.read_text(encoding="utf-8")):
            parts = [p for p in re.findall(r'"([\w.-]+)"', call) if p.partition(".")[0] in ("dinas", "delta", "card")]
            found += [(part, name) for part in parts]

    def order(pair: tuple[str, str]) -> tuple[bool, bool, int, str]:
        _, _, part = pair[0].partition(".")  # `table2` of `dinas.table2.cifar10` is shown by dinas/table_2 above all
        return not part, part.partition(".")[0] not in pair[1].replace("_", ""), -len(pair[0]), pair[1]

    return sorted(found, key=order)


def _page_of(entry: Planned) -> str:
    return next((page for part, page in _pages() if f"{entry.id}.".startswith(f"{part}.")), "rerun")


# --- order and shares -------------------------------------------------------------------------------------------------


def expected(unit: Unit, known: Sequence[Record]) -> tuple[float, float] | None:
    """Return seconds and MB that a run may take: those of the record of its experiment and profile that differs from it
    in the fewest parameters; None where there is none."""
    wanted = unit.parameters.model_dump(mode="json")
    alike = [r for r in known if r.experiment == unit.experiment and r.profile == unit.profile]
    if not alike:
        return None
    near = min(alike, key=lambda r: (sum(r.parameters.get(k) != v for k, v in wanted.items()), r.key))
    return near.cost.wall_s, near.cost.peak_memory_mb


def ordered(units: Iterable[Unit], known: Sequence[Record]) -> list[Unit]:
    """Return the units in the order in which to begin them: one of each shared training first, the longest first, so
    that trainings are made once and early."""
    groups = sorted(_grouped(units).values(), key=lambda group: -_seconds(group, known))
    return [group[0] for group in groups] + [unit for group in groups for unit in group[1:]]


def shard(units: Sequence[Unit], number: int, of: int, known: Sequence[Record]) -> list[Unit]:
    """Return the part of some units that machine `number` of `of` is to make, always the same one.

    Runs that share a training stay together; the groups are dealt out, the longest first, to whoever has least.

    Args:
        units: all of them.
        number: from 1 on.
        of: how many machines there are.
        known: records that tell what runs take; the same on each machine.
    """
    groups = _grouped(units)
    cost = {name: _seconds(group, known) for name, group in groups.items()}
    load = [0.0] * of
    mine: set[int] = set()
    for name in sorted(groups, key=lambda name: (-cost[name], name)):
        least = load.index(min(load))
        load[least] += cost[name]
        if least == number - 1:
            mine |= {id(unit) for unit in groups[name]}
    return [unit for unit in units if id(unit) in mine]


def _grouped(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    groups: dict[str, list[Unit]] = {}
    for unit in units:
        groups.setdefault(f"{unit.profile} {unit.training}", []).append(unit)
    return groups


def _seconds(group: Sequence[Unit], known: Sequence[Record]) -> float:
    return sum((expected(unit, known) or (60.0, 0.0))[0] for unit in group)


def listed(
    units: Iterable[Unit], root: Path, known: Sequence[Record], notebooks: Path | None, *, committed: bool = True
) -> Iterator[str]:
    """Yield the shell command of each unit without a record, with its expected minutes and memory as a comment."""
    for unit in units:
        try:
            if unit.asked.found(root, committed=committed) is not None:
                continue
        except MissingData as error:
            yield f"# {unit.command()}  # left out: {str(error).splitlines()[0]}"
            continue
        cost = expected(unit, known)
        told = f"about {cost[0] / 60:.1f} min, {cost[1]:,.0f} MB" if cost else "minutes and memory unknown"
        yield f"{unit.command(notebooks)}  # {told}"
