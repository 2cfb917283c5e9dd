"""What `import nasrepro as nr` offers, read from the sources: nothing of it is imported."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import nasrepro
from nasrepro.report.rendering import Table, tabulate, text

_COLUMNS = (text("Name", "name"), text("Arguments", "arguments"), text("What", "what"))


def names() -> Table:
    """Return a table of the names: arguments, and the first sentence of the documentation."""
    items = []
    for name, module in nasrepro._PLACES.items():
        spec = find_spec(f"nasrepro.{module}")
        assert spec is not None and spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        node = next(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name)
        arguments = (
            f"`{ast.unparse(node.args)}`" if isinstance(node, ast.FunctionDef) and ast.unparse(node.args) else ""
        )
        what = re.split(r"(?<=\.)\s", " ".join((ast.get_docstring(node) or "").split()))[0]
        items.append({"name": f"`nr.{name}`", "arguments": arguments, "what": what})
    return tabulate(_COLUMNS, items, "What `import nasrepro as nr` offers", kind="", name="names")
