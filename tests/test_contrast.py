"""All text has a contrast of at least 4.5 : 1 in both themes (WCAG 2.2, 1.4.3), by the style sheets of the book.

Any text colour may stand on any background: a pair that does not occur today may tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from configparser import ConfigParser
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest
from pygments.styles import get_style_by_name

STATIC = Path(__file__).resolve().parent.parent / "book" / "_static"
ENOUGH = 4.5
THEMES = ("light", "dark")
TEXTS = (
    "--pst-color-text-base", "--pst-color-text-muted", "--pst-color-primary", "--pst-color-link",
    "--pst-color-link-hover", "--pst-color-inline-code", "--pst-color-inline-code-links", "--nr-quiet",
)  # fmt: skip
BACKGROUNDS = (
    "--pst-color-background", "--pst-color-on-background", "--pst-color-surface", "--nr-soft", "--nr-ours",
    "--pst-color-table-heading-bg", "--pst-color-table-row-zebra-low-bg", "--pst-color-table-row-zebra-high-bg",
    "--pst-color-table-row-hover-bg",
)  # fmt: skip
BUTTONS = (("--pst-color-primary-text", "--pst-color-primary"), ("--pst-color-background", "--pst-color-text-base"))
INHERITED = {"inherit", "currentColor"}


def theme_folder(name: str) -> Path:
    return Path(find_spec(name).submodule_search_locations[0], "theme", name)  # type: ignore[union-attr,index]


def sheets() -> list[Path]:
    """Return the style sheets that set colours of text, in the order in which a page loads them."""
    names = ("pydata_sphinx_theme", "sphinx_book_theme")
    themes = [theme_folder(n) / "static" / "styles" / f"{n.replace('_', '-')}.css" for n in names]
    return [*themes, STATIC / "nasrepro.css"]


def rules(path: Path) -> list[tuple[list[str], dict[str, str]]]:
    """Return the selectors and declarations of each rule, in order; `@media` blocks count as always so."""
    text = re.sub(r"/\*.*?\*/|\"", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [
        ([one.strip() for one in re.split(r"[,;]", selectors)], dict(re.findall(r"([\w-]+)\s*:\s*([^;]+)", body)))
        for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text)
    ]


def variables(paths: Iterable[Path], theme: str) -> dict[str, str]:
    """Return the custom properties of the page in a theme; of equal weight the last one counts."""
    weak: dict[str, str] = {}
    strong: dict[str, str] = {}
    for selectors, body in (rule for path in paths for rule in rules(path)):
        custom = {name: value.strip() for name, value in body.items() if name.startswith("--")}
        weak |= custom if {"html", ":root"} & set(selectors) else {}
        strong |= custom if f"html[data-theme={theme}]" in selectors else {}
    return weak | strong


def resolved(value: str, known: dict[str, str]) -> str:
    """Return a colour as #rrggbb."""
    if found := re.fullmatch(r"var\((--[\w-]+)(?:,.*)?\)", value):
        return resolved(known[found[1]], known)
    assert re.fullmatch(r"#(\w{3}|\w{6})", value), value
    return value if len(value) == 7 else "#" + "".join(2 * digit for digit in value[1:])


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour #rrggbb."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def faint(pairs: Iterable[tuple[str, str]], known: dict[str, str]) -> list[str]:
    """Return the pairs of text and background that are too much alike."""
    found = {pair: contrast(*(resolved(known.get(name, name), known) for name in pair)) for pair in pairs}
    return [f"{text} on {back}: {ratio:.2f}" for (text, back), ratio in found.items() if ratio < ENOUGH]


def code_colours(theme: str) -> list[str]:
    """Return the colours of the highlighting of code, as the theme of the book chooses it."""
    names = {}
    for folder in ("pydata_sphinx_theme", "sphinx_book_theme"):
        config = ConfigParser(interpolation=None)
        config.read(theme_folder(folder) / "theme.conf")
        names |= {k: v for k, v in config["options"].items() if "pygment" in k}
    style = get_style_by_name(next(v for k, v in names.items() if theme in k))
    return sorted({f"#{token['color']}" for _, token in style if token["color"]})


def test_the_contrast_of_two_colours_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#ffffff", "#ffffff") == 1


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read_on_every_background(theme: str):
    known = variables(sheets(), theme)
    assert faint([*product(TEXTS, BACKGROUNDS), *BUTTONS], known) == []


@pytest.mark.parametrize("theme", THEMES)
def test_without_our_style_sheet_it_could_not(theme: str):
    """So the test above sees something: links of the theme in a striped table are too faint."""
    known = variables(sheets()[:-1], theme)
    found = faint([("--pst-color-link", "--pst-color-table-row-zebra-low-bg")], known)
    assert [one.split(": ")[1] for one in found] == ["4.34" if theme == "light" else "4.00"]


@pytest.mark.parametrize("theme", THEMES)
def test_code_can_be_read_on_pages_and_in_listings(theme: str):
    colours = code_colours(theme)
    assert len(colours) > 3
    assert faint(product(colours, ["--pst-color-surface"]), variables(sheets(), theme)) == []
    listing = variables([STATIC / "listing.css"], theme)
    texts = [*colours, "--nr-text", "--nr-quiet", "--nr-link"]
    assert faint(product(texts, ["--nr-page", "--nr-target"]), listing) == []


@pytest.mark.parametrize(("name", "texts"), [
    ("nasrepro.css", {*TEXTS, *(text for text, _ in BUTTONS)}),
    ("listing.css", {"--nr-text", "--nr-quiet", "--nr-link"}),
])  # fmt: skip
def test_our_style_sheets_give_text_no_other_colour(name: str, texts: set[str]):
    """And none of them makes it fainter."""
    found = [body for _, body in rules(STATIC / name)]
    used = {body["color"].strip() for body in found if "color" in body}
    assert used - INHERITED <= {f"var({text})" for text in texts}
    assert {float(body["opacity"]) for body in found if "opacity" in body} <= {1.0}
