"""The run directory: what is in it, reading it back, and what becomes of damage."""

import csv
import dataclasses
import io
import json
import os
import pickle
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from PIL import Image

from inkwise import Dataset, Evaluation, InkwiseError, Recipe, Run, evaluate, get_recipe
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, DataError, RunError, StorageError
from inkwise.runs.shown_images import ShownImages
from tests.runs import MACHINE

FIGURES = (
    "accuracy",
    "loss",
    "confusion",
    "per-class",
    "samples",
    "misclassified",
    "reliability",
    "confidence",
    "roc",
    "precision-recall",
    "selective",
)


@pytest.fixture
def create(optdigits: Dataset) -> Callable[..., Run]:
    """Start a run without training it."""

    def start(path: Path | str | None = None, dataset: Dataset = optdigits) -> Run:
        recipe = get_recipe("case-study")
        splits = split_dataset(dataset, recipe.holdout, recipe.seed)
        return Run.create(path, recipe, dataset, splits, ["a notice"], MACHINE, "torch")

    return start


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def strict_json(path: Path) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{path} holds {constant}, which is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_complete_run_holds_all_files_and_no_other(finished: Path) -> None:
    found = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    slices = strict_json(finished / "slices.json")
    figures = (*FIGURES, "confusions") if slices["confusions"] else FIGURES

    assert found == {
        "recipe.json",
        "run.json",
        "history.csv",
        "checkpoint.safetensors",
        "lock",
        "metrics.json",
        "predictions.csv",
        "slices.json",
        "pictures.npz",
        "seen.npy",
        "report.html",
        "model/model.json",
        "model/model.onnx",
        "model/weights.safetensors",
        *(f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")),
    }


def test_run_json(finished: Path, optdigits: Dataset) -> None:
    record = strict_json(finished / "run.json")

    assert record["schema"] == "inkwise-run/1"
    assert record["status"] == "complete"
    assert record["dataset"] == {
        "name": "optdigits",
        "title": optdigits.title,
        "source": optdigits.source,
        "sha256": optdigits.sha256,
        "test_sha256": optdigits.test.sha256,
        "test_images_sha256": optdigits.test.images_sha256,
        "class_names": list("0123456789"),
    }
    assert record["splits"] == {"train": 1150, "validation": 288, "test": 359}
    assert record["notices"] == []
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["device"] == "cpu"
    assert {"python", "torch", "numpy", "inkwise"} <= record["machine"]["versions"].keys()


def test_recipe_json_is_the_recipe(finished: Path) -> None:
    expected = get_recipe("case-study", epochs=2)

    assert Run(finished).recipe == expected
    document = strict_json(finished / "recipe.json")
    assert document.pop("schema") == "inkwise-recipe/1"
    assert Recipe.from_dict(document) == expected


def test_history_csv(finished: Path) -> None:
    rows = read_csv(finished / "history.csv")

    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "seconds",
    ]
    # Nothing is rounded: what is read back is what was measured.
    history = Run(finished).history
    assert [float(row["train_loss"]) for row in rows] == [epoch.train_loss for epoch in history]
    assert history[1].train_loss < history[0].train_loss


def test_metrics_json_agrees_with_the_predictions(finished: Path) -> None:
    metrics = strict_json(finished / "metrics.json")
    rows = read_csv(finished / "predictions.csv")

    correct = sum(row["true"] == row["predicted"] for row in rows)
    assert metrics["schema"] == "inkwise-metrics/2"
    assert (metrics["dataset"], metrics["split"]) == ("optdigits", "test")
    assert metrics["images"] == len(rows) == 359
    assert metrics["correct"] == correct
    assert metrics["accuracy"]["value"] == correct / 359
    assert [figures["name"] for figures in metrics["classes"]] == list("0123456789")
    assert metrics == Run(finished).evaluation.to_dict()


def test_undefined_figures_are_null_in_metrics_json(
    create: Callable[..., Run], tmp_path: Path
) -> None:
    run = create(tmp_path / "run")
    nines = np.full(4, 9, dtype=np.int64)
    probabilities = np.eye(10, dtype=np.float32)[nines]

    run.save_evaluation(Evaluation("optdigits", "test", tuple("0123456789"), nines, probabilities))

    metrics = strict_json(tmp_path / "run" / "metrics.json")
    assert metrics["classes"][0]["recall"] == {"value": None, "low": None, "high": None}
    assert metrics["confusion_by_row"][0] == [None] * 10
    assert metrics["classes"][9]["recall"]["value"] == 1


def test_predictions_csv(finished: Path, optdigits: Dataset) -> None:
    rows = read_csv(finished / "predictions.csv")

    assert list(rows[0]) == [
        "index",
        "true",
        "predicted",
        *(f"probability_{digit}" for digit in range(10)),
    ]
    assert [int(row["index"]) for row in rows] == list(range(359))
    assert [int(row["true"]) for row in rows] == optdigits.test.labels.tolist()
    for row in rows:
        probabilities = [float(row[f"probability_{digit}"]) for digit in range(10)]
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)
        assert int(row["predicted"]) == np.argmax(probabilities)


def test_evaluation_read_back_equals_the_computed_one_to_the_bit(run: Run) -> None:
    computed = evaluate(run)

    read = Run(run.path).evaluation

    assert read.labels.tobytes() == computed.labels.tobytes()
    assert read.probabilities.dtype == np.float32
    assert read.probabilities.tobytes() == computed.probabilities.tobytes()
    assert read.to_dict() == computed.to_dict()


@pytest.mark.parametrize("value", [np.finfo(np.float32).tiny, 1e-45, 1 / 3, np.nextafter(1, 0)])
def test_extreme_probabilities_survive_the_file(
    create: Callable[..., Run], tmp_path: Path, value: float
) -> None:
    run = create(tmp_path / "run")
    labels = np.zeros(359, dtype=np.int64)
    probabilities = np.full((359, 10), value, dtype=np.float32)

    run.save_evaluation(Evaluation("optdigits", "test", tuple("0123456789"), labels, probabilities))

    assert Run(run.path).evaluation.probabilities.tobytes() == probabilities.tobytes()


def test_an_evaluation_that_another_process_wrote_is_read(
    create: Callable[..., Run], tmp_path: Path
) -> None:
    run, elsewhere = create(tmp_path / "run"), Run(tmp_path / "run")
    labels = np.zeros(359, dtype=np.int64)
    for digit in (0, 1):
        probabilities = np.eye(10, dtype=np.float32)[labels + digit]
        elsewhere.save_evaluation(
            Evaluation("optdigits", "test", tuple("0123456789"), labels, probabilities)
        )
        assert (run.evaluation.predicted == digit).all()
        assert run.evaluation is run.evaluation  # and is computed once


def test_pictures_are_the_samples_the_mistakes_and_the_doubtful(
    finished: Path, optdigits: Dataset
) -> None:
    run = Run(finished)
    pictures, mistakes = run.pictures, run.evaluation.misclassified
    doubtful = np.flatnonzero(run.evaluation.confidence <= 0.5)

    assert len(set(pictures.samples.tolist())) == 24
    assert set(pictures.indices.tolist()) == {*pictures.samples, *mistakes, *doubtful}
    assert pictures.indices.tolist() == sorted(pictures.indices)
    np.testing.assert_array_equal(pictures.images, optdigits.test.images[pictures.indices])
    np.testing.assert_array_equal(pictures[mistakes[0]], optdigits.test.images[mistakes[0]])


def test_a_picture_that_was_not_kept_is_a_key_error() -> None:
    pictures = ShownImages(np.array([3, 5]), np.zeros((2, 2, 2), np.uint8), np.array([3]))

    for index in (0, 4, 6):
        with pytest.raises(KeyError):
            pictures[index]


def test_figures_are_png_and_svg(finished: Path) -> None:
    for name in FIGURES:
        with Image.open(finished / "figures" / f"{name}.png") as image:
            image.verify()
        svg = ET.parse(finished / "figures" / f"{name}.svg")  # noqa: S314 - we wrote it ourselves
        assert svg.getroot().tag.endswith("svg")


def test_saved_model_needs_nothing_but_its_folder(finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished / "model", tmp_path / "elsewhere")

    weights = safetensors.numpy.load_file(folder / "weights.safetensors")
    document = strict_json(folder / "model.json")

    assert sum(array.size for array in weights.values()) == 93_322
    assert document["class_names"] == list("0123456789")
    assert document["provenance"]["epochs_trained"] == 2
    assert document["provenance"]["metrics"]["split"] == "test"


def test_missing_run_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run at .*: name a directory"):
        Run(tmp_path)


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("run.json", lambda run: run.status),
        ("recipe.json", lambda run: run.recipe),
        ("history.csv", lambda run: run.history),
        ("metrics.json", lambda run: run.metrics),
        ("predictions.csv", lambda run: run.evaluation),
        ("slices.json", lambda run: run.slices(run.evaluation)),
        ("pictures.npz", lambda run: run.pictures),
        ("seen.npy", lambda run: run.has_seen(np.zeros((1, 28, 28), np.uint8))),
        ("model/model.json", lambda run: run.model),
        ("model/model.onnx", lambda run: run.model),
        ("model/weights.safetensors", lambda run: run.model),
    ],
)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[: len(content) // 2], id="cut"),
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"\xff\xfe\x00garbage\r1" * 40, id="garbage"),
        pytest.param(lambda content: b"[" * 100_000, id="deep"),
    ],
)
def test_damaged_file_is_an_error_that_names_it(
    run: Run, file: str, read: Callable[[Run], object], damage: Callable[[bytes], bytes]
) -> None:
    path = run.path / file
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(InkwiseError) as caught:
        read(run)

    assert str(run.path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("\n0,", "\n0,x", id="true label that is no class"),
        pytest.param("\n5,", "\n5,1,1,0.5\n5,", id="short row"),
        pytest.param("0,", "0,\0\r", id="control characters"),
    ],
)
def test_predictions_that_make_no_sense_are_refused(run: Run, old: str, new: str) -> None:
    path = run.path / "predictions.csv"
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(RunError, match=r"predictions\.csv is damaged: run `inkwise evaluate"):
        _ = run.evaluation


def test_run_of_another_version_is_refused(run: Run) -> None:
    path = run.path / "run.json"
    path.write_text(path.read_text().replace("inkwise-run/1", "inkwise-run/99"))

    with pytest.raises(RunError, match="another version"):
        _ = run.record


class Bomb:
    """Pickles to code that leaves a mark when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_no_pickle_is_loaded_from_pictures(run: Run, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    buffer = io.BytesIO()
    np.savez(
        buffer,
        indices=np.array([Bomb(mark)], dtype=object),
        images=np.zeros((1, 28, 28), np.uint8),
        samples=np.zeros(1, np.int64),
    )

    for content in (buffer.getvalue(), pickle.dumps(Bomb(mark))):
        (run.path / "pictures.npz").write_bytes(content)
        with pytest.raises(RunError, match=r"pictures\.npz is damaged"):
            _ = run.pictures

    assert not mark.exists()


def test_pictures_with_fewer_images_than_indices_are_refused(run: Run) -> None:
    pictures = run.pictures
    run.save_pictures(dataclasses.replace(pictures, images=pictures.images[1:]))

    with pytest.raises(RunError, match="damaged"):
        _ = run.pictures


def test_missing_pictures_and_predictions_say_what_to_run(run: Run) -> None:
    for name in ("pictures.npz", "predictions.csv"):
        (run.path / name).unlink()

    with pytest.raises(RunError, match="run `inkwise evaluate"):
        _ = run.pictures
    with pytest.raises(RunError, match="run `inkwise evaluate"):
        _ = run.evaluation


def test_new_run_is_unfinished_and_has_nothing_to_show(
    create: Callable[..., Run], tmp_path: Path
) -> None:
    run = create(tmp_path / "run")

    assert run.status == "unfinished"
    assert run.record["notices"] == ["a notice"]
    assert run.history == []
    assert run.metrics is None


def test_default_output_takes_the_next_free_name(
    create: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "case-study-optdigits-2").mkdir(parents=True)

    paths = [create().path, create().path]

    assert paths == [
        Path("runs/case-study-optdigits-1"),
        Path("runs/case-study-optdigits-3"),
    ]
    assert not any((tmp_path / "runs" / "case-study-optdigits-2").iterdir())


@pytest.mark.parametrize("name", ["../outside", "a/b", "[red] café:1", "x" * 60])
def test_data_set_of_any_name_stays_inside_its_folder(
    create: Callable[..., Run],
    animals: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = dataclasses.replace(animals, name=name)

    run = create(dataset=dataset)
    evaluation = Evaluation(
        name, "train", animals.class_names, np.zeros(3, np.int64), np.eye(3, dtype=np.float32)
    )
    written = run.save_evaluation(evaluation)

    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    assert run.path.parent == Path("runs")
    assert written.parent == run.path
    assert run.record["dataset"]["name"] == name


@pytest.mark.parametrize("link", [False, True])
def test_default_output_under_something_that_is_no_folder(
    create: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    if link:
        Path("runs").symlink_to("nowhere")
    else:
        Path("runs").write_text("mine")

    with pytest.raises(StorageError, match="cannot write to runs"):
        create()


def test_folder_that_holds_files_is_refused_and_left_alone(
    create: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / ".hidden").write_text("mine")

    with pytest.raises(ArgumentError, match="holds files already"):
        create(tmp_path)

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(".hidden", "mine")]


def test_empty_folder_is_taken(create: Callable[..., Run], tmp_path: Path) -> None:
    assert create(tmp_path).path == tmp_path


@pytest.mark.parametrize("below", [False, True])
def test_output_that_is_a_file_or_under_one_is_refused(
    create: Callable[..., Run], tmp_path: Path, below: bool
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")

    with pytest.raises(StorageError, match="cannot write to"):
        create(file / "run" if below else file)

    assert file.read_text() == "mine"


def test_a_run_knows_the_images_that_it_has_seen(run: Run, optdigits: Dataset) -> None:
    def seen(images: NDArray[np.uint8]) -> list[bool]:
        found = run.has_seen(images)
        assert found is not None
        return found.tolist()

    train, test = optdigits.train.images, optdigits.test.images
    assert all(seen(train))  # validation images are among them
    known = {image.tobytes() for image in train}
    assert seen(test) == [image.tobytes() in known for image in test]
    changed = train.copy()
    changed[:, 0, 0] ^= 1
    assert not any(seen(changed))
    assert (run.path / "seen.npy").stat().st_size <= 8 * len(train) + 128


WRONG = [None, True, -1, 1e300, "a", [], ["a", "a"], {}, {"a": 1}, 10**30]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize(
    "place",
    ["dataset", "splits", "machine", "dataset.class_names", "splits.test", "machine.versions"],
)
def test_a_record_of_another_form_is_refused_where_it_is_read(
    place: str, wrong: object, create: Callable[..., Run], tmp_path: Path
) -> None:
    run = create(tmp_path / "run")
    document = run.record
    *holders, key = place.split(".")
    holder = document[holders[0]] if holders else document
    for changed in ({**holder, key: wrong}, {name: holder[name] for name in holder if name != key}):
        new = {**document, holders[0]: changed} if holders else changed
        (run.path / "run.json").write_text(json.dumps(new))
        if changed.get(key) in ([], ["a"]) and place == "dataset.class_names":
            assert run.record  # a list of names, though of too few
            continue
        with pytest.raises(RunError, match=r"run\.json is damaged or from another version"):
            _ = run.record


@pytest.mark.parametrize("wrong", [[1, 1], {"train": 1}, {"train": -1, "validation": 1}, 7, "7"])
@pytest.mark.parametrize("entry", ["start", "drawn"])
def test_what_a_record_need_not_have_is_looked_at_where_it_is(
    entry: str, wrong: object, run: Run
) -> None:
    document = run.record
    assert document.get(entry) is None
    (run.path / "run.json").write_text(json.dumps({**document, entry: wrong}))
    with pytest.raises(RunError, match=r"run\.json is damaged or from another version"):
        _ = run.record


@pytest.mark.parametrize("wrong", ["nan", "1e400", "-0.5", "2", "1e39"])
def test_predictions_that_are_no_probabilities_are_refused(wrong: str, run: Run) -> None:
    path = run.path / "predictions.csv"
    lines = path.read_text().splitlines()
    lines[3] = ",".join([*lines[3].split(",")[:-1], wrong])
    path.write_text("\n".join(lines))
    with pytest.raises(RunError, match=r"predictions\.csv is damaged"):
        _ = run.evaluation


@pytest.mark.parametrize("name", ["indices", "images", "samples"])
@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2, 2, 2), np.uint8), np.array("a")])
def test_pictures_of_another_type_or_shape_are_refused(
    name: str, array: NDArray[np.generic], tmp_path: Path
) -> None:
    good = ShownImages(np.arange(2), np.zeros((2, 3, 3), np.uint8), np.arange(1))
    path = good.save(tmp_path / "pictures.npz")
    np.savez(path, **{**vars(good), name: array})
    with pytest.raises(DataError, match="is damaged"):
        ShownImages.load(path)


@pytest.mark.parametrize(
    ("indices", "samples"), [([4, 2], [4]), ([2, 2], [2]), ([-2, 4], [4]), ([2, 4], [3])]
)
def test_pictures_out_of_order_or_without_the_samples_are_refused(
    indices: list[int], samples: list[int], tmp_path: Path
) -> None:
    images = np.zeros((2, 3, 3), np.uint8)
    path = ShownImages(np.array(indices), images, np.array(samples)).save(tmp_path / "pictures.npz")
    with pytest.raises(DataError, match="indices are not in order, or lack those of samples"):
        ShownImages.load(path)
