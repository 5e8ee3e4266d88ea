import numpy as np
import pytest

from inkwise import Dataset, Run, write_map
from inkwise.errors import ArgumentError, RunError
from inkwise.explanation.feature_map import draw_map, make_map
from inkwise.pages.drawing import to_bytes
from tests.explanation.marks import draw_marks, trained
from tests.telling import Heard

SPLIT, _ = draw_marks(120, seed=11)


@pytest.mark.usefixtures("trains")
def test_images_of_one_class_lie_together() -> None:
    found = make_map(trained(), SPLIT, count=90)

    assert (found.points.shape, found.drawn_from) == ((90, 2), 120)
    assert (found.labels == SPLIT.labels[found.indices]).all()
    assert (found.predicted == trained().predict(SPLIT.images[found.indices])).all()
    distances = np.linalg.norm(found.points[:, None] - found.points, axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    assert (found.labels[nearest] == found.labels).mean() > 0.8


@pytest.mark.usefixtures("trains")
def test_every_mistake_is_on_the_map() -> None:
    labels = SPLIT.labels.copy()
    labels[5::20] = (labels[5::20] + 1) % 3
    split = type(SPLIT)(SPLIT.images, labels)
    wrong = np.flatnonzero(trained().predict(split.images) != labels)
    assert len(wrong) > 5

    found = make_map(trained(), split, count=30)

    assert set(wrong) <= set(found.indices.tolist())
    assert found.mistakes == len(wrong)
    few = make_map(trained(), split, count=10)
    assert len(few) == 10


@pytest.mark.usefixtures("trains")
def test_the_same_map_is_drawn_each_time() -> None:
    maps = [make_map(trained(), SPLIT, count=40) for _ in range(2)]

    first, second = (to_bytes(draw_map(each, "marks"), "svg") for each in maps)
    assert first == second
    assert b"40 of 120 images" in first


@pytest.mark.usefixtures("trains")
def test_a_map_of_hardly_any_image_is_refused() -> None:
    for count in (0, 9):
        with pytest.raises(ArgumentError, match=f"at least 10 images, not {count}"):
            make_map(trained(), SPLIT, count=count)


def test_the_map_goes_into_the_figures_of_a_run(run: Run) -> None:
    path = write_map(run, count=60, progress=(heard := Heard()))
    assert path == run.figures_path / "map.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    svg = (run.figures_path / "map.svg").read_text()
    assert "60 of 359 images" in svg
    assert len(heard.notices) == 1

    assert write_map(run.path, "validation", count=60).name == "map-validation.png"
    with pytest.raises(ArgumentError, match="unknown split"):
        write_map(run, "rest")


def test_a_run_on_own_images_takes_them_along(own_run: Run, animals: Dataset) -> None:
    with pytest.raises(RunError, match="in Python, as dataset="):
        write_map(own_run)

    assert write_map(own_run, count=30, dataset=animals).exists()
