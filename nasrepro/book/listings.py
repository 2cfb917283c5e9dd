"""Listings of the package's own source files for the book: highlighted, with an anchor per definition, readable
offline."""

from __future__ import annotations

import ast
import html
from pathlib import Path


def definitions(source: str) -> dict[str, int]:
    """Return name -> line of every definition of a module (methods as `Class.method`); none if it does not parse."""
    names: dict[str, int] = {}
    try:
        body = ast.parse(source).body
    except SyntaxError:  # e.g. a notebook's source with a shell line
        return names
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = node.lineno
            if isinstance(node, ast.ClassDef):
                methods = (n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
                names.update({f"{node.name}.{m.name}": m.lineno for m in methods})
        elif isinstance(node, ast.Assign):
            names.update({t.id: node.lineno for t in node.targets if isinstance(t, ast.Name)})
    return names


def write_listings(root: Path, out: Path) -> None:
    """Write one page per Python file of `nasrepro/` and `notebooks/` under a root, for the links of the role `src`.

    Args:
        root: the source checkout.
        out: folder for the pages; `nasrepro-spaces-base.html` has each definition of `nasrepro/spaces/base.py` at an
            anchor of its name.
    """
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

    out.mkdir(parents=True, exist_ok=True)
    template = Path(__file__).with_name("listing.html").read_text(encoding="utf-8")
    formatter = HtmlFormatter(linenos="inline", linespans="line", wrapcode=True)
    for path in [*root.glob("nasrepro/**/*.py"), *root.glob("notebooks/*.py")]:
        name, source = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        code = highlight(source, PythonLexer(), formatter)
        for definition, line in definitions(source).items():
            code = code.replace(f'id="line-{line}"', f'id="{definition}"')
        page = template.replace("{title}", html.escape(name)).replace("{code}", code)
        (out / name.replace("/", "-")).with_suffix(".html").write_text(page, encoding="utf-8")
