"""Laws of the project itself: room order, module size, dependencies, pins, paired notebooks."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml
from vulture import Vulture

from nasrepro import experiments
from nasrepro.runs.plan import load_plan

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nasrepro"
MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.py"))
# A room imports only rooms of lower rank. Rooms of one rank do not know each other.
RANKS = {
    "errors": 0,
    "seeding": 0,
    "files": 1,
    "graphs": 1,
    "parameters": 2,
    "training": 2,
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
    "tool": 12,
    "book": 13,
    "batch": 14,
    "cli": 15,
}
OPTIONAL = ("papermill", "jupytext", "xgboost", "matplotlib", "nbformat", "jupyter_book", "sphinx", "bs4")


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
    assert breaches(PACKAGE / "experiments" / "x.py", "import nasrepro.report.overview") == [
        "experiments imports report"
    ]


def test_no_import_goes_round_in_a_circle():
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in MODULES}
    arrows = {name: imports(path.read_text(encoding="utf-8")) for name, path in names.items()}
    arrows = {a: {b if b in names else b.rpartition(".")[0] for b in to} & names.keys() for a, to in arrows.items()}
    TopologicalSorter(arrows).prepare()  # raises CycleError


def test_every_room_has_a_rank():
    rooms = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in MODULES} - {"__init__", "__main__"}
    assert rooms <= set(RANKS), f"give a rank to {rooms - set(RANKS)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_module_is_short_enough_to_be_read_in_a_sitting(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 380


def test_the_package_imports_without_optional_libraries():
    """Every module but the command line's entry point of the book is imported with the optional libraries blocked."""
    executing = {"execute.py", "pages.py"}  # need papermill; `nasrepro.book.build` asks for it first
    modules = [p for p in MODULES if not (p.parent.name == "book" and p.name in executing)]
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in modules]
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


ASKED_FOR = (
    "jupyter-book", "jupytext", "papermill", "torch", "torch-geometric", "matplotlib", "seaborn", "naslib", "xgboost",
    "pytest",
)  # fmt: skip


def test_the_environment_names_every_library_that_was_asked_for():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    named = yaml.safe_load(text)["dependencies"][-1]["pip"]
    assert set(ASKED_FOR) - {name.removesuffix("-cpu") for name in named} == {"naslib"}
    assert re.search(r"conda create -n naslib python=3\.9 && .*git\+https\S+/NASLib@[0-9a-f]{40}", text)
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()}
    assert {name for name in named if not name.startswith("-")} <= pinned


def test_the_page_on_design_says_why_each_dependency_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {k: v for k, v in project["optional-dependencies"].items() if k != "test"}
    wanted = [*project["dependencies"], *(d for extra in extras.values() for d in extra)]
    section = (ROOT / "book" / "design.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    explained = set(re.findall(r"`([^`]+)`", section.partition("\n## ")[0]))
    assert {re.split(r"[\[<>=!~ ]", d)[0] for d in wanted} - explained == {"nasrepro"}  # an extra that takes in another


def canonical(name: str) -> str:
    """Return a package name as pip compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_sphinx_executes_no_notebook():
    """They are executed before, in forked processes, and kept by what they read."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert config["execute"]["execute_notebooks"] == "off"
    assert config["only_build_toc_files"] is True


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_notebook_is_paired_and_without_outputs(source: Path):
    notebook = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    text = re.sub(r"\s|#", "", source.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        assert re.sub(r"\s|#", "", "".join(cell["source"])) in text, "run `jupytext --sync` on the notebook"


def _parameters(source: Path) -> dict[str, str]:
    """Return the names in a notebook's cell of parameters, and the comment of each."""
    _, _, found = source.read_text(encoding="utf-8").partition('# %% tags=["parameters"')
    found, _, _ = found.partition("# %%")
    return dict(re.findall(r"^(\w+): [^#\n]*  # (.+)$", found, flags=re.MULTILINE))


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_notebook_tells_its_parameters_and_they_are_those_of_its_experiments(source: Path):
    """Each with a comment, which `papermill --help-notebook` shows; a mistyped one is refused by the experiment."""
    given = set(_parameters(source)) - {"profile", "fresh", "device", "experiment"}
    known = {"ablation"} | {f for name in experiments.NAMES for f in experiments.load(name).parameters.model_fields}
    assert source.stem == "bring_your_own" or given <= known


def test_every_experiment_is_reached_by_a_notebook():
    parts = {p.id: p.experiment for p in load_plan()}
    named = {
        part
        for source in NOTEBOOKS
        for call in re.findall(r"Page\((?:[^()]|\([^()]*\))*\)", source.read_text(encoding="utf-8"))
        for part in re.findall(r'"([\w.-]+)"', call)
    }
    reached = {x for name, x in parts.items() if any(f"{name}.".startswith(f"{part}.") for part in named)}
    assert reached == set(experiments.NAMES)


def test_the_package_is_small_and_no_room_is_flat():
    done = subprocess.run([sys.executable, ROOT / ".ci" / "lines"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_space_and_benchmark_is_held_to_the_laws():
    """A new one is a file and a line; this says that it also needs a class of laws in its test module."""
    from nasrepro import benchmarks, spaces

    held = set()
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(getattr(b, "id", "").endswith("Laws") for b in node.bases):
                fields = {
                    t.id: n.value
                    for n in node.body
                    if isinstance(n, ast.Assign)
                    for t in n.targets
                    if isinstance(t, ast.Name)
                }
                held |= {v.id for k, v in fields.items() if k in ("space", "benchmark") and isinstance(v, ast.Name)}
    expected = {attribute for _, attribute in (*spaces.SPACES.values(), *benchmarks.BENCHMARKS.values())}
    assert expected - held == set()


def test_the_package_offers_its_names_when_they_are_asked_for():
    import nasrepro

    assert set(nasrepro.__all__) == set(nasrepro._PLACES)
    assert [name for name in nasrepro.__all__ if getattr(nasrepro, name) is None] == []
    assert set(nasrepro.__all__) & {*RANKS} == set()
    assert nasrepro.space("nb201").size == 15_625
    with pytest.raises(AttributeError, match="it offers Benchmark, Cell, Column"):
        _ = nasrepro.benchmrk
    script = (
        "import sys, nasrepro; print(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'pandas', 'torch'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


USED_ELSEWHERE = {  # name -> who uses what vulture finds nobody use
    # called by the libraries that define these hooks
    "model_config": "pydantic",
    "flags": "pickle",
    "pid": "pickle",
    "find_class": "pickle",
    "persistent_load": "pickle",
    "kernel_name": "papermill",
    "hook": "IPython",
    "_repr_html_": "Jupyter",
    "_repr_markdown_": "Jupyter",
    "_repr_mimebundle_": "Jupyter",
    "types": "torch",
    "setup": "Sphinx",
    "__getattr__": "Python",
    "__dir__": "Python",
    "get_field": "string.Formatter",
    "format_field": "string.Formatter",
    "encoding": "pandas' query",
    "top5_error": "records of network_training",
    "corrected": "records of theory",
    # found by their names in a table of names
    "NB101Network": "nasrepro.proxies.networks",
    "NB201Network": "nasrepro.proxies.networks",
    "TNB101MicroNetwork": "nasrepro.proxies.networks",
    "TNB101MacroNetwork": "nasrepro.proxies.networks",
    "TNB101MicroBenchmark": "nasrepro.benchmarks",
    "TNB101MacroBenchmark": "nasrepro.benchmarks",
    # fields that go into a record or a file whole
    "citation": "data cards",
    "fitted_to": "records of encodings",
    "kendall_tau": "data cards",
    "kendall_tau_sd": "data cards",
    "r2": "data cards",
    "r2_sd": "data cards",
    "rmse": "data cards",
    "one_hot_ridge": "data cards",
    "theorem": "records of theory",
    "quantity": "records of theory",
    "printed_value": "records of theory",
    "corrected_value": "records of theory",
    "one_edit": "records of theory",
    "printed_one_edit": "records of theory",
    "saving": "records of theory",
    "schema_version": "records",
    "SCHEMA_VERSION": "records",
    "tolerance_reason": "data/claims.yml",
    # offered to whoever builds on the package
    "Page": "notebooks",
    "from_pyg": "torch-geometric's graphs back, what `to_pyg` gives",
    "to_graph": "NASLib's objects, what `from_graph` reads",
    "decode_one": "what is wrong with a graph, in words",
    "transition": "equation 1 by itself, which the method's page quotes",
    "PUBLIC_CODE": "the network of the authors' code, by name",
    "recorded_means": "what `claim_counts` takes, from a record",
}


def test_no_code_is_dead():
    """What no module, page or notebook uses goes, even where a test uses it."""
    found = Vulture(ignore_names=list(USED_ELSEWHERE), ignore_decorators=["@app.*", "@model_validator"])
    found.scavenge([str(ROOT / name) for name in ("nasrepro", "notebooks", "book/_ext")])
    dead = [f"{item.filename.relative_to(ROOT)}:{item.first_lineno} {item.name}" for item in found.get_unused_code(60)]
    assert dead == []
