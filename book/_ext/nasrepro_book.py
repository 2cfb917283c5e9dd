"""A role for the pages of the book, a link to the code, and a word to whoever builds them where they are not staged.

`` {src}`nasrepro/diffusion/noise.py#posterior` `` links to a listing of the file, at the line of the definition. An
unknown file or name is a warning, and the book is built with warnings as errors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

logger = logging.getLogger(__name__)


class SourceRole(SphinxRole):
    """A link to the listing of a source file."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return a link to a file, or to one definition in it."""
        path, _, name = self.text.partition("#")
        page = Path("_static", "code", path.replace("/", "-")).with_suffix(".html")
        listing = Path(self.env.srcdir, "book", page)
        if not listing.is_file() or (name and f'id="{name}"' not in listing.read_text(encoding="utf-8")):
            logger.warning("no source %r to link to", self.text, location=self.get_location())
            return [nodes.literal(text=self.text)], []
        uri = "../" * self.env.docname.count("/") + page.as_posix() + (f"#{name}" if name else "")
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
    """Register the role; stop where notebooks were not executed and numbers not filled in."""
    if not Path(app.srcdir, "staged").is_file():
        raise ExtensionError("This folder is the source of the book, not the book. Type: nasrepro book")
    app.add_role("src", SourceRole())
    drop_thebe(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
