import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from inkwise.data.dataset import Split
from inkwise.errors import LibraryError, ModelError, StorageError
from inkwise.explanation.neighbours import Neighbours, make_neighbours
from inkwise.model import Model
from tests.explanation.marks import draw_marks, trained

SPLIT, _ = draw_marks(300, seed=5)


@pytest.fixture(scope="module")
def kept(trains: None) -> Neighbours:
    return make_neighbours(trained(), SPLIT, count=200)


@pytest.mark.usefixtures("trains")
def test_an_image_is_its_own_nearest_unless_left_out(kept: Neighbours) -> None:
    place = 17
    index, image = int(kept.indices[place]), kept.images[place]

    itself, *others = kept.nearest(trained(), image)
    assert itself.index == index
    assert itself.similarity == pytest.approx(1, abs=1e-3)
    assert (itself.image == image).all()

    without = kept.nearest(trained(), image, without=index)
    assert [near.index for near in without][:-1] == [near.index for near in others]


@pytest.mark.usefixtures("trains")
def test_nearest_are_those_of_the_whole_features(kept: Neighbours) -> None:
    model = trained()
    features = model.features(kept.images)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    shared = []
    for image in draw_marks(20, seed=6)[0].images:
        one = model.features(image[None])[0]
        cosines = features @ (one / np.linalg.norm(one))
        found = kept.nearest(model, image)
        assert len(found) == 8
        similarities = [near.similarity for near in found]
        assert similarities == sorted(similarities, reverse=True)
        best = {int(index) for index in kept.indices[(-cosines).argsort()[:8]]}
        shared.append(len({near.index for near in found} & best))
    assert np.mean(shared) > 6


@pytest.mark.usefixtures("trains")
def test_neighbours_are_of_the_same_class_as_a_rule(kept: Neighbours) -> None:
    new, _ = draw_marks(60, seed=7)
    near = [
        [each.label for each in kept.nearest(trained(), image, count=5)] for image in new.images
    ]

    assert (np.array(near) == new.labels[:, None]).mean() > 0.8


@pytest.mark.usefixtures("trains")
def test_the_draw_is_the_same_each_time_and_holds_no_image_twice(kept: Neighbours) -> None:
    again = make_neighbours(trained(), SPLIT, count=200)

    assert (again.indices == kept.indices).all()
    assert (again.points == kept.points).all()
    assert len(set(kept.indices.tolist())) == len(kept) == 200
    assert (kept.images == SPLIT.images[kept.indices]).all()
    assert (kept.labels == SPLIT.labels[kept.indices]).all()
    assert kept.drawn_from == 300


@pytest.mark.usefixtures("trains")
def test_few_images_are_all_kept() -> None:
    few = make_neighbours(trained(), SPLIT.take(np.arange(3)))

    assert len(few) == few.drawn_from == 3
    assert len(few.nearest(trained(), SPLIT.images[0])) == 3


def test_a_file_gives_back_what_was_saved(kept: Neighbours, tmp_path: Path) -> None:
    read = Neighbours.load(kept.save(tmp_path / "neighbours.npz"))

    for name, value in vars(kept).items():
        found = getattr(read, name)
        assert type(found) is type(value)
        assert np.array_equal(found, value)
    assert [path.name for path in tmp_path.iterdir()] == ["neighbours.npz"]


def test_a_damaged_file_is_told(kept: Neighbours, tmp_path: Path) -> None:
    path = kept.save(tmp_path / "neighbours.npz")
    whole = path.read_bytes()
    cut = dataclasses.replace(kept, labels=kept.labels[:-1]).save(tmp_path / "cut.npz")
    for content in (whole[: len(whole) // 2], b"", b"no zip", cut.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="damaged: remove it"):
            Neighbours.load(path)
    np.savez(path, indices=np.array([{}], dtype=object))  # it would be unpickled
    with pytest.raises(ModelError, match="damaged"):
        Neighbours.load(path)
    with pytest.raises(StorageError, match="cannot read"):
        Neighbours.load(tmp_path / "missing.npz")


@pytest.mark.usefixtures("trains")
def test_another_model_has_other_neighbours(kept: Neighbours) -> None:
    model = trained()
    weights = {name: array + 1 for name, array in model.weights.items()}
    other = Model(model.network, weights, model.class_names)

    assert kept.belong_to(model)
    assert not kept.belong_to(other)
    with pytest.raises(ModelError, match="another model"):
        kept.nearest(other, SPLIT.images[0])


def test_making_them_needs_scikit_learn_and_finding_them_does_not(
    kept: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("torch", "sklearn", "matplotlib", "onnx", "captum"):
        monkeypatch.setitem(sys.modules, module, None)

    assert kept.nearest(trained(), SPLIT.images[0])
    with pytest.raises(LibraryError, match="pip install"):
        make_neighbours(trained(), Split(SPLIT.images, SPLIT.labels))


@pytest.mark.usefixtures("trains")
@pytest.mark.parametrize("name", ["indices", "labels", "points", "mean", "axes", "images"])
def test_arrays_that_are_no_neighbours_are_refused(
    name: str, kept: Neighbours, tmp_path: Path
) -> None:
    array = getattr(kept, name)
    path = tmp_path / "neighbours.npz"
    for wrong in (array.astype("S"), np.full(array.shape, np.nan), array[..., None]):
        np.savez(path, **{**vars(kept), name: wrong})
        with pytest.raises(ModelError, match="is damaged"):
            Neighbours.load(path)
