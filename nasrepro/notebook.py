"""What the notebooks of the book call: the records of their part of the plan, and the numbers of their text.

A notebook without parameters shows committed records. With parameters it makes your run, as the command line does, or
finds it, and shows it in the place of the committed one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from nasrepro.files import paths
from nasrepro.parameters import model_of
from nasrepro.parameters.base import RUN_OPTIONS, from_notebook
from nasrepro.report.rendering import Table
from nasrepro.report.verbs import Verb
from nasrepro.runs import records
from nasrepro.runs.plan import Shown, load_plan
from nasrepro.runs.records import Run

QUOTED = "NASREPRO_QUOTED"  # environment variable: what the text of the notebook quotes, so that no more is glued
STRICT = "NASREPRO_STRICT"  # environment variable: 0 where a text may quote what no record has
VERB = "verb"  # marks a glued word that a comparison gave
_MIME = "application/papermill.record/"

Number = float | int | str | None


class Page:
    """What a notebook shows.

    Args:
        namespace: the notebook's `globals()`, before anything but parameters is defined in it.
        parts: ids of the plan, each with what is below it, whose experiments' records are shown; the first says which
            experiment parameters are of, where the notebook has no parameter `experiment`.
        own: names of parameters of the notebook itself, which say what it shows and are no parameters of a run.

    Attributes:
        committed: the committed runs of these experiments.
        runs: the same, with yours in the place of one.
        yours: your run, None where the notebook was given no parameters.
        strict: whether the text has to be what the records say, as on the pages of the committed records.

    Raises:
        ParameterError: a parameter is unknown or mistyped (papermill itself only warns of that).
    """

    def __init__(self, namespace: Mapping[str, Any], *parts: str, own: Sequence[str] = ()) -> None:
        given = from_notebook({name: value for name, value in namespace.items() if name not in own})
        entries = [p for part in parts for p in load_plan() if f"{p.id}.".startswith(f"{part}.")]
        names = dict.fromkeys(p.experiment for p in entries)
        self.committed: list[Run] = [run for name in names for run in records.find(paths.records_dir(), name)]
        self.yours: Run | None = None
        experiment = given.pop("experiment", None) or entries[0].experiment
        if given.keys() - set(run_options(experiment)) | given.keys() & {"profile"}:
            self.yours = run_here(experiment, given)
        self.runs = Shown(self.committed, self.yours, parts)
        self.strict = self.yours is None and os.environ.get(STRICT) != "0"

    def glue(self, numbers: Mapping[str, Number]) -> None:
        """Give numbers and words to the text of the notebook, which quotes them as `` {glue:text}`name:.3f` ``.

        They become outputs as Jupyter Book and scrapbook write them. None is shown as `not run`. Where nobody fills in
        the text, as in Jupyter, nothing is given: a page knows thousands of numbers.
        """
        for name in json.loads(os.environ.get(QUOTED, "[]")):
            if name in numbers:
                glue(name, numbers[name])

    def answers(self, claims: str, title: str) -> Table:
        """Return the claims whose ids begin so, answered twice: as printed, and by ours. By committed runs alone."""
        from nasrepro.report.evidence import answered_twice

        return answered_twice(claims, title)

    def sources(self) -> Table:
        """Return where the numbers of the page come from: the runs that were shown so far."""
        from nasrepro.report.sources import sources_table

        return sources_table(self.runs)


def glue(name: str, value: Number) -> None:
    """Give one number or word to the text of the notebook."""
    from IPython.display import display

    told = {"name": name, "mime_prefix": _MIME} | ({VERB: True} if isinstance(value, Verb) else {})
    text = "not run" if value is None else f"{value}"
    data = {f"{_MIME}text/plain": text, f"{_MIME}application/json": json.dumps(value)}
    display(data, raw=True, metadata={"scrapbook": told})


def run_here(experiment: str, namespace: Mapping[str, Any]) -> Run:
    """Run an experiment with the parameters that a notebook's cells have set; return its folder and record.

    Args:
        experiment: name of the experiment.
        namespace: the notebook's `globals()`, before anything but parameters is defined in it.

    Raises:
        ParameterError: a parameter is unknown or mistyped (papermill itself only warns of that).
    """
    from nasrepro import experiments  # needs torch, which showing committed records does not
    from nasrepro.runs.run import run

    chosen, given = experiments.load(experiment), from_notebook(namespace)
    options = {name: given.pop(name) for name in run_options(experiment) if name in given}
    return run(chosen, given, **options)


def run_options(experiment: str) -> list[str]:
    """Return the names that say how to run, not what; a parameter of the experiment of the same name goes before."""
    return [name for name in RUN_OPTIONS if name not in model_of(experiment).model_fields]
