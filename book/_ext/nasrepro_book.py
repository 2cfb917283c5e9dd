"""Two roles for the pages of the book: a number of a record, and a link to the code.

`` {result}`nb201.cifar10.dinas.paper.best_valid.mean:.2f` `` renders that number of the reference run with a Python
format; "not run" while there is no record. `` {src}`nasrepro/diffusion/noise.py#posterior` `` links to a listing of the
file, at the line of the definition. An unknown key, format, file or name is a warning, and the book is built with
warnings as errors.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

logger = logging.getLogger(__name__)
GENERATED = Path("book", "_generated")


@lru_cache
def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


class ResultRole(SphinxRole):
    """A number of a reference run."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the formatted number."""
        key, _, spec = self.text.partition(":")
        values = _load(Path(self.env.srcdir, GENERATED, "results.json"))
        self.env.note_dependency(str(GENERATED / "results.json"))
        if key not in values:
            logger.warning("unknown result key %r", key, location=self.get_location())
            return [nodes.inline(text=f"unknown result {key}")], []
        value = values[key]
        if value is None:
            return [nodes.inline(text="not run", classes=["nr-not-run"])], []
        try:
            text = value if isinstance(value, str) else format(value, spec)
        except ValueError:
            logger.warning("format %r does not suit result %r", spec, key, location=self.get_location())
            text = str(value)
        return [nodes.inline(text=text, classes=["nr-result"])], []


class SourceRole(SphinxRole):
    """A link to the listing of a source file."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return a link to a file, or to one definition in it."""
        path, _, name = self.text.partition("#")
        listings = _load(Path(self.env.srcdir, GENERATED, "sources.json"))
        entry = listings.get(path)
        if entry is None or (name and name not in entry["names"]):
            logger.warning("no source %r to link to", self.text, location=self.get_location())
            return [nodes.literal(text=self.text)], []
        up = "../" * self.env.docname.count("/")
        anchor = f"#line-{entry['names'][name]}" if name else ""
        uri = f"{up}_static/code/{entry['page']}{anchor}"
        text = f"{Path(path).stem}.{name}" if name else path
        link = nodes.reference("", "", nodes.literal(text=text), internal=False, refuri=uri, classes=["nr-source"])
        return [link], []


def drop_thebe(app: Sphinx) -> None:
    """Disconnect Thebe, which every classic book carries: its scripts would fetch a kernel client from a CDN."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe" and "static" not in listener.handler.__name__:
                app.disconnect(listener.id)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the roles."""
    app.add_role("result", ResultRole())
    app.add_role("src", SourceRole())
    drop_thebe(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
