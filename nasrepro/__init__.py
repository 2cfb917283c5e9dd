"""nasrepro: a reproducible study of generative and predictor-guided neural architecture search.

The names below are imported when they are first asked for, so that `import nasrepro` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasrepro.benchmarks import load as benchmark
    from nasrepro.benchmarks.base import Benchmark, Column
    from nasrepro.benchmarks.ledger import Ledger
    from nasrepro.errors import NasreproError
    from nasrepro.runs.claims import committed_evidence as claims
    from nasrepro.spaces import load as space
    from nasrepro.spaces.base import SearchSpace

__version__ = "0.1.0"
_PLACES = {
    "benchmark": ("nasrepro.benchmarks", "load"),
    "space": ("nasrepro.spaces", "load"),
    "claims": ("nasrepro.runs.claims", "committed_evidence"),
    "Benchmark": ("nasrepro.benchmarks.base", "Benchmark"),
    "Column": ("nasrepro.benchmarks.base", "Column"),
    "Ledger": ("nasrepro.benchmarks.ledger", "Ledger"),
    "NasreproError": ("nasrepro.errors", "NasreproError"),
    "SearchSpace": ("nasrepro.spaces.base", "SearchSpace"),
}
__all__ = ["Benchmark", "Column", "Ledger", "NasreproError", "SearchSpace", "benchmark", "claims", "space"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'nasrepro' has no attribute {name!r}; it offers {', '.join(__all__)}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
