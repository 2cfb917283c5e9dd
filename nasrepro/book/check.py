"""Look at a built book and name what is wrong with it.

A book build can be green and empty, or show figures that a screen reader cannot tell. These checks read the HTML files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nasrepro.files.storage import read_yaml

_ASSETS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
_LINKED_ASSETS = {
    "stylesheet",
    "preload",
    "icon",
    "shortcut",
    "modulepreload",
    "manifest",
    "preconnect",
    "dns-prefetch",
}
_FILE_NAME = re.compile(r"^\S*\.(svg|png|jpe?g|gif|webp|pdf)$|^\S*/\S*$", re.IGNORECASE)
_REMOTE_CSS = re.compile(r"""(?:@import\s+|url\(\s*)["']?((?:https?:)?//[^"')\s]+)""")


class _Page(HTMLParser):
    """Collects ids, titles, images, assets, local links and tables of one page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: set[str] = set()
        self.images: list[Mapping[str, str | None]] = []
        self.assets: list[str] = []
        self.links: list[str] = []
        self.unnamed_tables = 0
        self.title = ""
        self._in_title = False
        self._table: bool | None = None  # whether the open table has a caption or a header cell

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of a tag."""
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        if tag == "img":
            self.images.append(values)
        if values.get(_ASSETS.get(tag, "")):
            self.assets.append(str(values[_ASSETS[tag]]))
        if tag == "link" and _LINKED_ASSETS & set(str(values.get("rel")).split()):
            self.assets.append(str(values.get("href")))
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        if tag == "table":
            self._table = False
        elif tag in {"caption", "th"}:
            self._table = True
        self._in_title = tag == "title" and not self.title

    def handle_endtag(self, tag: str) -> None:
        """Close a table: without caption and header cells nobody can tell what its numbers are."""
        if tag == "table":
            self.unnamed_tables += not self._table
            self._table = None
        self._in_title = False

    def handle_data(self, data: str) -> None:
        """Collect the title."""
        if self._in_title:
            self.title += data


def toc_pages(toc: Path) -> list[str]:
    """Return the documents of a `_toc.yml` without suffix, the root first."""
    content = read_yaml(toc)

    def walk(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (str(node[k]) for k in ("root", "file") if k in node)
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    return list(walk(content))


def check_built(html: Path, toc: Path, expected: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Return what is wrong with a built book, one line per defect; the empty list if nothing is.

    Checked: every page of the table of contents exists and has a title of its own; every expected table and figure is
    on its page; no alternative text is empty, missing or a file name; every table has a caption or header cells;
    nothing is loaded from a network; every local image and link leads to a file.

    Args:
        html: the folder of the built pages.
        toc: the `_toc.yml` of the book.
        expected: page (as in the table of contents) -> ids of the tables and figures that it must show.
    """
    defects: list[str] = []
    titles: dict[str, str] = {}
    for name in toc_pages(toc):
        path = html / f"{name}.html"
        if not path.is_file() or not path.stat().st_size:
            defects.append(f"{name}: the page is missing")
            continue
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        if not page.title.strip():
            defects.append(f"{name}: the page has no title")
        elif page.title in titles:
            defects.append(f"{name}: same title as {titles[page.title]}: {page.title.strip()}")
        titles.setdefault(page.title, name)
        for item in (expected or {}).get(name, ()):
            if item not in page.ids:
                defects.append(f"{name}: the table or figure {item} is missing")
        defects += [f"{name}: {text}" for text in _page_defects(page, path)]
    for css in html.glob("_static/**/*.css"):
        for url in _REMOTE_CSS.findall(css.read_text(encoding="utf-8", errors="replace")):
            defects.append(f"{css.relative_to(html)}: loads {url} from the network")
    return defects


def _page_defects(page: _Page, path: Path) -> Iterator[str]:
    for image in page.images:
        alt = (image.get("alt") or "").strip()
        decorative = image.get("role") == "presentation" or "logo__image" in str(image.get("class"))
        if not alt and not decorative:
            yield f"the image {image.get('src')} has no alternative text"
        elif _FILE_NAME.match(alt):
            yield f"the alternative text of {image.get('src')} is a file name: {alt}"
    for asset in page.assets:
        if urlsplit(asset).netloc:
            yield f"loads {asset} from the network"
        elif not asset.startswith("data:") and not _leads_somewhere(path, asset):
            yield f"the file {asset} does not exist"
    for link in sorted(set(page.links)):
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc and parts.path and not _leads_somewhere(path, link):
            yield f"the link {link} leads nowhere"
    if page.unnamed_tables:
        yield f"{page.unnamed_tables} table(s) without caption and header cells"


def _leads_somewhere(page: Path, link: str) -> bool:
    target = unquote(urlsplit(link).path)
    return not target or (page.parent / target).exists()
