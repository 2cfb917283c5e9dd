"""What `import nasrepro as nr` offers, read from the sources: nothing is imported for it."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

import nasrepro


def names() -> pd.DataFrame:
    """Return a row per name: its arguments and the first sentence of its documentation, text; the index is the name."""
    rows = {}
    for name, module in nasrepro._PLACES.items():
        spec = find_spec(f"nasrepro.{module}")
        assert spec is not None and spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        node = next(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name)
        arguments = f"({ast.unparse(node.args)})" if isinstance(node, ast.FunctionDef) else ""
        what = re.split(r"(?<=\.)\s", " ".join((ast.get_docstring(node) or "").split()))[0]
        rows[f"nr.{name}"] = {"arguments": arguments, "what": what}
    return pd.DataFrame.from_dict(rows, orient="index")
