import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Run, explain, write_explanation
from inkwise.errors import ArgumentError, DataError, NoInkError, RunError, StorageError
from inkwise.explanation.evidence import where
from inkwise.explanation.neighbours import FILE
from inkwise.explanation.occlusion import Occlusion
from inkwise.pages.drawing import AGAINST, FOR, paint
from tests.strokes import draw, strokes
from tests.telling import Heard


def test_an_image_of_a_split_is_explained_with_everything(run: Run) -> None:

    it = explain(run, index=4, progress=(heard := Heard()))

    split = inkwise.load_dataset("optdigits").test
    assert (it.image == split.images[4]).all()
    assert it.truth == split.labels[4]
    assert it.label == run.evaluation.predicted[4]
    np.testing.assert_array_equal(it.probabilities, run.evaluation.probabilities[4])
    assert [each.method for each in it.attributions] == [
        "occlusion",
        "integrated gradients",
        "Grad-CAM",
    ]
    for each in it.attributions:
        assert each.alone.shape == each.compared.shape == it.image.shape
        assert each.alone.any()
    assert it.filters is not None
    assert it.filters.kernels.shape == (32, 3, 3)
    assert it.filters.maps.shape == (32, 26, 26)
    assert len(it.neighbours) == 8
    assert (it.notices, heard.notices) == ((), [])
    assert str(it).startswith("test image 4: ")


def test_neighbours_are_kept_in_the_run_and_made_anew_for_another_model(run: Run) -> None:
    before = explain(run, index=0)
    written = (run.path / FILE).read_bytes()
    again = explain(run, index=0)
    assert [near.index for near in again.neighbours] == [near.index for near in before.neighbours]
    assert (run.path / FILE).read_bytes() == written

    model = run.model
    weights = {name: array * 0.9 for name, array in model.weights.items()}
    run.save_model(inkwise.Model(model.network, weights, model.class_names))
    assert explain(run, index=0).neighbours
    assert (run.path / FILE).read_bytes() != written


def test_a_training_image_is_not_its_own_neighbour(run: Run) -> None:
    it = explain(run, index=7, split="train")

    assert 7 not in [near.index for near in it.neighbours]
    assert len(it.neighbours) == 8


def test_a_mistake_is_compared_with_the_true_class(run: Run) -> None:
    evaluation = run.evaluation
    index = int(evaluation.misclassified[0])

    it = explain(run.path, index=index)

    assert it.truth == it.against == evaluation.labels[index]
    assert it.label == evaluation.predicted[index]
    assert f"a mistake: it is {it.class_names[it.truth]}" in str(it)


def test_the_class_to_compare_with_can_be_named() -> None:
    picture = draw("plus")
    it, other = (explain(strokes(), picture, against=name) for name in ("dot", None))
    assert it.class_names[it.against] == "dot"
    assert other.class_names[other.against] in ("upright", "flat")
    assert it.lead > other.lead

    with pytest.raises(ArgumentError, match="no class '7': use upright, flat, dot"):
        explain(strokes(), picture, against="7")
    with pytest.raises(ArgumentError, match="is the answer itself"):
        explain(strokes(), draw("flat"), against="flat")


def test_several_things_are_not_explained_as_one() -> None:
    with pytest.raises(DataError, match="shows several things: cut out the one to explain"):
        explain(strokes(), draw("pair"))


def test_the_network_sees_the_picture_once_and_each_of_its_copies_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    run = inkwise.Model.run

    def count(model: inkwise.Model, images: Any, *outputs: str) -> list[Any]:
        seen.append(len(images))
        return run(model, images, *outputs)

    monkeypatch.setattr(inkwise.Model, "run", count)
    it = explain(strokes(), draw("upright"))

    assert seen == [1, len(Occlusion(it.image, stride=1).copies)]


def test_a_picture_of_the_networks_size_is_explained_as_it_is_answered() -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[:, 13:16] = 255  # as high as no digit of MNIST's, and known better as it is
    (answer,) = strokes().classify([picture])

    it = explain(strokes(), picture)

    assert answer.ink is not None
    np.testing.assert_array_equal(it.image, picture)
    np.testing.assert_array_equal(it.image, answer.ink.image)
    assert (it.class_names[it.label], it.probabilities.max()) == answer.top[0]
    assert it.verdict == answer.verdict


def test_evidence_for_and_against_is_told_where_it_is() -> None:
    it = explain(strokes(), draw("plus"))  # upright and flat are all but equally likely
    values = it.attributions[0].compared

    places = {where(values), where(-values)}
    upright, flat = {"top", "bottom"}, {"left", "right"}
    assert len(places & upright) == len(places & flat) == 1
    assert f"the ink at the {where(values)} speaks most for it" in str(it)
    assert f"the ink at the {where(-values)} speaks most for" in str(it)


def test_a_model_alone_has_no_training_images(tmp_path: Path) -> None:

    it = explain(strokes().save(tmp_path / "model"), draw("flat"), progress=(heard := Heard()))

    assert it.title == "the picture"
    assert it.truth is None
    assert it.neighbours == ()
    assert it.filters is None  # nor has it a convolution
    assert len(it.attributions) == 2
    assert heard.notices == list(it.notices)
    assert len(heard.notices) == 1
    assert "name one in place of the model" in heard.notices[0]


def test_without_pytorch_there_is_occlusion(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = explain(run, index=4)
    for module in ("torch", "captum", "sklearn", "matplotlib", "onnx"):
        monkeypatch.setitem(sys.modules, module, None)
    picture = np.pad(whole.image, 4)

    it = explain(run, picture)

    (occlusion,) = it.attributions
    assert occlusion.method == "occlusion"
    assert len(it.neighbours) == 8  # from the run's file
    (notice,) = it.notices
    assert "needs Captum, PyTorch: pip install 'inkwise[train]'" in notice
    assert write_explanation(it, run.path / "page.html").exists()


def test_a_run_on_own_images(own_run: Run, animals: Dataset, tmp_path: Path) -> None:
    it = explain(own_run, animals.test.images[0], progress=(heard := Heard()))
    assert it.neighbours == ()
    assert "your own data set, animals: pass" in heard.notices[0]
    with pytest.raises(RunError, match=r"your own data set, animals: .* dataset="):
        explain(own_run, index=0)

    it = explain(own_run, index=0, dataset=animals)
    assert it.image.shape == (20, 24)
    assert it.neighbours
    page = write_explanation(it, tmp_path / "page.html").read_text()
    assert "Why ant" in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "name one picture"),
        ({"index": 1, "picture": draw("flat")}, "name one picture"),
        ({"index": 359}, "there is no test image 359: the last is 358"),
        ({"index": -1}, "there is no test image -1"),
        ({"index": 1, "split": "rest"}, "unknown split 'rest'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: dict[str, object], told: str, finished: Path
) -> None:
    with pytest.raises(ArgumentError, match=told):
        explain(finished, **arguments)  # type: ignore[arg-type]


def test_a_picture_without_ink_or_damaged_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NoInkError, match="there is no ink in the picture"):
        explain(strokes(), draw("blank"))
    with pytest.raises(StorageError, match=r"^cannot read .*none\.png"):
        explain(strokes(), tmp_path / "none.png")
    with pytest.raises(RunError, match="only a run knows its images"):
        explain(strokes(), index=0)


def test_colours_tell_for_from_against() -> None:
    values = np.array([[2, -1, 0]], np.float32)

    assert paint(values).tolist() == [
        [list(FOR), [round(part / 2) for part in AGAINST], [0, 0, 0]],
    ]
    through = paint(values, np.array([[255, 255, 255]], np.uint8))
    assert through[0, 0].tolist() == list(FOR)
    assert len(set(through[0, 2].tolist())) == 1  # grey
    assert 0 < through[0, 2, 0] < 255
    assert not paint(np.zeros((1, 3), np.float32)).any()


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "upper left"), (4, 9, "middle"), (8, 4, "lower left"), (8, 14, "lower right")],
)
def test_places_have_names(row: int, column: int, words: str) -> None:
    values = np.zeros((9, 15), np.float32)
    values[row, column] = 1

    assert where(values) == words
