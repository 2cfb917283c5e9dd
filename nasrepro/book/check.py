"""Look at a built book and name what is wrong with it.

A book build can be green and empty, or show figures that a screen reader cannot tell. These checks read the HTML files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_LOADED = ":is(script, img, iframe, source, video, audio)[src]"
_LINKED = {"stylesheet", "preload", "icon", "shortcut", "modulepreload", "manifest", "preconnect", "dns-prefetch"}
_FILE_NAME = re.compile(r"^\S*\.(svg|png|jpe?g|gif|webp|pdf)$|^\S*/\S*$", re.IGNORECASE)
_REMOTE_CSS = re.compile(r"""(?:@import\s+|url\(\s*)["']?((?:https?:)?//[^"')\s]+)""")


def toc_pages(toc: Path) -> list[str]:
    """Return the documents of a `_toc.yml` without suffix, the root first."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    return list(parse_toc_yaml(toc))


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
    from bs4 import BeautifulSoup  # the theme needs it, too

    defects: list[str] = []
    titles: dict[str, str] = {}
    for name in toc_pages(toc):
        path = html / f"{name}.html"
        if not path.is_file() or not path.stat().st_size:
            defects.append(f"{name}: the page is missing")
            continue
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        title = page.title.get_text().strip() if page.title else ""
        if not title:
            defects.append(f"{name}: the page has no title")
        elif title in titles:
            defects.append(f"{name}: same title as {titles[title]}: {title}")
        titles.setdefault(title, name)
        for item in (expected or {}).get(name, ()):
            if page.find(id=item) is None:
                defects.append(f"{name}: the table or figure {item} is missing")
        defects += [f"{name}: {text}" for text in _page_defects(page, path)]
    for css in html.glob("_static/**/*.css"):
        for url in _REMOTE_CSS.findall(css.read_text(encoding="utf-8", errors="replace")):
            defects.append(f"{css.relative_to(html)}: loads {url} from the network")
    return defects


def _page_defects(page: BeautifulSoup, path: Path) -> Iterator[str]:
    for image in page.find_all("img"):
        alt = str(image.get("alt", "")).strip()
        decorative = image.get("role") == "presentation" or "logo__image" in str(image.get("class"))
        if not alt and not decorative:
            yield f"the image {image.get('src')} has no alternative text"
        elif _FILE_NAME.match(alt):
            yield f"the alternative text of {image.get('src')} is a file name: {alt}"
    assets = [str(tag["src"]) for tag in page.select(_LOADED)]
    assets += [str(tag["href"]) for tag in page.select("link[rel][href]") if _LINKED.intersection(tag["rel"])]
    for asset in assets:
        if urlsplit(asset).netloc:
            yield f"loads {asset} from the network"
        elif not asset.startswith("data:") and not _leads_somewhere(path, asset):
            yield f"the file {asset} does not exist"
    for link in sorted({str(tag["href"]) for tag in page.select("a[href]")}):
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc and not _leads_somewhere(path, link):
            yield f"the link {link} leads nowhere"
    if unnamed := sum(table.find(["caption", "th"]) is None for table in page.find_all("table")):
        yield f"{unnamed} table(s) without caption and header cells"


def _leads_somewhere(page: Path, link: str) -> bool:
    target = unquote(urlsplit(link).path)
    return not target or (page.parent / target).exists()
