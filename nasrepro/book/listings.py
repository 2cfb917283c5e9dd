"""Listings of the package's own source files for the book: highlighted, with an anchor per line, readable offline."""

from __future__ import annotations

import ast
import html
import json
from pathlib import Path

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; padding: 1rem; max-width: 64rem; font-family: system-ui, sans-serif; }}
body {{ background: #fff; color: #1f2328; }}
a {{ color: #0b57b0; }}
.listing {{ overflow-x: auto; border: 1px solid #c9ced6; border-radius: 4px; padding: 0.5rem; }}
.listing pre {{ margin: 0; font-size: 0.85rem; line-height: 1.45; }}
.listing .linenos {{ color: #59636e; text-decoration: none; padding-right: 1em; user-select: none; }}
.listing :target {{ background: #fff3bf; }}
{light}
@media (prefers-color-scheme: dark) {{
body {{ background: #14181e; color: #d7dde5; }}
a {{ color: #7fb4ff; }}
.listing {{ border-color: #4d5663; }}
.listing .linenos {{ color: #9aa4b1; }}
.listing :target {{ background: #4a3f10; }}
{dark}
}}
</style>
</head>
<body>
<main>
<p><a href="../../book/index.html">Back to the book</a></p>
<h1><code>{title}</code></h1>
<div class="listing" role="region" aria-label="Source code" tabindex="0">{code}</div>
</main>
</body>
</html>
"""


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


def write_listings(root: Path, static: Path, index: Path) -> None:
    """Write one page per Python file of `nasrepro/` and `notebooks/` under a root, and a JSON index for the role `src`.

    Args:
        root: the source checkout.
        static: folder for the pages, `<static>/<page>`.
        index: JSON file: path of a source file -> {"page": name, "names": {definition: line}}.
    """
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

    static.mkdir(parents=True, exist_ok=True)
    formatter = HtmlFormatter(linenos="inline", linespans="line", wrapcode=True, style="a11y-light")
    styles = {
        "light": formatter.get_style_defs(".highlight"),
        "dark": HtmlFormatter(style="a11y-dark").get_style_defs(".highlight"),
    }
    entries = {}
    for path in sorted([*root.glob("nasrepro/**/*.py"), *root.glob("notebooks/*.py")]):
        name, source = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        page = name.removesuffix(".py").replace("/", "-") + ".html"
        text = _PAGE.format(title=html.escape(name), code=highlight(source, PythonLexer(), formatter), **styles)
        (static / page).write_text(text, encoding="utf-8")
        entries[name] = {"page": page, "names": definitions(source)}
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text(json.dumps(entries), encoding="utf-8")
