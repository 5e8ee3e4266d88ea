"""A user's own pictures and files: trained on when they are small, and evaluated by content."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inkwise import Model, Run, evaluate, load_data, train
from inkwise.data.picture_folder import LEAST, load_folder
from inkwise.errors import ArgumentError, DataError, ModelError, RunError
from inkwise.runs.directory import SEEN_FILE
from tests.data import forms
from tests.folders import IN_PIECES, write_pictures, write_symbols
from tests.mixed import BROKEN, NO_PICTURES, PAGED, PAGES, SINGLE, write_mixed
from tests.shared_runs import without_report
from tests.telling import Heard

COUNTS = {"thin": 6, "thick": 7, "wide": 8}

TRAIN, TEST = forms.draw(60, 0, classes=3), forms.draw(30, 1, classes=3)
DIVIDED = forms.FORMS.keys() - {"ARFF", "Parquet by pixels"}
"""Forms that tell the parts."""


@pytest.mark.usefixtures("unreported")
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("recipe", ["case-study", "swift", "precise", "ensemble"])
def test_the_least_number_of_pictures_trains(recipe: str, classes: int, tmp_path: Path) -> None:
    names = [f"stroke {number}" for number in range(classes)]
    folder = write_pictures(tmp_path / "few", dict.fromkeys(names, LEAST))

    run = train(recipe, load_folder(folder), epochs=1, output=tmp_path / "run")

    assert run.status == "complete"
    assert sum(run.record["splits"].values()) == classes * LEAST
    assert len(run.evaluation) == classes
    assert set(run.evaluation.labels) == {*range(classes)}


@pytest.mark.usefixtures("unreported")
def test_everything_in_a_mixed_folder_is_trained_on_or_told(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    for width, name in ((4, "thin"), (14, "thick")):
        write_mixed(folder / name, partial(_stroke, width))

    with pytest.raises(DataError, match=r"arrays\.npz as well: name that, or move it away"):
        load_data(folder)
    for name in ("thin", "thick"):
        (folder / name / "arrays.npz").unlink()
    dataset = load_data(folder)
    run = train("swift", dataset, epochs=1, output=tmp_path / "run")

    each = len(SINGLE) + PAGES * len(PAGED)
    assert sum(run.record["splits"].values()) == 2 * each
    told = str(dataset.notice)
    assert f"{2 * len(BROKEN)} of {2 * (each + len(BROKEN))} pictures are left out" in told
    assert f"{2 * (len(NO_PICTURES) - 1)} files that are no pictures" in told
    evaluation = evaluate(run, data=folder)
    assert len(evaluation) == run.record["splits"]["test"]


@pytest.mark.usefixtures("unreported")
def test_signs_of_several_pieces_are_learnt_and_read(tmp_path: Path) -> None:
    signs = {name: name for name in IN_PIECES} | {"slash": "tick", "bar": "tee"}
    learnt = write_symbols(tmp_path / "signs", signs, 20)
    others = write_symbols(tmp_path / "others", signs, 5, seed=1)
    files = sorted(others.glob("*/*.png"))

    run = train("swift", data=learnt, epochs=30, output=tmp_path / "run")

    model = run.model
    answers = model.classify(files)
    assert "several" not in {answer.verdict for answer in answers}
    right = [answer.label == file.parent.name for answer, file in zip(answers, files, strict=True)]
    assert np.mean(right) >= 0.9
    contract = json.loads((run.path / "model" / "model.json").read_bytes())["input"]
    assert contract["ink"] == "all of a picture's together"
    assert Model.from_onnx(model.onnx).classify(files[:1])[0].label == answers[0].label
    evaluation = evaluate(run, data=others)  # read as the model reads them
    read = [answer.ink.image for answer in answers if answer.ink is not None]
    assert (evaluation.predicted == model.predict(np.stack(read))).all()
    pens = write_pictures(tmp_path / "pens", COUNTS)
    single = train("swift", data=pens, epochs=1, output=tmp_path / "single")
    assert not single.model.together
    assert "ink" not in json.loads((single.path / "model" / "model.json").read_bytes())["input"]
    dotted = write_symbols(tmp_path / "dotted", dict.fromkeys(single.model.class_names, "i"), 5)
    evaluate(single.model, data=dotted, output=tmp_path / "made")  # as this model reads them
    assert "together" not in Run(tmp_path / "made").record["dataset"]


def _stroke(width: int, number: int) -> Image.Image:
    picture = Image.new("L", (90, 90), 235)
    ImageDraw.Draw(picture).line((20 + number, 10, 60 - number, 80), 30, width=width)
    return picture


@pytest.fixture(scope="module")
def pens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, which is shared and stays as it is."""
    return write_pictures(tmp_path_factory.mktemp("own") / "pens", COUNTS)


@pytest.fixture(scope="module")
def trained_once(pens: Path, trains: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    with without_report():
        path = tmp_path_factory.mktemp("trained") / "run"
        return train("swift", load_folder(pens), epochs=2, output=path)


@pytest.fixture
def run(trained_once: Run, tmp_path: Path) -> Run:
    """The test's own copy of a run that was trained on `pens`."""
    return Run(shutil.copytree(trained_once.path, tmp_path / "run"))


@pytest.fixture
def copy(pens: Path, tmp_path: Path) -> Path:
    """The test's own copy of `pens`, in another place."""
    return shutil.copytree(pens, tmp_path / "elsewhere" / "pens")


def add(folder: Path, name: str, count: int) -> None:
    """Add pictures that no other test draws: crosses."""
    (folder / name).mkdir(exist_ok=True)
    for number in range(count):
        pixels = np.full((60, 60), 240, np.uint8)
        pixels[10 + number : 50, 25:30] = 20
        pixels[25 + number : 30 + number, 12:48] = 20
        Image.fromarray(pixels).save(folder / name / f"cross-{number}.png")


def move(copy: Path) -> Path:
    return copy.rename(copy.parent / "hands")


@pytest.mark.parametrize("change", [lambda copy: copy, move], ids=["copied", "under another name"])
def test_the_runs_own_pictures_are_known_wherever_they_are(
    change: Callable[[Path], Path], copy: Path, run: Run
) -> None:
    before = run.evaluation
    (run.path / "metrics.json").unlink()

    evaluation = evaluate(run, data=change(copy), progress=(heard := Heard()))

    assert (run.path / "metrics.json").exists()  # it is the run's own evaluation
    np.testing.assert_array_equal(evaluation.probabilities, before.probabilities)
    assert any("holds the data that" in notice for notice in heard.notices)
    assert len(evaluate(run, "validation", data=copy if copy.exists() else copy.parent / "hands"))


@pytest.mark.parametrize("name", ["pens", "hands"])
def test_pictures_that_came_since_are_evaluated_with_the_test_images(
    name: str, copy: Path, run: Run
) -> None:
    grown = copy.rename(copy.parent / name)
    add(grown, "thin", 4)
    add(grown, "wide", 1)
    metrics = (run.path / "metrics.json").read_bytes()

    evaluation = evaluate(run, data=grown, progress=(heard := Heard()))

    splits = run.record["splits"]
    seen = splits["train"] + splits["validation"]
    assert len(evaluation) == splits["test"] + 5
    told = f"trained or validated on {seen} of the {seen + len(evaluation)} images in {grown}"
    assert any(told in notice for notice in heard.notices)
    assert (run.path / "metrics.json").read_bytes() == metrics
    other = "pens-other" if name == "pens" else "hands"
    document = json.loads((run.path / f"metrics-{other}-test.json").read_text())
    assert (document["dataset"], document["images"]) == (other, len(evaluation))


@pytest.mark.parametrize("counts", [{"thin": 1}, {"wide": 3, "thin": 1}, {**COUNTS}])
def test_every_picture_that_was_never_seen_is_evaluated(
    counts: dict[str, int], run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    for name, count in counts.items():
        add(folder, name, count)

    evaluation = evaluate(run, data=folder, progress=(heard := Heard()))

    names = run.model.class_names
    labels = np.bincount(evaluation.labels, minlength=len(names)).tolist()
    assert labels == [counts.get(name, 0) for name in names]
    total = f"All {sum(counts.values())} images in {folder} are evaluated"
    assert any(notice.startswith(total) for notice in heard.notices)
    absent = ", ".join(name for name in names if name not in counts)
    assert any(notice.endswith(f"no images of {absent}") for notice in heard.notices) == (
        len(counts) < len(names)
    )


def test_classes_go_by_their_names_and_strange_ones_are_passed_over(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    for name, count in (("a", 3), ("wide", 2), ("thin", 1), ("zig", 4)):
        add(folder, name, count)

    evaluation = evaluate(run, data=folder, progress=(heard := Heard()))

    named = [evaluation.class_names[label] for label in evaluation.labels]
    assert sorted(named) == ["thin", "wide", "wide"]
    assert any("whose 7 images are passed over: a, zig" in notice for notice in heard.notices)


def test_what_leaves_nothing_to_evaluate_is_refused_in_a_line(run: Run, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    add(strange, "cats", 3)
    seen = tmp_path / "seen"
    pens = Path(run.record["dataset"]["source"])
    shutil.copytree(pens / "wide", seen / "wide")
    hidden = run.path / SEEN_FILE
    dataset = load_folder(pens)
    train_images = {image.tobytes() for image in dataset.train.images}
    from inkwise.ink import normalise

    for file in (seen / "wide").iterdir():
        if normalise(file).image.tobytes() not in train_images:
            file.unlink()
    before = {path.name for path in run.path.iterdir()}

    with pytest.raises(DataError, match=r"has the classes cats, and .* knows none of them, but "):
        evaluate(run, data=strange)
    with pytest.raises(DataError, match=r"was trained or validated on all \d images in "):
        evaluate(run, data=seen)
    with pytest.raises(ArgumentError, match="has no split validation"):
        evaluate(run, "validation", data=seen)
    with pytest.raises(ArgumentError, match="unknown split 'all'"):
        evaluate(run, "all", data=seen)
    with pytest.raises(ArgumentError, match="are two data sets"):
        evaluate(run, data=seen, dataset="optdigits")
    with pytest.raises(ArgumentError, match=r"leave out labels\.csv"):
        evaluate(run, data=seen, labels="labels.csv")
    hidden.write_bytes(b"\x93NUMPY")
    with pytest.raises(RunError, match=r"seen\.npy is damaged"):
        evaluate(run, data=seen)

    assert {path.name for path in run.path.iterdir()} == before


def test_a_run_without_a_record_of_its_images_says_so(copy: Path, run: Run) -> None:
    (run.path / SEEN_FILE).unlink()  # as in runs of earlier versions
    add(copy, "thin", 1)

    evaluation = evaluate(run, data=copy, progress=(heard := Heard()))

    assert len(evaluation) == sum(COUNTS.values()) + 1
    assert any("may have seen some of them" in notice for notice in heard.notices)


def test_another_version_may_have_read_the_same_pictures_otherwise(
    run: Run, tmp_path: Path
) -> None:
    record = run.record
    record["machine"]["versions"]["inkwise"] = "0.0.9"
    (run.path / "run.json").write_text(json.dumps(record))
    folder = tmp_path / "others"
    folder.mkdir()
    add(folder, "thin", 1)

    evaluate(run, data=folder, progress=(heard := Heard()))

    assert any("unless inkwise 0.0.9, which trained it" in notice for notice in heard.notices)


@pytest.fixture(scope="module")
def drawn_once(trains: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was trained on `TRAIN`, in a file."""
    folder = tmp_path_factory.mktemp("drawn") / "own"
    folder.mkdir()
    forms.npz(folder, TRAIN, TEST)
    with without_report():
        return train("swift", load_data(folder), epochs=1, output=folder.parent / "run")


@pytest.fixture
def drawn(drawn_once: Run, tmp_path: Path) -> Run:
    return Run(shutil.copytree(drawn_once.path, tmp_path / "run"))


@pytest.mark.parametrize("form", sorted(DIVIDED))
def test_the_runs_own_data_are_known_in_whatever_form(
    form: str, drawn: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    forms.FORMS[form](folder, TRAIN, TEST)
    before = drawn.evaluation

    evaluation = evaluate(drawn, data=folder, progress=(heard := Heard()))

    assert any("holds the data that" in notice for notice in heard.notices)
    assert drawn.owns(evaluation)
    np.testing.assert_array_equal(evaluation.probabilities, before.probabilities)


@pytest.mark.parametrize("form", forms.FORMS)
def test_of_other_data_what_was_never_seen_is_evaluated_in_whatever_form(
    form: str, drawn: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "grown"
    folder.mkdir()
    images, labels = forms.draw(12, 5, classes=3)
    mixed = np.concatenate([TRAIN[0][:9], images]), np.concatenate([TRAIN[1][:9], labels])
    forms.FORMS[form](folder, TRAIN, mixed)

    evaluation = evaluate(drawn, data=folder, progress=(heard := Heard()))

    assert len(evaluation) == 12
    assert sorted(evaluation.labels) == sorted(labels)
    assert any("trained or validated on" in notice for notice in heard.notices)
    assert not drawn.owns(evaluation)


def test_files_that_leave_nothing_to_evaluate_are_refused_in_a_line(
    drawn: Run, tmp_path: Path
) -> None:
    tables = {
        "seen": forms.table(TRAIN),
        "strange": forms.table((TEST[0], TEST[1] + 5)),
        "small": forms.table(forms.draw(9, side=8, classes=3)),
    }
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text)
    with pytest.raises(DataError, match=r"validated on all 60 images in .*seen\.csv"):
        evaluate(drawn, data=tmp_path / "seen.csv")
    with pytest.raises(DataError, match=r"has the classes 5, 6, 7, and .* knows none of them"):
        evaluate(drawn, data=tmp_path / "strange.csv")
    with pytest.raises(ModelError, match=r"small\.csv has images of 8×8, but the model takes 28"):
        evaluate(drawn, data=tmp_path / "small.csv")


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """A folder with the splits apart."""
    folder = tmp_path / "halves"
    for split, first in (("train", 0), ("Val", 4), ("test", 6)):
        write_pictures(folder / split, {"thin": 9, "thick": 9})
        for name in ("thin", "thick"):
            for number in range(9):
                if not first <= number < first + 4 - (split == "Val") * 2:
                    (folder / split / name / f"{number}.png").unlink(missing_ok=True)
    return folder


@pytest.mark.usefixtures("unreported")
def test_given_splits_are_what_a_training_uses(halves: Path, tmp_path: Path) -> None:
    run = train("swift", load_folder(halves), epochs=1, output=tmp_path / "run")

    assert run.record["splits"] == {"train": 8, "validation": 4, "test": 6}
    assert len(evaluate(run, "validation")) == 4  # it is found again by itself
    moved = halves.rename(tmp_path / "moved")
    assert len(evaluate(run, data=moved)) == 6
    add(moved / "test", "thin", 2)
    assert len(evaluate(run, data=moved)) == 8
    assert len(evaluate(run, data=moved / "test")) == 8
    with pytest.raises(DataError, match="on all 4 images in"):
        evaluate(run, "validation", data=moved)
    shutil.rmtree(moved / "train")
    shutil.rmtree(moved / "Val")
    assert len(evaluate(run, data=moved)) == 8
    with pytest.raises(ArgumentError, match=r"no split train \(it has test\)"):
        evaluate(run, "train", data=moved)
