"""The page of a comparison: whole, self-contained, with the images on which runs disagree."""

import html
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from inkwise import Dataset, Run
from inkwise.comparison.compared_runs import compare
from inkwise.comparison.runs_page import write_comparison
from inkwise.errors import RunError
from tests.comparison import write_run


@pytest.fixture
def runs(awkward_animals: Dataset, tmp_path: Path) -> list[Run]:
    """Two runs with awkward names, of which the second has two more images wrong."""
    return [
        write_run(tmp_path / "<b>first & last", awkward_animals, [7]),
        write_run(tmp_path / "second", awkward_animals, [3, 7, 40]),
    ]


def test_the_page_shows_every_disagreement(runs: list[Run], tmp_path: Path) -> None:
    comparison = compare(*runs)
    page = write_comparison(comparison, tmp_path / "deep" / "page.html").read_text()
    assert len(comparison.disagreements) == 2
    assert page.count("data:image/png;base64,") == 2
    for index in comparison.disagreements:
        assert f"#{index}<" in page
    assert html.escape(comparison.pairs[0].conclusion, quote=False).split(" (")[0] in page
    assert "says nothing about another training" in page


def test_the_page_needs_nothing_else_and_runs_nothing(runs: list[Run], tmp_path: Path) -> None:
    page = write_comparison(compare(*runs), tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "<b>first" not in page
    assert "&lt;b&gt;first &amp; last" in page


def test_runs_of_one_mind_have_no_images_to_show(runs: list[Run], tmp_path: Path) -> None:
    shutil.copy(runs[0].path / "predictions.csv", runs[1].path)
    page = write_comparison(compare(*runs), tmp_path / "page.html").read_text()
    assert "All runs gave every test image the same label." in page


def test_a_picture_that_is_missing_is_named(runs: list[Run], tmp_path: Path) -> None:
    pictures = runs[1].pictures
    wanted = compare(*runs).disagreements
    keep = ~np.isin(pictures.indices, wanted)
    pictures = type(pictures)(pictures.indices[keep], pictures.images[keep], pictures.samples[:0])
    runs[1].save_pictures(pictures)
    with pytest.raises(RunError, match=f"second lacks the picture of image {wanted[0]}: run"):
        write_comparison(compare(*runs), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
