"""Laws of the project itself: room order, module size, dependencies, pins, paired notebooks."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from nasrepro import experiments

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nasrepro"
MODULES = sorted(PACKAGE.rglob("*.py"))
# A room imports only rooms of lower rank. Rooms of one rank do not know each other.
RANKS = {
    "errors": 0,
    "seeding": 0,
    "files": 1,
    "graphs": 1,
    "parameters": 2,
    "spaces": 3,
    "benchmarks": 4,
    "diffusion": 5,
    "proxies": 5,
    "classification": 6,
    "encodings": 6,
    "predictors": 7,
    "search": 8,
    "delta": 9,
    "runs": 10,
    "experiments": 11,
    "report": 11,
    "notebook": 12,
    "cli": 13,
}
MOST_FILES = 15  # of a folder
OPTIONAL = ("papermill", "jupytext", "xgboost", "matplotlib", "nbformat", "jupyter_book", "sphinx", "torch_geometric")


def room(module: str) -> str:
    """Return the room of a dotted module name under nasrepro."""
    return module.split(".")[1] if "." in module else ""


def imports(source: str) -> set[str]:
    """Return the dotted names of nasrepro that a module imports, wherever in the module the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("nasrepro.")}


def breaches(path: Path, source: str) -> list[str]:
    """Return the imports of a module that lead to a room of the same or a higher rank."""
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if here in {"__init__", "__main__"}:
        return []
    there = {room(name) for name in imports(source)} - {here}
    return [f"{here} imports {r}" for r in sorted(there & set(RANKS)) if RANKS[r] >= RANKS[here]]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_earlier_rooms(path: Path):
    assert breaches(path, path.read_text(encoding="utf-8")) == []


def test_an_import_of_a_later_room_is_noticed():
    source = "def f():\n    from nasrepro.runs import records\n"
    assert breaches(PACKAGE / "spaces" / "x.py", source) == ["spaces imports runs"]
    assert breaches(PACKAGE / "experiments" / "x.py", "import nasrepro.report.book") == ["experiments imports report"]


def test_no_import_goes_round_in_a_circle():
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in MODULES}
    arrows = {name: imports(path.read_text(encoding="utf-8")) for name, path in names.items()}
    arrows = {a: {b if b in names else b.rpartition(".")[0] for b in to} & names.keys() for a, to in arrows.items()}
    TopologicalSorter(arrows).prepare()  # raises CycleError


def test_no_room_is_flatter_than_a_newcomer_can_read():
    rooms = Counter(path.parent for path in MODULES)
    assert {room.name: n for room, n in rooms.items() if n > MOST_FILES} == {}


def test_every_room_has_a_rank():
    rooms = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in MODULES} - {"__init__", "__main__"}
    assert rooms <= set(RANKS), f"give a rank to {rooms - set(RANKS)}"


def test_the_executed_notebooks_of_the_book_show_the_records_that_answer_the_claims():
    from nasrepro.files import paths
    from nasrepro.report.book import reference_run
    from nasrepro.runs import records

    committed = list(records.find(paths.records_dir()))
    for dataset in ("cifar10", "cifar100", "imagenet16-120"):
        run = reference_run(committed, f"nb201-{dataset}")
        assert run is not None
        page = ROOT / "book" / "dinas" / f"nb201-{dataset}.ipynb"
        assert run[1].key in page.read_text(encoding="utf-8"), f"{page.name} is out of date: make notebooks"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_module_is_short_enough_to_be_read_in_a_sitting(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 380


def test_the_package_imports_without_optional_libraries():
    """Every module but the command line's entry point of the book is imported with the optional libraries blocked."""
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in MODULES]
    script = (
        "import importlib, sys\n"
        f"blocked = {OPTIONAL!r}\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in blocked:\n"
        "            raise ModuleNotFoundError(f'blocked: {name}', name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        f"for name in {names!r}:\n"
        "    if not name.endswith('__main__'):\n"
        "        importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_constraints_are_exact_versions_of_published_packages():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    pins = [line for line in lines if line.strip() and not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!_]+", line)] == []


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {canonical(re.split(r"[\[<>=!~ ]", d)[0]) for d in wanted} - {"nasrepro"}
    pinned = {canonical(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().split()}
    assert names - pinned == set()


def canonical(name: str) -> str:
    """Return a package name as pip compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_page_of_the_table_of_contents_is_in_the_book():
    from nasrepro.report.bookcheck import toc_pages

    pages = toc_pages(ROOT / "_toc.yml")
    assert len(pages) == len(set(pages)) >= 7
    assert [p for p in pages if not any((ROOT / f"{p}{suffix}").is_file() for suffix in (".md", ".ipynb"))] == []


def test_the_book_never_executes_a_notebook():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert config["execute"]["execute_notebooks"] == "off"
    assert config["only_build_toc_files"] is True


@pytest.mark.parametrize("source", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda p: p.name)
def test_a_notebook_is_paired_and_without_outputs(source: Path):
    notebook = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    text = re.sub(r"\s|#", "", source.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert re.sub(r"\s|#", "", "".join(cell["source"])) in text, "run `jupytext --sync` on the notebook"


@pytest.mark.parametrize("name", [n for n in experiments.NAMES if n != "card"])
def test_the_notebook_of_an_experiment_names_its_parameters(name: str):
    """All of them and no others, with `profile` and `fresh`; data cards are pages of their own."""
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    cell = next(c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", ()))
    named = {node.target.id for node in ast.parse("".join(cell["source"])).body if isinstance(node, ast.AnnAssign)}
    assert named - {"device"} == {*experiments.load(name).parameters.model_fields, "profile", "fresh"} - {"device"}


def test_every_space_and_benchmark_is_held_to_the_laws():
    """A new one is a file and a line; this says that it also needs a class of laws in its test module."""
    from nasrepro import benchmarks, spaces

    held = set()
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(getattr(b, "id", "").endswith("Laws") for b in node.bases):
                fields = {t.id: n.value for n in node.body if isinstance(n, ast.Assign) for t in n.targets}
                held |= {v.id for k, v in fields.items() if k in ("space", "benchmark") and isinstance(v, ast.Name)}
    expected = {attribute for _, attribute in (*spaces.SPACES.values(), *benchmarks.BENCHMARKS.values())}
    assert expected - held == set()
