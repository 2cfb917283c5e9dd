"""nasrepro: a reproducible study of generative and predictor-guided neural architecture search, and a tool.

The names below are imported when they are first asked for, so that `import nasrepro` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasrepro.benchmarks.base import Benchmark, Column
    from nasrepro.benchmarks.ledger import Ledger
    from nasrepro.errors import NasreproError
    from nasrepro.spaces.base import SearchSpace
    from nasrepro.spaces.cells import Cell
    from nasrepro.tool.condition import Condition
    from nasrepro.tool.difference import difference
    from nasrepro.tool.export import export
    from nasrepro.tool.face import benchmark, claims, load, records, run, space
    from nasrepro.tool.fit import fit
    from nasrepro.tool.optimise import optimise, searcher

__version__ = "0.1.0"
_PLACES = {  # name -> module that has it
    "benchmark": "tool.face",
    "space": "tool.face",
    "load": "tool.face",
    "run": "tool.face",
    "records": "tool.face",
    "claims": "tool.face",
    "Condition": "tool.condition",
    "fit": "tool.fit",
    "optimise": "tool.optimise",
    "searcher": "tool.optimise",
    "difference": "tool.difference",
    "export": "tool.export",
    "Benchmark": "benchmarks.base",
    "Cell": "spaces.cells",
    "Column": "benchmarks.base",
    "Ledger": "benchmarks.ledger",
    "NasreproError": "errors",
    "SearchSpace": "spaces.base",
}
__all__ = [
    "Benchmark", "Cell", "Column", "Condition", "Ledger", "NasreproError", "SearchSpace", "benchmark", "claims",
    "difference", "export", "fit", "load", "optimise", "records", "run", "searcher", "space",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'nasrepro' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(f"nasrepro.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
