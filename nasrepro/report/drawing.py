"""Drawings: a NAS-Bench-201 cell, and the training and sampling procedure of DiNAS (own layout of what Figure 1 tells).

Everything is drawn with Matplotlib, loaded only when a drawing is asked for. Text becomes outlines and the SVG carries
no date, so the same input gives the same bytes. Line patterns and labels carry what colours carry.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pandas as pd

from nasrepro.errors import NasreproError
from nasrepro.spaces.nb201 import CELL_EDGES, NB201, OPERATIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
else:  # loaded only when something is drawn
    Axes = Canvas = Any

INK, QUIET, PAPER = "#1f2933", "#5b6673", "#ffffff"
Look = tuple[str, str, str, str]  # of a line: label, colour, name of its dashes, marker
_DASHES: dict[str, Any] = {  # as seaborn takes them
    "solid": "",
    "dashed": (5, 2),
    "dotted": (1, 1.4),
    "dashdot": (7, 2, 1.5, 2),
    "dashdotdot": (3, 1.5, 1, 1.5, 1, 1.5),
}
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # shipped with Matplotlib
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "mathtext.fontset": "dejavusans",
    "svg.fonttype": "path",
    "svg.hashsalt": "nasrepro",
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}


@dataclass(frozen=True)
class Figure:
    """A finished figure: SVG text, PNG, a text alternative made from the data, and the data that it shows.

    With `titled` it has a caption, and in the book the id `figure-<name>`.
    """

    svg: str = field(repr=False)
    png: bytes = field(repr=False)
    alt: str
    data: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    name: str = ""
    caption: str = ""

    def titled(self, name: str, caption: str) -> Figure:
        """Return the figure with a name and a caption."""
        return replace(self, name=name, caption=caption)

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        told = {"alt": " ".join(self.alt.split()), "caption": self.caption, "name": f"figure-{self.name}"}
        data = {"image/svg+xml": self.svg, "image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return data, {"image/svg+xml": told, "image/png": told}


def render(
    draw: Callable[[Canvas], None],
    size: tuple[float, float],
    alt: str,
    data: pd.DataFrame | None = None,
    layout: Literal["constrained"] | None = "constrained",
) -> Figure:
    """Draw on a canvas and return the figure; raise `NasreproError` when Matplotlib or seaborn is missing.

    Args:
        draw: puts axes and artists on the canvas.
        size: width and height in inches.
        alt: the text alternative.
        data: what the figure shows.
        layout: Matplotlib's layout engine; None where `draw` places everything itself.
    """
    try:
        import matplotlib
        import seaborn
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise NasreproError(
            f"Figures need {error.name}, which is not installed: `pip install 'nasrepro[book]'`, or from a checkout "
            "`pip install -e '.[book]'`."
        ) from error
    stream, pixels = io.StringIO(), io.BytesIO()
    theme = seaborn.axes_style("ticks") | seaborn.plotting_context("notebook") | _STYLE
    with matplotlib.rc_context(theme):
        canvas = Canvas(figsize=size, layout=layout)
        draw(canvas)
        canvas.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        canvas.savefig(pixels, format="png", dpi=144, metadata={"Software": None})
    return Figure(stream.getvalue(), pixels.getvalue(), alt, pd.DataFrame() if data is None else data)


def draw_lines(
    axes: Axes,
    data: pd.DataFrame,
    x: str,
    y: str,
    by: str,
    looks: Mapping[str, Look],
    band: tuple[str, str] | None = None,
    **options: Any,
) -> None:
    """Draw a line of each part of a table, by seaborn; its labels are those of the axes, for a legend.

    Args:
        axes: where.
        data: one row per point.
        x: column of the horizontal axis.
        y: column of the vertical axis.
        by: column that says of which line a point is; points of no line in `looks` are left out.
        looks: of each line, in the order of the legend.
        band: columns of the lower and upper end of a band.
        **options: of `seaborn.lineplot`.
    """
    import seaborn

    data = data[data[by].isin(looks)]
    known = {look[0]: look for name, look in looks.items() if (data[by] == name).any()}
    names = {"hue_order": [*known], "style_order": [*known], "palette": {n: look[1] for n, look in known.items()}}
    names |= {"dashes": {n: _DASHES[look[2]] for n, look in known.items()}}
    names |= {"markers": {n: look[3] for n, look in known.items()}, "hue": "line", "style": "line"}
    told = data.assign(line=data[by].map({name: look[0] for name, look in looks.items()}))
    for name, part in told.groupby("line") if band else ():
        low, high = (part[end].astype(float).fillna(part[y]) for end in band)  # type: ignore[union-attr]
        axes.fill_between(part[x], low, high, color=known[str(name)][1], alpha=0.14, linewidth=0)
    seaborn.lineplot(told, x=x, y=y, ax=axes, **{"estimator": None, "errorbar": None} | names | options)
    if legend := axes.get_legend():
        legend.remove()


# ---- the NAS-Bench-201 cell ----


class _Edge(NamedTuple):
    """How an operation is named and drawn: told apart without colour by pattern, width and the label on the edge."""

    short: str
    long: str
    colour: str
    dashes: Any
    width: float


_EDGES = {
    "nor_conv_3x3": _Edge("3×3", "3×3 convolution", "#0b4f8a", "solid", 3.4),
    "nor_conv_1x1": _Edge("1×1", "1×1 convolution", "#2a7fc1", "solid", 1.6),
    "avg_pool_3x3": _Edge("pool", "3×3 average pooling", "#b3540f", (0, (5, 2)), 2.2),
    "skip_connect": _Edge("skip", "skip connection", "#3b7d3a", (0, (1, 1.6)), 2.2),
    "none": _Edge("none", "no connection", "#9aa3ad", (0, (1, 4)), 1.1),
}
_NODES = ((0.0, 0.0), (1.15, 0.72), (2.3, -0.72), (3.45, 0.0))
# Bend of each edge of CELL_EDGES (0->1, 0->2, 1->2, 0->3, 1->3, 2->3), chosen so that no two edges or labels meet.
_BENDS = (-0.18, 0.18, 0.0, 0.0, -0.18, 0.18)
_LABEL_AT = (0.5, 0.5, 0.3, 0.62, 0.5, 0.5)


def describe_cell(arch: str) -> str:
    """Return the cell of a native string in words, for those who do not see it; raise `InvalidArchitecture`."""
    operations = [OPERATIONS[op] for op in NB201.from_string(arch)]
    parts = []
    for name, style in _EDGES.items():
        edges = [f"{a} to {b}" for (a, b), op in zip(CELL_EDGES, operations, strict=True) if op == name]
        if edges:
            parts.append(f"{style.long} on {_listed(edges)}")
    return "; ".join(parts)


def draw_cell(axes: Axes, arch: str) -> None:
    """Draw the cell of a native string: four nodes, six labelled edges; raise `InvalidArchitecture`."""
    from matplotlib.patches import Circle, FancyArrowPatch

    operations = [OPERATIONS[op] for op in NB201.from_string(arch)]
    for (a, b), bend, at, op in zip(CELL_EDGES, _BENDS, _LABEL_AT, operations, strict=True):
        short, _, colour, dashes, width = _EDGES[op]
        start, end = _NODES[a], _NODES[b]
        head = "-|>,head_length=5,head_width=2.6" if op != "none" else "-"
        line: dict[str, Any] = {"arrowstyle": head, "connectionstyle": f"arc3,rad={bend}", "shrinkA": 12, "shrinkB": 12}
        line |= {"linestyle": dashes, "linewidth": width, "color": colour, "zorder": 2}
        axes.add_patch(FancyArrowPatch(start, end, **line))
        box = {"boxstyle": "round,pad=0.12", "facecolor": PAPER, "edgecolor": "none"}
        name: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 10, "bbox": box, "zorder": 3}
        axes.text(*_on_arc(start, end, bend, at), short, color=QUIET if op == "none" else colour, **name)
    for number, (x, y) in enumerate(_NODES):
        axes.add_patch(Circle((x, y), 0.19, facecolor=PAPER, edgecolor=INK, linewidth=1.4, zorder=4))
        axes.text(x, y, str(number), ha="center", va="center", fontsize=11, zorder=5)
    axes.set(xlim=(-0.3, 3.75), ylim=(-1.1, 1.1), aspect="equal")
    axes.axis("off")


def _on_arc(start: tuple[float, float], end: tuple[float, float], bend: float, at: float) -> tuple[float, float]:
    """Return the point at a share of Matplotlib's arc3 curve (a quadratic Bezier curve)."""
    (x0, y0), (x2, y2) = start, end
    x1, y1 = (x0 + x2) / 2 + bend * (y2 - y0), (y0 + y2) / 2 - bend * (x2 - x0)
    a, b, c = (1 - at) ** 2, 2 * at * (1 - at), at**2
    return a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2


def operation_legend(canvas: Canvas) -> None:
    """Add the key of the operations below a drawing of cells."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=e.colour, linestyle=e.dashes, linewidth=e.width, label=f"{e.short}: {e.long}")
        for e in _EDGES.values()
    ]
    look: dict[str, Any] = {"loc": "outside lower center", "ncols": 3, "frameon": False, "handlelength": 3.2}
    canvas.legend(handles=handles, title="node 0: input, node 3: output", title_fontsize=10, **look)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


# ---- the method ----

_ICON_NODES = ((0.0, 0.0), (0.36, 0.3), (0.36, -0.3), (0.74, 0.3), (0.74, -0.3), (1.1, 0.0))
_ICON_EDGES = ((0, 1), (0, 2), (1, 3), (2, 4), (1, 4), (3, 5), (4, 5))
_CLEAN_FILLS = ("#ffffff", "#1f2933", "#b9c2cc", "#b9c2cc", "#1f2933", "#ffffff")
_NOISY_FILLS = ("#b9c2cc", "#ffffff", "#b9c2cc", "#1f2933", "#ffffff", "#1f2933")
_NOISY_EDGES = ((0, 1), (0, 3), (2, 4), (1, 2), (4, 5))
_MIXED_FILLS = ("#ffffff", "#1f2933", "#b9c2cc", "#1f2933", "#1f2933", "#ffffff")
_MIXED_EDGES = ((0, 1), (0, 2), (1, 3), (2, 4), (3, 4), (4, 5))
_METHOD_ALT = (
    "Two flow charts. (a) Training: a clean cell G0 is given noise up to a random step t from 1 to T, drawn from "
    "the marginal distribution of operations and edges, which makes G-t. The classes c1 to ck of its metrics are "
    "replaced by the null token with probability epsilon; each passes through its own embedding and is joined to "
    "operations and edges of G-t, together with positions on the operations. A graph transformer predicts the clean "
    "cell, and the cross-entropy with G0 is the loss. (b) Sampling: a noisy cell is drawn from the prior and passes "
    "through the transformer twice in one batch, with null tokens and with the wished classes; the two logits are "
    "combined with guidance scale gamma; the posterior draws a less noisy cell G-s for a step s below t. This "
    "repeats until s is 0, when the cell is decoded or found invalid and queried."
)


class _Chart:
    """Boxes, arrows and small graphs on axes whose unit is one inch."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes

    def box(self, x: float, y: float, text: str, size: tuple[float, float] = (1.5, 0.78), dashed: bool = False) -> None:
        """Draw a box centred at a point; dashed where it concerns the conditions."""
        from matplotlib.patches import FancyBboxPatch

        (width, height), dashes = size, (0, (4, 2)) if dashed else "solid"
        look: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.1", "edgecolor": INK, "linewidth": 1.2}
        corner, fill = (x - width / 2, y - height / 2), "#ffffff" if dashed else "#e9edf2"
        self.axes.add_patch(FancyBboxPatch(corner, width, height, facecolor=fill, linestyle=dashes, **look))
        self.text(x, y, text)

    def text(self, x: float, y: float, text: str, **options: Any) -> None:
        """Write at a point, centred unless told otherwise."""
        style: dict[str, Any] = {"ha": "center", "va": "center", "linespacing": 1.25, "fontsize": 10.5}
        self.axes.text(x, y, text, **(style | options))

    def arrow(self, *points: tuple[float, float]) -> None:
        """Draw a line through points that ends in an arrow head."""
        self.axes.plot(*zip(*points[:-1], strict=True), color=INK, linewidth=1.3, solid_capstyle="round")
        head = {"arrowstyle": "-|>", "color": INK, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
        self.axes.annotate("", points[-1], points[-2], arrowprops=head)

    def arrows(self, y: float, *ends: tuple[float, float]) -> None:
        """Draw level arrows, each from one place to another."""
        for start, end in ends:
            self.arrow((start, y), (end, y))

    def graph(self, x: float, y: float, fills: Sequence[str], edges: Sequence[tuple[int, int]], label: str) -> None:
        """Draw a small graph centred at a point, with a label below."""
        places = [(x - 0.55 + a, y + b) for a, b in _ICON_NODES]
        for a, b in edges:
            (x0, y0), (x1, y1) = places[a], places[b]
            self.axes.plot([x0, x1], [y0, y1], color=QUIET, linewidth=1.2, zorder=1)
        for place, fill in zip(places, fills, strict=True):
            self.axes.plot(*place, "o", markersize=10, markerfacecolor=fill, markeredgecolor=INK, zorder=2)
        self.text(x, y - 0.47, label, va="top")


def method_figure() -> Figure:
    """Return our drawing of DiNAS' training (Algorithm 1) and sampling (Algorithm 2) procedures."""

    def draw(canvas: Canvas) -> None:
        axes = canvas.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, 11), ylim=(0, 7.5))
        axes.axis("off")
        _draw_training(_Chart(axes))
        _draw_sampling(_Chart(axes))

    caption = "Training (a) and sampling (b). Our drawing of the paper's Figure 1."
    return render(draw, (11, 7.5), _METHOD_ALT, layout=None).titled("method", caption)


def _draw_training(chart: _Chart) -> None:
    y = 5.5
    chart.text(0.15, 7.3, "(a) Training", ha="left", fontsize=13, weight="bold")
    chart.graph(0.85, y, _CLEAN_FILLS, _ICON_EDGES, "clean cell $G^0$")
    chart.box(2.55, 6.55, "step $t$, uniform\nfrom 1 to $T$", (1.5, 0.6))
    chart.box(2.55, y, "marginal noise\nto step $t$ (Eq. 1)")
    chart.graph(4.3, y, _NOISY_FILLS, _NOISY_EDGES, "noisy cell $G^t$")
    chart.box(6.05, y, "join embeddings,\nadd positions")
    chart.box(7.95, y, "graph transformer\n$\\phi_\\theta$", (1.6, 0.78))
    chart.box(9.9, y, "cross-entropy of\noperations + λ edges\n(Eq. 2)", (1.9, 1.0))
    chart.arrows(y, (1.55, 1.8), (3.3, 3.6), (5.0, 5.3), (6.8, 7.15), (8.75, 8.95))
    chart.arrow((2.55, 6.25), (2.55, y + 0.39))
    chart.box(2.55, 4.2, "classes $c_1 … c_k$\nof its metrics", dashed=True)
    chart.box(4.3, 4.2, "∅ instead, with\nprobability ε", dashed=True)
    chart.box(6.05, 4.2, "one embedding\nper condition", dashed=True)
    chart.arrow((0.85, 4.7), (0.85, 4.2), (1.8, 4.2))
    chart.arrows(4.2, (3.3, 3.55), (5.05, 5.3))
    chart.arrow((6.05, 4.59), (6.05, y - 0.39))
    chart.arrow((0.85, 5.95), (0.85, 6.98), (9.9, 6.98), (9.9, y + 0.5))
    chart.text(7.0, 6.76, "$G^0$ is the target")
    chart.text(9.0, 4.2, "dashed: where the\nconditions enter", color=QUIET)


def _draw_sampling(chart: _Chart) -> None:
    y = 1.75
    chart.axes.plot([0.15, 10.85], [3.55, 3.55], color="#c9ced6", linewidth=1)
    chart.text(0.15, 3.25, "(b) Sampling", ha="left", fontsize=13, weight="bold")
    chart.graph(0.85, y, _NOISY_FILLS, _NOISY_EDGES, "noise from the\nprior, $t = T$")
    chart.box(3.0, 2.45, "transformer, $c = ∅$\nlogits $\\ell_∅$", (1.75, 0.72), dashed=True)
    chart.box(3.0, 1.05, "transformer, $c = ĉ$\nlogits $\\ell_{ĉ}$", (1.75, 0.72), dashed=True)
    chart.text(3.0, y, "two passes in one batch")
    chart.box(5.3, y, "guided logits\n$(1-γ)\\,\\ell_∅ + γ\\,\\ell_{ĉ}$\n(Eq. 5, 6)", (1.5, 0.95))
    chart.box(7.15, y, "posterior,\njump from $t$ to $s < t$\n(Eq. 3, 4)", (1.75, 0.95))
    chart.graph(8.98, y, _MIXED_FILLS, _MIXED_EDGES, "cell $G^s$")
    chart.box(10.3, y, "decode,\nquery", (0.95, 0.78))
    for side in (0.7, -0.7):
        chart.arrow((1.55, y), (1.8, y), (1.8, y + side), (2.12, y + side))
        chart.arrow((3.88, y + side), (4.25, y + side), (4.25, y + side * 0.15 / 0.7), (4.55, y + side * 0.15 / 0.7))
    chart.arrows(y, (6.05, 6.27), (8.03, 8.3), (9.65, 9.82))
    chart.text(9.74, y + 0.55, "$s = 0$")
    chart.arrow((8.98, 0.85), (8.98, 0.32), (0.85, 0.32), (0.85, 0.7))
    chart.text(5.3, 0.5, "$s > 0$: repeat with $t = s$")
