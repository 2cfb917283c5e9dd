"""What the hand-written pages of the book include: tables, figures, provenance strips, written from records as MyST.

A `Fragments` writer owns the folder `book/_generated` of a staging folder. Each fragment is a small MyST file,
`<name>.md`; figures have their SVG and the CSV of their data beside it. Every table and figure gets an id, so that a
built page can be asked whether it shows them.
"""

from __future__ import annotations

import ast
import html
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from nasrepro.study.claims import PLACE
from nasrepro.study.figures import Figure
from nasrepro.study.records import Record, newest
from nasrepro.study.tables import Table

Run = tuple[Path, Record]


def newest_run(committed: Sequence[Run], experiment: str, **parameters: object) -> Run | None:
    """Return the newest committed run of an experiment with these parameters, None where there is none."""
    found = newest((record for _, record in committed), experiment, **parameters)
    return None if found is None else next(run for run in committed if run[1].key == found.key)


_UNKNOWN = object()
SOURCE_PREFIX = "/book/_generated"  # how a page names the folder, whatever its own depth


class Fragments:
    """Writes fragments into one folder and remembers the ids of the tables and figures that each holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: dict[str, list[str]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, parts: Iterable[str], ids: Iterable[str] = ()) -> None:
        """Write `<name>.md` from its parts, separated by blank lines."""
        self.ids[name] = list(ids)
        (self.folder / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")

    def write_json(self, name: str, content: object) -> None:
        """Write `<name>.json`."""
        (self.folder / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")

    def figure(self, name: str, figure: Figure, caption: str) -> str:
        """Write a figure's SVG and data and return the MyST that shows them."""
        (self.folder / f"{name}.svg").write_text(figure.svg, encoding="utf-8")
        data = ""
        if len(figure.data):
            figure.data.to_csv(self.folder / f"{name}.csv", index=False)
            data = f" {{download}}`Data of this figure (CSV) <{SOURCE_PREFIX}/{name}.csv>`."
        alt = json.dumps(" ".join(figure.alt.split()), ensure_ascii=False)
        return f":::{{figure}} {SOURCE_PREFIX}/{name}.svg\n:alt: {alt}\n:name: figure-{name}\n\n{caption}{data}\n:::"


def raw(text: str) -> str:
    """Return HTML as MyST passes it through."""
    return f"````{{raw}} html\n{text}\n````"


def table(name: str, content: Table) -> str:
    """Return a table with the id `table-<name>`, in a box that scrolls sideways on narrow screens."""
    return raw(content.to_html(f"table-{name}"))


def plain_table(name: str, frame: pd.DataFrame, caption: str) -> str:
    """Return a data frame of texts as an accessible table; the first column heads the rows. Cells are HTML."""
    head = "".join(f'<th scope="col">{html.escape(str(c))}</th>' for c in frame.columns)
    rows = []
    for first, *rest in frame.itertuples(index=False):
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        rows.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    label = html.escape(caption[:120], quote=True)
    return raw(
        f'<div class="nr-table" id="table-{name}" role="region" tabindex="0" aria-label="{label}"><table>'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def command(text: str) -> str:
    """Return a command with a copy button."""
    return f"```{{code-block}} bash\n{text}\n```"


def run_command(record: Record) -> str:
    """Return the command that repeats a run: every parameter that is not what its profile says anyway."""
    usual = profile_parameters(record.experiment, record.profile)
    given = record.parameters
    told = {n: v for n, v in given.items() if n in PLACE or (v is not None and usual.get(n, _UNKNOWN) != v)}
    options = [f"-p {n}={shlex.quote(_literal(v))}" for n, v in told.items()]
    return " ".join(["nasrepro run", record.experiment, *options, "--profile", record.profile])


@lru_cache
def profile_parameters(experiment: str, profile: str) -> dict[str, Any]:
    """Return the default of each parameter under a profile, as far as an experiment's source states it literally.

    The source is read and not imported: experiments need torch, and the book does without.
    """
    found: dict[str, Any] = {}
    profiles: dict[str, dict[str, Any]] = {}
    for node, constants in _parameter_classes(experiment):
        for field in (f for f in node.body if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)):
            assert isinstance(field.target, ast.Name)
            if isinstance(field.value, ast.Call) and field.value.args and _is_literal(field.value.args[0]):
                found[field.target.id] = ast.literal_eval(field.value.args[0])
            elif field.target.id == "profiles" and isinstance(field.value, ast.Dict):
                profiles = _literal_dict(field.value, constants)
    return found | profiles.get(profile, {})


def _parameter_classes(module: str) -> list[tuple[ast.ClassDef, dict[str, Any]]]:
    """Return the classes of parameters that a module of `experiments` defines, after those that they inherit from, each
    with the constants that its profiles may name."""
    path = Path(__file__).parent.parent / "experiments" / f"{module}.py"
    if not path.is_file():
        return []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module.removeprefix("nasrepro.experiments.")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("nasrepro.experiments.")
        for alias in node.names
    }
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name.endswith("Parameters")]
    bases = {base.id for node in classes for base in node.bases if isinstance(base, ast.Name)}
    found = [known for base in sorted(bases & imported.keys()) for known in _parameter_classes(imported[base])]
    constants = _constants(tree)
    for name in imported.keys() - bases:
        if name.isupper():
            source = path.with_name(f"{imported[name]}.py")
            constants |= {k: v for k, v in _constants(ast.parse(source.read_text("utf-8"))).items() if k == name}
    return [*found, *((node, constants) for node in classes)]


def _is_literal(node: ast.expr) -> bool:
    """Return whether an expression can be evaluated without importing anything."""
    return not any(isinstance(part, ast.Name | ast.Call | ast.Attribute) for part in ast.walk(node))


def _constants(tree: ast.Module) -> dict[str, Any]:
    """Return the dictionaries that a module states literally, by name."""
    return {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and node.targets
        for target in node.targets
        if isinstance(target, ast.Name) and all(isinstance(v, ast.Constant) for v in node.value.values)
    }


def _literal_dict(node: ast.expr, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate a dictionary of literals, of names in `shared`, and of dictionaries of these, also after `**`."""
    if isinstance(node, ast.Name):
        return dict(shared[node.id])
    assert isinstance(node, ast.Dict)
    out: dict[str, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            out |= _literal_dict(value, shared)
        elif isinstance(value, ast.Dict | ast.Name):
            out[ast.literal_eval(key)] = _literal_dict(value, shared)
        else:
            out[ast.literal_eval(key)] = ast.literal_eval(value)
    return out


def _literal(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def provenance(record: Record) -> str:
    """Return the strip under a table or figure: record, commit, data, seeds, device, date, and the command."""
    code = record.code
    dirty = {True: " with uncommitted changes", False: " (clean)", None: ""}[code.git_dirty]
    data = ", ".join(f"{d.name} {d.sha256[:8]}" for d in record.data)
    seeds = ", ".join(f"{name} {_seed(value)}" for name, value in record.seeds.items())
    items = {
        "Record": f"{record.experiment}/{record.key}, profile {record.profile}, method version {record.method_version}",
        "Code": (f"commit {code.git_commit[:10]}{dirty}" if code.git_commit else f"sources {code.source_sha256[:10]}"),
        "Data (sha256)": data,
        "Seeds": seeds,
        "Device": f"{record.environment.device}, {record.environment.threads} threads",
        "Cost": f"{record.cost.wall_s:.0f} s, {record.cost.peak_memory_mb:.0f} MB",
        "Date": record.created[:10],
    }
    pairs = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in items.items() if v)
    return raw(f'<div class="nr-provenance"><dl>{pairs}</dl></div>') + "\n\n" + command(run_command(record))


def _seed(value: int | list[int]) -> str:
    return str(value) if isinstance(value, int) else ", ".join(map(str, value))
