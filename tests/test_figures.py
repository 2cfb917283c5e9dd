"""Figures: the data behind them, their text alternatives, determinism and readability."""

from __future__ import annotations

import builtins
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import fake_nb201_record

from nasrepro.errors import InvalidArchitecture, NasreproError
from nasrepro.report import drawing
from nasrepro.report import search_figures as figures
from nasrepro.report.drawing import Figure
from nasrepro.runs import records
from nasrepro.runs.plan import Shown
from nasrepro.spaces.nb201 import NB201

ARCH = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nb201_record(tmp_path_factory.mktemp("runs"), trainings=2, runs=3, queries=40)


@pytest.fixture(scope="module")
def curves(folder: Path) -> Figure:
    return figures.best_so_far(folder)


def _all(folder: Path) -> list[Figure]:
    return [
        figures.best_so_far(folder),
        figures.loss_curve(folder),
        figures.best_cells(folder),
        drawing.method_figure(),
    ]


def test_figures_are_the_same_bytes_twice_and_parse_as_svg(folder: Path) -> None:
    for one, two in zip(_all(folder), _all(folder), strict=True):
        assert one.svg == two.svg
        assert ET.fromstring(one.svg).tag.endswith("svg")
        assert "<dc:date>" not in one.svg


def test_text_alternatives_are_sentences_about_the_data(folder: Path, curves: Figure) -> None:
    for figure in [curves, *_all(folder)]:
        assert figure.alt.endswith(".")
        assert len(figure.alt) > 80
        assert not re.search(r"\.(svg|png)\b|nan", figure.alt)
    optimum = records.load(folder).metrics["optimum"]["valid"]
    last = curves.data.query("searcher == 'random' and query == 40")["median"].iloc[0]
    assert f"{optimum - last:.3g} at the last" in curves.alt


def test_a_notebook_gets_the_text_alternative_and_the_caption(curves: Figure) -> None:
    _, told = curves.titled("curve", "Best so far.")._repr_mimebundle_()
    assert told["image/svg+xml"] == {"alt": curves.alt, "caption": "Best so far.", "name": "figure-curve"}
    assert curves.alt.startswith("Line chart, CIFAR-10: points of validation accuracy")


def test_the_loss_is_shown_of_your_run_alone(folder: Path) -> None:
    run = (folder, records.load(folder))
    assert figures.losses(Shown([run])) is None
    mine = figures.losses(Shown([], run))
    assert mine is not None and mine.name == "losses" and "2 trainings" in mine.alt


def test_best_so_far_is_the_running_best_of_the_trace(folder: Path, curves: Figure) -> None:
    trace = records.load_table(folder, records.load(folder), "trace.parquet")
    for searcher in ("dinas", "random"):
        finals = [
            run[run["query"] < 40]["value"].max()
            for _, run in trace[trace["searcher"] == searcher].groupby(["training", "run"])
        ]
        part = curves.data.query("searcher == @searcher and protocol == 'paper'")
        assert part["median"].iloc[-1] == pytest.approx(np.median(finals))
        assert part["upper"].iloc[-1] == pytest.approx(np.quantile(finals, 0.75))
        assert part["query"].tolist() == list(range(1, 41))
        assert (part["median"].diff().dropna() >= 0).all()


def test_distinct_protocol_is_never_behind_the_papers(curves: Figure) -> None:
    paper = curves.data.query("searcher == 'dinas' and protocol == 'paper'")["median"].to_numpy()
    distinct = curves.data.query("searcher == 'dinas' and protocol == 'distinct'")["median"].to_numpy()
    assert (distinct >= paper).all()
    assert len(distinct) == 40


def test_curve_holds_for_runs_with_invalid_samples_only_and_runs_that_end_early() -> None:
    import pandas as pd

    trace = pd.DataFrame(
        {
            "searcher": "dinas",
            "training": 0,
            "run": [0, 0, 1, 1, 1],
            "query": [0, 1, 0, 1, 2],
            "row": [-1, -1, 5, 5, 7],
            "value": [np.nan, np.nan, 80.0, 80.0, 90.0],
        }
    )
    paper = figures._curve(trace, "dinas", "paper", 3)
    assert paper["median"].tolist() == [40.0, 40.0, 45.0]
    distinct = figures._curve(trace, "dinas", "distinct", 3)
    assert distinct["median"].tolist() == [40.0, 45.0, 45.0]
    assert set(distinct["runs"]) == {2}
    assert figures._curve(trace, "random", "paper", 3).empty


def test_loss_data_is_the_table_of_the_record(folder: Path) -> None:
    figure = figures.loss_curve(folder)
    table = records.load_table(folder, records.load(folder), "loss.parquet")
    assert figure.data["loss"].tolist() == table["loss"].tolist()
    assert "2 trainings over 590 steps" in figure.alt


def test_best_cells_tell_rank_value_and_every_edge(folder: Path) -> None:
    figure = figures.best_cells(folder)
    for cell in records.load(folder).metrics["best_found"]:
        assert f"Rank {cell['rank']}, {cell['valid']:.3f} %" in figure.alt
        assert drawing.describe_cell(cell["arch"]) in figure.alt


def test_best_cells_of_a_run_without_valid_cells_says_so(tmp_path: Path) -> None:
    folder = fake_nb201_record(tmp_path, trainings=1, runs=1, queries=5)
    record = records.load(folder)
    records.save(folder, record.model_copy(update={"metrics": record.metrics | {"best_found": []}}))
    assert "no valid cell" in figures.best_cells(folder).alt


def test_cell_in_words_names_each_edge_once_with_its_operation() -> None:
    words = drawing.describe_cell(ARCH)
    assert "3×3 convolution on 0 to 1 and 1 to 3" in words
    assert "no connection on 0 to 2" in words
    assert sorted(re.findall(r"\d to \d", words)) == ["0 to 1", "0 to 2", "0 to 3", "1 to 2", "1 to 3", "2 to 3"]


def test_different_cells_have_different_words() -> None:
    rng = np.random.default_rng(0)
    archs = {NB201.to_string(NB201.sample(rng)) for _ in range(300)}
    assert len({drawing.describe_cell(a) for a in archs}) == len(archs)


def test_a_string_that_is_no_cell_is_refused() -> None:
    with pytest.raises(InvalidArchitecture):
        drawing.describe_cell("|nor_conv_3x3~0|")


def test_operations_are_told_apart_without_colour() -> None:
    patterns = {(str(edge.dashes), edge.width) for edge in drawing._EDGES.values()}
    assert len(patterns) == len(drawing._EDGES)
    lines = {(str(dashes), marker) for _, _, dashes, marker in figures._LINES.values()}
    assert len(lines) == len({m for _, m in lines}) == len(figures._LINES)


def test_no_text_is_smaller_than_ten_points(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure as Canvas
    from matplotlib.text import Text

    sizes: list[float] = []
    save = Canvas.savefig

    def spy(self: Canvas, *args: Any, **kwargs: Any) -> None:
        save(self, *args, **kwargs)
        sizes.extend(t.get_fontsize() for t in self.findobj(Text) if t.get_text() and t.get_visible())

    monkeypatch.setattr(Canvas, "savefig", spy)
    _all(folder)
    assert len(sizes) > 50
    assert min(sizes) >= 10


def test_without_matplotlib_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def blocked(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(NasreproError, match="pip install"):
        drawing.method_figure()
